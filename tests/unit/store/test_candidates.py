"""A candidate is there for whoever names it, and `latest` passes it by until it is promoted."""

import shutil
from pathlib import Path

import pytest

from pz_tsm_core.errors import Code
from pz_tsm_core.model.artifact import PUBLIC, Access, Principal
from pz_tsm_core.model.guard import Finding, Judgement
from pz_tsm_core.store import open_store
from tests.unit.store.test_products import ALICE, BOB, CAROL, RUBIN, artifact, mine, refusal

RECORDS = Path(__file__).parent / "records"
GOOD = Judgement(findings=(Finding(name="survey.rows", passed=True),))
BAD = Judgement(findings=(Finding(name="survey.rows", passed=False),))


def add(store, rows, **how):
    return store.products.add("deep", "table", {"put": artifact(store, rows)}, "put", **how)


def named(versions):
    return [version.version for version in versions]


@pytest.fixture
def store(root):
    return open_store(root)


@pytest.fixture
def here(tmp_path):
    """A store on disk, for what does not depend on the place."""
    return open_store(tmp_path / "store")


def test_latest_passes_a_candidate_by_until_it_is_promoted(store, root):
    first, second = add(store, 1), add(store, 2, candidate=True)
    products = store.products
    assert (second.version, second.waits) == (2, True)
    assert products.get("deep") == products.get("deep@latest") == first
    assert products.get("deep@2") == second
    assert named(products.list()) == [2, 1]
    assert products.candidates("deep") == (second,)
    promoted = products.promote("deep@2")
    assert (promoted.version, promoted.waits, promoted.promoted.by) == (2, False, "local")
    assert open_store(root).products.get("deep") == promoted == products.get("deep@2")
    assert products.candidates("deep") == ()
    assert (root / "products/public/deep/2/manifest.json").exists(), "nothing changed in place"


def test_two_promoters_are_harmless(store, root):
    add(store, 1)
    add(store, 2, candidate=True)
    other = open_store(root, BOB)
    first = store.products.promote("deep@2")
    assert other.products.promote("deep@2") == first, "the first decision stands"
    assert other.products.get("deep").promoted.by == "local"


def test_two_promoters_at_once_leave_one_decision(here, monkeypatch):
    add(here, 1, candidate=True)
    records = type(here.products._records)
    append = records.append

    def late(self, version):
        if version.promoted and version.promoted.by == "bob":
            monkeypatch.undo()
            here.products.promote("deep@1")
        return append(self, version)

    monkeypatch.setattr(records, "append", late)
    bob = open_store(here.location, BOB)
    assert bob.products.promote("deep@1").promoted.by == "local"


def test_a_name_without_a_number_promotes_the_newest_that_waits(here):
    add(here, 1)
    for rows in (2, 3):
        add(here, rows, candidate=True)
    assert here.products.promote("deep").version == 3
    problem = refusal(lambda: here.products.promote("deep"))
    assert (problem.code, problem.found) == (Code.PRODUCT_UNKNOWN, "no candidate that waits")


def test_what_is_the_latest_already_is_promoted_without_a_change(here):
    version = add(here, 1)
    assert here.products.promote("deep@1") == version


def test_what_a_newer_version_has_passed_by_is_promoted_no_more(here):
    add(here, 1)
    add(here, 2, candidate=True)
    add(here, 3)
    products = here.products
    for ref in ("deep@1", "deep@2"):
        problem = refusal(lambda ref=ref: products.promote(ref))
        assert (problem.code, problem.where) == (Code.PRODUCT_SUPERSEDED, ref)
        assert "tsm products withdraw deep@3" in problem.remedy
    assert products.candidates("deep") == ()
    assert named(products.list()) == [3, 2, 1]
    products.withdraw("deep@3")
    assert named(products.candidates("deep")) == [2]
    assert products.get("deep").version == 1
    assert products.promote("deep@2").version == products.get("deep").version == 2


def test_a_candidate_is_withdrawn_promoted_or_not(here):
    add(here, 1)
    for rows, ref in ((2, "deep@2"), (3, "deep@3")):
        add(here, rows, candidate=True)
        if rows == 3:
            here.products.promote(ref)
        here.products.withdraw(ref)
        assert refusal(lambda ref=ref: here.products.get(ref)).code == Code.PRODUCT_UNKNOWN
        assert here.products.get("deep").version == 1
        assert refusal(lambda ref=ref: here.products.promote(ref)).code == Code.PRODUCT_UNKNOWN


def test_where_all_wait_there_is_no_latest(here):
    add(here, 1, candidate=True)
    problem = refusal(lambda: here.products.get("deep"))
    assert (problem.code, problem.found) == (Code.PRODUCT_UNKNOWN, "candidates alone")
    assert "tsm promote deep" in problem.remedy
    assert here.products.names() == ("deep",)
    assert add(here, 2).version == here.products.get("deep").version == 2


def test_a_candidate_that_says_the_same_is_no_new_version(here):
    first, waiting = add(here, 1), add(here, 2, candidate=True)
    assert add(here, 1, candidate=True) == first, "as the latest"
    assert add(here, 2, candidate=True) == waiting, "as the one that waits"
    assert add(here, 2).version == 3, "but who asks for no candidate gets a version of their own"
    assert here.products.get("deep").version == 3


def test_a_guard_decides_and_its_judgement_stays_with_the_version(store, root):
    asked = []

    def guard(former):
        asked.append(former)
        return BAD if former else GOOD

    first = add(store, 1, guard=guard)
    assert (first.waits, first.judgement) == (False, GOOD)
    assert add(store, 1, guard=guard) == first, "equal content is not judged again"
    second = add(store, 2, guard=guard)
    assert (second.waits, asked) == (True, [None, first])
    kept = open_store(root).products.get("deep@2")
    assert (kept, kept.judgement.failed) == (second, BAD.findings)
    assert store.products.promote("deep").judgement == BAD


def test_a_guard_is_asked_again_when_another_version_came_meanwhile(here):
    add(here, 1)
    former = []

    def guard(latest):
        former.append(latest.version)
        if len(former) == 1:
            add(here, 2)
        return GOOD

    assert add(here, 3, guard=guard).version == 3
    assert former == [1, 2]


def test_a_good_judgement_does_not_release_who_is_told_to_wait(here):
    assert add(here, 1, candidate=True, guard=lambda former: GOOD).waits


def test_what_a_candidate_rests_on_is_kept_until_it_is_withdrawn(root):
    add(open_store(root), 1)
    ref = add(open_store(root), 2, candidate=True).ref
    open_store(root).collect()
    assert open_store(root).find(ref.address)
    open_store(root).products.promote("deep@2")
    open_store(root).collect()
    assert open_store(root).find(ref.address)
    open_store(root).products.withdraw("deep@2")
    assert [each.address for each in open_store(root).collect().removed] == [ref.address]


def test_a_damaged_candidate_hides_neither_itself_nor_what_it_may_be(tmp_path):
    store = open_store(tmp_path)
    add(store, 1)
    add(store, 2, candidate=True)
    file = tmp_path / "products/public/deep/2/manifest.json"
    file.chmod(0o644)
    file.write_text("{}")
    assert refusal(lambda: store.products.get("deep")).code == Code.STORE_CORRUPT
    assert store.products.get("deep@1").version == 1
    assert store.products.candidates("deep") == ()
    assert add(store, 1).version == 3, "whether 1 is the latest cannot be known"


def test_records_of_the_first_schema_are_read(tmp_path):
    for folder in ("1", "2", "2-withdrawn"):
        target = tmp_path / "products/public/deep" / folder
        target.mkdir(parents=True)
        shutil.copy(RECORDS / f"schema_1_deep_{folder}.json", target / "manifest.json")
    first = open_store(tmp_path).products.get("deep")
    assert (str(first), first.waits, first.judgement) == ("deep@1", False, None)
    assert [each.withdrawn for each in open_store(tmp_path).products.versions("deep")] == [
        True, False]


def test_a_version_may_be_for_fewer_than_its_artifacts(root):
    alice = open_store(root, ALICE)
    version = alice.products.add("hers", "table", {"put": artifact(alice, 1)}, "put",
                                 access=mine(ALICE))
    assert version.access == mine(ALICE)
    assert alice.products.get("hers") == version
    bob = open_store(root, BOB)
    assert bob.products.list() == ()
    assert refusal(lambda: bob.products.get("hers")).found == "no product of this name"
    bob.read_table(version.ref, "native")  # what is shared by content stays shared
    open_store(root).collect()
    assert open_store(root, ALICE).find(version.ref.address)


@pytest.mark.parametrize(("own", "wanted"), [
    (mine(CAROL), PUBLIC), (RUBIN, PUBLIC), (mine(CAROL), RUBIN),
    (RUBIN, Access(kind="rights", name="other")), (PUBLIC, mine(BOB)),
])
def test_nobody_names_for_more_or_for_others(tmp_path, own, wanted):
    carol = open_store(tmp_path, CAROL)
    refs = {"put": artifact(carol, 1, own)}
    problem = refusal(lambda: carol.products.add("deep", "table", refs, "put", access=wanted))
    assert problem.code == Code.STORE_ACCESS
    assert open_store(tmp_path, Principal(name="bob")).products.list() == ()


def test_what_is_bound_by_a_right_may_be_named_for_its_holder_alone(tmp_path):
    carol = open_store(tmp_path, CAROL)
    refs = {"put": artifact(carol, 1, RUBIN)}
    assert carol.products.add("deep", "table", refs, "put", access=mine(CAROL)).access == (
        mine(CAROL))
