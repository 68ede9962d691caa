"""Data for some stays data for some, whatever is made from it."""

from __future__ import annotations

import pytest

from flows.journal import Journal
from flows.pins import pin
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.stages import RETRIEVE
from pz_tsm_core.products import put
from pz_tsm_core.store import open_store
from tasks.stage import Moment, StageEvent

ME = Access(kind="private", name="me")


@pytest.fixture
def private_recipe(mock_recipe):
    """The mock sky's recipe, one survey of which is mine alone."""
    redshifts = mock_recipe.redshifts
    mine = redshifts.surveys[-1].model_copy(update={"access": ME})
    changed = redshifts.model_copy(update={"surveys": (*redshifts.surveys[:-1], mine)})
    return mock_recipe.model_copy(update={"redshifts": changed})


def test_what_is_made_with_private_rows_is_private(run, private_recipe, mock_run, tmp_path) -> None:
    done = run(private_recipe, open_store(tmp_path, Principal(name="me")))
    for label, manifest in done.manifests.items():
        mixed = label.split()[0] not in ("retrieve", "standardize")
        assert (manifest.access == ME) == (mixed or label.endswith("3dhst")), label
        # Equal content, another address: a cache hit tells nobody that I had these rows.
        assert manifest.content == mock_run.manifests[label].content
        assert (manifest.address == mock_run.manifests[label].address) == (
            manifest.access != ME), label
    other = open_store(tmp_path, Principal(name="other"))
    for label in ("combine", "export"):
        with pytest.raises(TsmError) as refused:
            other.find(done.manifests[label].address)
        assert refused.value.codes == (Code.STORE_ACCESS,)
        with pytest.raises(TsmError):
            other.manifest(done.manifests[label].ref)


def test_another_principal_is_refused_before_anything_runs(private_recipe, tmp_path) -> None:
    with pytest.raises(TsmError) as refused:
        pin(private_recipe, open_store(tmp_path, Principal(name="other")))
    assert refused.value.codes == (Code.STORE_ACCESS,)
    assert not (tmp_path / "objects").exists()


def test_a_release_asks_for_its_data_rights(mock_recipe, tmp_path) -> None:
    catalog = mock_recipe.catalog.model_copy(update={"access": None})
    recipe = mock_recipe.model_copy(update={"catalog": catalog})
    with pytest.raises(TsmError, match="--right rubin"):
        pin(recipe, open_store(tmp_path))
    holder = Principal(rights=frozenset({"rubin"}))
    pins = pin(recipe, open_store(tmp_path, holder))
    assert pins.catalog.access == Access(kind="rights", name="rubin")


def test_a_plan_tells_nothing_of_what_another_owner_asked_for(private_recipe, tmp_path) -> None:
    mine, other = (open_store(tmp_path, Principal(name=name)) for name in ("me", "other"))
    for label, access in (("secret", ME), ("open", Access())):
        request = RETRIEVE.request(policy={"columns": [label]}, access=access)
        Journal(mine, "r").hear(StageEvent(label, Moment.DONE, request))
    assert set(Journal(mine, "r").requests()) == {"secret", "open"}
    assert set(Journal(other, "r").requests()) == {"open"}
    Journal(other, "r").hear(StageEvent("open", Moment.DONE, RETRIEVE.request()))
    assert set(Journal(mine, "r").requests()) == {"secret", "open"}


@pytest.mark.parametrize("inside", ["store", "sky"])
def test_output_inside_the_store_or_the_catalogue_is_refused(
    mock_recipe, mock_sky, tmp_path, inside
) -> None:
    folder = {"store": tmp_path / "objects", "sky": mock_sky.objects / "out"}[inside]
    output = mock_recipe.output.model_copy(update={"directory": str(folder)})
    with pytest.raises(TsmError) as refused:
        pin(mock_recipe.model_copy(update={"output": output}), open_store(tmp_path))
    assert refused.value.codes == (Code.RECIPE_BAD_VALUE,)


def put_alices(folder, name):
    """A private table of alice: the version, and its file."""
    file = folder / f"{name}.csv"
    file.write_text(f"RA,DEC,Z\n10.5,-2.25,0.5\n11.0,3.0,0.{len(name)}\n")
    access = Access(kind="private", name="alice")
    return put(file, name, access=access, store=opened(folder, "alice")), file


def opened(folder, name):
    return open_store(folder / "store", Principal(name=name))


def test_a_private_table_is_served_to_nobody_else_by_no_verb(tmp_path) -> None:
    version, _ = put_alices(tmp_path, "secret")
    bob, ref = opened(tmp_path, "bob"), version.ref
    public = ref.model_copy(update={"access": Access()})  # a reference may say what it likes
    for call in (
        lambda: bob.find(ref.address),
        lambda: bob.manifest(public),
        lambda: bob.peek(public),
        lambda: bob.directory(public),
        lambda: bob.schema(public, "native"),
        lambda: bob.read_table(public, "native"),
        lambda: list(bob.batches(public, "native")),
        lambda: bob.verify(version),
        lambda: bob.products.add("mine", "table", {"put": public}, "put"),
    ):
        with pytest.raises(TsmError) as refused:
            call()
        assert refused.value.codes == (Code.STORE_ACCESS,)
    for text in ("secret", "secret@1", "secret@latest"):
        with pytest.raises(TsmError) as refused:
            bob.products.get(text)
        assert refused.value.codes == (Code.PRODUCT_UNKNOWN,)
    assert bob.products.list() == ()
    assert bob.products.names() == ()


def test_the_same_file_put_by_another_is_no_cache_hit(tmp_path) -> None:
    hers, file = put_alices(tmp_path, "secret")
    bob = opened(tmp_path, "bob")
    for name, access in (("open", Access()), ("his", Access(kind="private", name="bob"))):
        version = put(file, name, access=access, store=bob)
        assert version.ref.address != hers.ref.address
        assert bob.read_table(version.ref, "native").num_rows == 2
    assert [str(each) for each in bob.products.list()] == ["his@1", "open@1"]
    listed = opened(tmp_path, "alice").products.list()
    assert [str(each) for each in listed] == ["open@1", "secret@1"]


def test_a_recipe_of_another_cannot_name_a_private_table(mock_recipe, tmp_path) -> None:
    version, _ = put_alices(tmp_path, "secret")
    alice, bob = opened(tmp_path, "alice"), opened(tmp_path, "bob")
    table = {"name": "theirs", "product": "secret", "columns": {"ra": "RA", "dec": "DEC", "z": "Z"}}
    content = mock_recipe.model_dump(mode="json")
    content["redshifts"]["tables"] = [table]
    recipe = Recipe.model_validate(content)
    with pytest.raises(TsmError) as refused:
        pin(recipe, bob)
    assert refused.value.codes == (Code.PRODUCT_UNKNOWN,)
    assert "one of its versions" not in str(refused.value)
    assert pin(recipe, alice).sources[-1].native == version.ref
    by_address = mock_recipe.redshifts.model_copy(
        update={"surveys": (), "tables": (), "compilation": version.ref.address})
    with pytest.raises(TsmError) as refused:
        pin(mock_recipe.model_copy(update={"redshifts": by_address}), bob)
    assert refused.value.codes == (Code.STORE_MISSING,)
    assert "alice" not in str(refused.value)


def test_what_another_collects_keeps_and_never_tells_a_private_table(tmp_path) -> None:
    kept, _ = put_alices(tmp_path, "secret")
    loose, _ = put_alices(tmp_path, "withdrawn")
    opened(tmp_path, "alice").products.withdraw("withdrawn")
    for dry_run in (True, False):
        told = repr(opened(tmp_path, "bob").collect(dry_run=dry_run))
        for word in ("alice", "secret", kept.ref.address, loose.ref.address):
            assert word not in told
    alice = opened(tmp_path, "alice")
    assert alice.read_table(alice.products.get("secret").ref, "native").num_rows == 2
    assert alice.find(loose.ref.address) is None


def test_a_stray_file_in_the_store_is_in_nobodys_way(run, mock_recipe, tmp_path) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / ".DS_Store").touch()
    assert open_store(tmp_path).find("0" * 64) is None
