"""A version is appended once, has one number for ever, and is handed out until it is withdrawn."""

from pathlib import Path

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef, Principal, StageRequest
from pz_tsm_core.model.guard import Judgement
from pz_tsm_core.store import open_store

ALICE, BOB = Principal(name="alice"), Principal(name="bob")
CAROL = Principal(name="carol", rights=frozenset({"rubin"}))
RUBIN = Access(kind="rights", name="rubin")


def mine(principal):
    return Access(kind="private", name=principal.name)


def artifact(store, rows, access=PUBLIC, stage="put"):
    """A published artifact, different for every number of rows."""
    request = StageRequest(stage=stage, version=rows, access=access)
    table = pa.table({"x": range(rows)})
    return store.publish(request, lambda draft: draft.write_table("native", table) and None).ref


def add(store, name, rows, access=PUBLIC, kind="table"):
    return store.products.add(name, kind, {"put": artifact(store, rows, access)}, "put")


def folder_of(root, ref):
    return root / "objects" / ref.stage / ref.address[:2] / ref.address


def refusal(call):
    with pytest.raises(TsmError) as caught:
        call()
    (problem,) = caught.value.problems
    return problem


@pytest.fixture
def store(root):
    return open_store(root)


def test_versions_count_from_one_and_latest_is_the_newest(store):
    first, second = add(store, "deep", 1), add(store, "deep", 2)
    assert (str(first), str(second)) == ("deep@1", "deep@2")
    assert store.products.get("deep") == store.products.get("deep@latest") == second
    assert store.products.get("deep@1") == first
    assert store.read_table(store.products.get("deep@2").ref, "native").num_rows == 2
    assert store.products.versions("deep") == (second, first)


def test_equal_content_of_one_kind_is_no_new_version(store):
    first = add(store, "deep", 1)
    again = artifact(store, 1, stage="other")  # another address, the same rows
    assert again.address != first.ref.address
    assert store.products.add("deep", "table", {"put": again}, "put") == first
    assert add(store, "deep", 2).version == 2
    assert add(store, "deep", 1).version == 3, "only the latest counts"


def test_equal_content_is_a_new_version_when_the_old_one_has_lost_its_artifact(store, root):
    first = add(store, "deep", 1)
    again = artifact(store, 1, stage="other")
    (folder_of(root, first.ref) / "manifest.json").unlink()
    second = store.products.add("deep", "table", {"put": again}, "put")
    assert (second.version, second.ref) == (2, again)


def test_products_are_listed_by_name_the_newest_version_first(store):
    for name, rows in (("wide", 1), ("deep", 2), ("wide", 3)):
        add(store, name, rows)
    assert store.products.names() == ("deep", "wide")
    assert [str(version) for version in store.products.list()] == ["deep@1", "wide@2", "wide@1"]


def test_a_withdrawn_version_is_named_as_such_and_its_number_never_used_again(store):
    for rows in (1, 2):
        add(store, "deep", rows)
    assert store.products.withdraw("deep@2").withdrawn
    assert store.products.get("deep").version == 1
    assert [str(version) for version in store.products.list()] == ["deep@1"]
    assert [version.withdrawn for version in store.products.versions("deep")] == [True, False]
    problem = refusal(lambda: store.products.get("deep@2"))
    assert problem.code == Code.PRODUCT_UNKNOWN
    assert "withdrawn" in problem.found
    assert problem.expected == "one of its versions: 1"
    assert add(store, "deep", 2).version == 3


def test_a_product_of_withdrawn_versions_alone_is_not_listed(store):
    add(store, "deep", 1)
    store.products.withdraw("deep")
    assert (store.products.names(), store.products.list()) == ((), ())
    problem = refusal(lambda: store.products.get("deep"))
    assert (problem.code, problem.found) == (Code.PRODUCT_UNKNOWN, "every version withdrawn")
    assert refusal(lambda: store.products.withdraw("deep@1")).code == Code.PRODUCT_UNKNOWN
    assert add(store, "deep", 1).version == 2


def test_an_unknown_name_is_answered_with_the_nearest(store):
    assert "tsm put" in refusal(lambda: store.products.get("deap")).remedy
    add(store, "deep", 1)
    assert refusal(lambda: store.products.get("deap")).remedy == "did you mean `deep`?"
    assert refusal(lambda: store.products.versions("deap")).code == Code.PRODUCT_UNKNOWN
    problem = refusal(lambda: store.products.get("deep@7"))
    assert (problem.found, problem.expected) == ("no version 7", "one of its versions: 1")


@pytest.mark.parametrize("name", ["Deep", "../deep", "", "deep@", "deep@0", "a" * 64, "-deep"])
def test_what_is_no_name_is_refused(store, name):
    assert refusal(lambda: store.products.get(name)).code == Code.PRODUCT_NAME
    assert refusal(lambda: add(store, name, 1)).code == Code.PRODUCT_NAME


@pytest.mark.parametrize("name", ["deep@1", "deep@latest"])
def test_a_version_cannot_be_chosen(store, name):
    assert refusal(lambda: add(store, name, 1)).code == Code.PRODUCT_NAME
    assert refusal(lambda: store.products.versions(name)).code == Code.PRODUCT_NAME


def test_what_does_not_exist_cannot_be_named(store):
    here = artifact(store, 1)
    nowhere = here.model_copy(update={"address": "0" * 64})
    for ref in (nowhere, ArtifactRef(stage="split", address="1" * 64, content="2" * 64)):
        both = {"put": here, "other": ref}
        problem = refusal(lambda both=both: store.products.add("deep", "table", both, "put"))
        assert problem.code == Code.STORE_MISSING
    other = {"put": here.model_copy(update={"content": "3" * 64})}
    assert refusal(lambda: store.products.add("deep", "table", other, "put")).code == (
        Code.STORE_CORRUPT)
    assert store.products.names() == ()


def test_a_name_stands_for_one_kind(store):
    add(store, "deep", 1)
    assert refusal(lambda: add(store, "deep", 2, kind="compilation")).code == Code.PRODUCT_NAME
    store.products.withdraw("deep")
    assert refusal(lambda: add(store, "deep", 2, kind="compilation")).code == Code.PRODUCT_NAME


def test_a_version_is_for_those_who_may_see_all_that_it_rests_on(root):
    store = open_store(root, CAROL)
    both = {"open": artifact(store, 1), "bound": artifact(store, 2, RUBIN)}
    assert store.products.add("deep", "table", both, "open").access == RUBIN


def test_what_may_not_be_seen_cannot_be_told_from_what_is_not_there(root):
    alice, carol, bob = (open_store(root, who) for who in (ALICE, CAROL, BOB))
    add(alice, "secret", 1, mine(ALICE))
    add(carol, "bound", 2, RUBIN)
    assert (alice.products.names(), carol.products.names()) == (("secret",), ("bound",))
    assert (bob.products.names(), bob.products.list()) == ((), ())
    fresh = open_store(root / "empty", BOB)
    for name in ("secret", "bound"):
        for ref in (name, f"{name}@1", f"{name}@2", f"{name}@latest"):
            for verb in ("get", "withdraw"):
                assert refusal(lambda v=verb, r=ref: getattr(bob.products, v)(r)) == (
                    refusal(lambda v=verb, r=ref: getattr(fresh.products, v)(r)))
        assert refusal(lambda n=name: bob.products.versions(n)) == (
            refusal(lambda n=name: fresh.products.versions(n)))
    # Not by numbers either, nor by a name that is taken: his own begins at 1, of any kind.
    assert add(bob, "secret", 3, kind="compilation").version == 1
    assert add(bob, "bound", 3, kind="compilation").version == 1
    # And nothing changes for those who were there before him.
    assert alice.products.get("secret").access == mine(ALICE)
    assert carol.products.get("bound").access == RUBIN


def test_two_owners_may_use_one_name(root):
    for who, rows in ((ALICE, 1), (BOB, 2)):
        store = open_store(root, who)
        assert add(store, "mine", rows, mine(who)).version == 1
    for who, rows in ((ALICE, 1), (BOB, 2)):
        store = open_store(root, who)
        assert store.read_table(store.products.get("mine").ref, "native").num_rows == rows


@pytest.mark.parametrize("access", [mine(CAROL), RUBIN])
def test_a_name_that_one_sees_already_keeps_its_meaning(root, access):
    carol, bob = open_store(root, CAROL), open_store(root, BOB)
    add(bob, "deep", 1)
    problem = refusal(lambda: add(carol, "deep", 2, access))
    assert (problem.code, problem.found) == (Code.PRODUCT_NAME, "the name of a product for public")
    add(carol, "wide", 2, access)
    assert refusal(lambda: add(carol, "wide", 1)).code == Code.PRODUCT_NAME
    add(bob, "wide", 1)
    assert carol.products.get("wide").access == access, "the narrower one, as before"
    assert bob.products.get("wide").access == PUBLIC


def test_owners_may_be_called_anything(root):
    for number, name in enumerate(("../../etc", "a/b", "ö", "public", ".", "x" * 300), start=1):
        store = open_store(root / "store", Principal(name=name))
        add(store, "mine", number, Access(kind="private", name=name))
        assert len(store.products.list()) == 1
    assert [path.name for path in root.glob("*")] == ["store"]
    nobody = Principal(name="", rights=frozenset({""}))
    assert open_store(root / "store", nobody).products.names() == ()


def test_looking_for_products_makes_no_store(root):
    store = open_store(root / "store")
    assert store.products.list() == ()
    assert not (root / "store").exists()


def test_a_whole_version_verifies_and_every_damaged_file_is_told(store, root):
    version = add(store, "deep", 1000)
    told = store.verify(version)
    folder = store.directory(version.ref)
    assert (told.files, told.bytes, told.damages) == (
        1, (folder / "native.parquet").stat().st_size, ())
    content = bytearray((folder / "native.parquet").read_bytes())
    content[100] ^= 1
    if isinstance(root, Path):  # published files are read-only there
        (folder / "native.parquet").chmod(0o644)
    (folder / "native.parquet").write_bytes(content)
    (folder / "stray.txt").touch()
    assert sorted(store.verify(version).damages) == [
        "put: stray.txt is not in the manifest",
        "put: the bytes of native.parquet are not those published",
    ]
    (folder / "native.parquet").unlink()
    assert "put: native.parquet is missing" in store.verify(version).damages
    (folder_of(root, version.ref) / "manifest.json").unlink()
    if isinstance(root, Path):  # on S3 files without a manifest are nothing yet
        assert store.verify(version).damages == ("put: there are files but no manifest",)
        (folder / "stray.txt").unlink()
    (damage,) = store.verify(version).damages
    assert damage.startswith("put: no such artifact")


def test_nobody_verifies_what_is_not_for_him(root):
    version = add(open_store(root, ALICE), "mine", 1, mine(ALICE))
    assert refusal(lambda: open_store(root, BOB).verify(version)).code == Code.STORE_ACCESS


def test_a_name_belongs_to_the_owner_of_its_first_version(store):
    def added(rows, owner):
        return store.products.add(
            "deep", "table", {"put": artifact(store, rows)}, "put", owner=owner)

    first = added(1, "alice")
    assert (first.owner, added(2, "alice").owner) == ("alice", "alice")
    for other in ("bob", ""):
        told = refusal(lambda other=other: added(3, other))
        assert told.code is Code.PRODUCT_NAME
        assert "alice" in told.found
        assert refusal(lambda other=other: added(2, other)), "nor the same under her name"
    store.products.withdraw("deep@1")
    assert str(added(3, "alice")) == "deep@3"


def test_what_one_person_alone_sees_is_theirs_whoever_made_it(root):
    alice = open_store(root, ALICE)

    def added(rows, owner):
        artifacts = {"put": artifact(alice, rows, mine(ALICE))}
        return alice.products.add("deep", "table", artifacts, "put", owner=owner)

    assert [added(rows, owner).version for rows, owner in ((1, ""), (2, "alice"), (3, ""))] == [
        1, 2, 3]


def test_of_two_who_want_a_new_name_at_once_one_gets_it(store, monkeypatch):
    """Both have looked before either has it."""
    def added(rows, owner, **more):
        return store.products.add(
            "deep", "table", {"put": artifact(store, rows)}, "put", owner=owner, **more)

    def alice_is_faster(latest):
        added(1, "alice")
        return Judgement()

    told = refusal(lambda: added(2, "bob", guard=alice_is_faster))
    assert told.code is Code.PRODUCT_NAME
    assert [version.owner for version in store.products.versions("deep")] == ["alice"]
