"""What the flows of a service do on behalf of somebody: whose results, where, under which name."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from flows import serving
from flows.compile_redshifts import compile_redshifts
from flows.maintain_store import maintain_store
from flows.make_training_set import make_training_set
from flows.seen import _waits
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock.own import write_own_table
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.products import put
from pz_tsm_core.service import CompilationRequest, MaintenanceRequest, TrainingSetRequest
from pz_tsm_core.store import open_store
from tasks.stage import _opened

TABLE = "name,ra,dec,z\nA,10.0,-5.0,0.5\nB,10.1,-5.1,0.6\n"
COLUMNS = "{id: name, ra: ra, dec: dec, z: z}"
ALICE = Principal(name="alice")


@pytest.fixture
def results(folder, site, prefect_client_settings):
    """Folder of what is handed over at a service with two tables, of which one is Alice's alone."""
    (folder / "table.csv").write_text(TABLE)
    where = folder / "store"
    put(folder / "table.csv", "ours", store=where)
    put(folder / "table.csv", "hers", store=open_store(where, ALICE),
        access=Access(kind="private", name="alice"))
    return folder / "results"


def asked(**more):
    return CompilationRequest.model_validate(
        {"name": "deep", "owner": "alice", "tables": [{"table": "ours"}]} | more)


def files(results) -> set[str]:
    return {str(path.parent.relative_to(results)) for path in Path(results).rglob("report.html")}


@pytest.mark.parametrize("more", [
    {"private": True},
    {"tables": [{"table": "hers"}]},
    {"tables": [], "more": f"redshifts: {{tables: [{{name: hers, product: hers, "
                           f"columns: {COLUMNS}}}]}}"},
], ids=["asked for", "of a private table", "of one that is named in more"])
def test_what_is_for_one_person_is_handed_over_apart(more, results, store) -> None:
    compile_redshifts(asked(**more))
    assert files(results) == {"private/alice/deep"}
    assert open_store(store, ALICE).products.get("deep").access.kind == "private"
    compile_redshifts(asked(**more))  # the same again is no other name
    with pytest.raises(TsmError):
        open_store(store, Principal(name="bob")).products.get("deep")


def test_what_is_made_of_a_private_compilation_is_handed_over_apart(results) -> None:
    compile_redshifts(asked(tables=[{"table": "hers"}]))
    compile_redshifts(asked(name="more", compilation="deep@latest"))
    assert files(results) == {"private/alice/deep", "private/alice/more"}


def test_a_name_belongs_to_whoever_had_it_first(results, store) -> None:
    compile_redshifts(asked())
    compile_redshifts(asked(combine={"radius_arcsec": 2.0}))
    assert files(results) == {"alice/deep"}
    with pytest.raises(TsmError) as told:
        compile_redshifts(asked(owner="bob"))
    assert told.value.codes == (Code.PRODUCT_NAME,)
    assert "alice" in told.value.problems[0].found
    compile_redshifts(asked(owner="bob", name="deeper"))
    compile_redshifts(asked(owner="bob", name="other", private=True))
    assert files(results) == {"alice/deep", "bob/deeper", "private/bob/other"}


def test_who_was_killed_once_the_result_had_its_name_has_it_still(results, monkeypatch) -> None:
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("flows.seen.View.result", killed)
        with pytest.raises(KeyboardInterrupt):
            compile_redshifts(asked())
    compile_redshifts(asked())
    with pytest.raises(TsmError):
        compile_redshifts(asked(owner="bob"))


def test_what_one_person_sees_takes_no_name_from_others(results) -> None:
    compile_redshifts(asked(tables=[{"table": "hers"}]))
    for _ in range(2):
        compile_redshifts(asked(owner="bob"))
    compile_redshifts(asked(tables=[{"table": "hers"}]))
    assert files(results) == {"private/alice/deep", "bob/deep"}


def test_what_was_made_without_the_service_is_its_operators(results, store) -> None:
    with pytest.raises(TsmError) as told:
        compile_redshifts(asked(name="ours"))
    assert told.value.codes == (Code.PRODUCT_NAME,)


def test_a_name_that_is_public_is_refused_to_a_private_result_before_the_work(results, store
                                                                              ) -> None:
    compile_redshifts(asked())
    made = sorted(store.glob("objects/*/*/*"))
    with pytest.raises(TsmError) as told:
        compile_redshifts(asked(private=True, combine={"radius_arcsec": 3.0}))
    assert told.value.codes == (Code.PRODUCT_NAME,)
    assert sorted(store.glob("objects/*/*/*")) == made


def test_a_training_set_that_is_guarded_waits_where_fewer_galaxies_have_an_object(
    folder, site, mock_sky, store, prefect_client_settings, monkeypatch
) -> None:
    site.write_text(site.read_text() + f"""
dust: {mock_sky.root}/dust
guard: {{matched_fall: 0.01}}
catalogs:
  mock: {{path: {mock_sky.root}/object_collection, release: dp1, access: {{kind: public}}}}
""")
    write_own_table(mock_sky)
    put(mock_sky.root / "my_redshifts.csv", "mine", store=store)
    told = []
    monkeypatch.setattr(serving, "emit_event", lambda event, **more: told.append(more["payload"]))

    def made(radius_arcsec):
        make_training_set(TrainingSetRequest.model_validate({
            "name": "set", "owner": "alice", "tables": [{"table": "mine"}], "guarded": True,
            "photometry": {"catalog": "mock", "dust_map": "none"},
            "match": {"radius_arcsec": radius_arcsec}}))

    made(1.0)
    made(0.05)
    products = open_store(store).products
    assert str(products.get("set")) == "set@1"
    waiting, = products.candidates("set")
    assert "match.fraction" in {each.name for each in waiting.judgement.failed}
    assert [each["product"] for each in told] == ["set@2"]
    assert files(folder / "results") == {"alice/set/1", "alice/set/2"}
    products.withdraw("set@2")
    maintain_store(MaintenanceRequest())
    assert files(folder / "results") == {"alice/set/1"}


def test_of_what_waits_and_is_private_no_figure_is_told(
    results, folder, site, monkeypatch, store
) -> None:
    told = []
    monkeypatch.setattr(serving, "emit_event", lambda event, **more: told.append(more["payload"]))
    compile_redshifts(asked(private=True, guarded=True))
    (folder / "table.csv").write_text(TABLE.splitlines()[0] + "\nC,200.0,5.0,0.5\n")
    put(folder / "table.csv", "ours", store=store)
    compile_redshifts(asked(private=True, guarded=True))
    waiting, = open_store(store, ALICE).products.candidates("deep")
    assert waiting.judgement.failed
    payload, = told
    assert payload["reason"] == "Its report says why, for its owner alone."
    words = "\n".join(_waits(waiting))
    assert "tsm promote deep@2 --principal alice" in words
    assert not [each.words for each in waiting.judgement.failed if each.words in words]


def test_maintenance_keeps_what_a_run_that_failed_may_need(results, store) -> None:
    compile_redshifts(asked())
    open_store(store).products.withdraw("deep@1")
    made = sorted(store.glob("objects/combine/*/*"))
    _opened.cache_clear()  # what an open store has used is kept in any case
    gc.collect()
    maintain_store(MaintenanceRequest())
    assert sorted(store.glob("objects/combine/*/*")) == made
    maintain_store(MaintenanceRequest(keep_days=0, dry_run=True))
    assert sorted(store.glob("objects/combine/*/*")) == made
    maintain_store(MaintenanceRequest(keep_days=0))
    assert sorted(store.glob("objects/combine/*/*")) == []
