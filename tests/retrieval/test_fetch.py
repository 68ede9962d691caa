"""From a survey's name to its table: equal whichever way it came, whole or not at all."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import vstack

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.model.retrieval import FetchLimits, Wanted
from pz_tsm_core.model.survey import Region
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval import fetch, fetch_survey
from pz_tsm_core.store import FetchRecords, open_store
from tests.retrieval.conftest import catalogue, survey_at

FORMATS = {"csv": "ascii.csv", "fits": "fits", "vot": "votable", "ecsv": "ascii.ecsv",
           "parquet": "parquet"}


def as_bytes(table, ending, tmp_path):
    """A table as a file of a format; blank where CSV has no other word for missing."""
    path = tmp_path / f"table.{ending}"
    if ending == "parquet":
        columns = {name: pa.array(np.ma.getdata(table[name]).tolist(),
                                  mask=np.ma.getmaskarray(table[name])) for name in table.colnames}
        pq.write_table(pa.table(columns), path)
    else:
        table.write(path, format=FORMATS[ending], overwrite=True)
    return path.read_bytes()


def publish(web, table, tmp_path, name="table.fits"):
    web.files[name] = as_bytes(table, name.rpartition(".")[2], tmp_path)
    return {"service": "https", "url": web.url(name)}


def rows_of(store, fetched):
    return store.read_table(fetched.ref, "native").to_pandas().sort_values("ID")


def refusal(attempt):
    with pytest.raises(TsmError) as caught:
        attempt()
    return caught.value


def test_a_catalogue_is_the_same_table_in_every_format(web, store, tmp_path):
    contents = {}
    for ending in FORMATS:
        survey = survey_at(publish(web, catalogue(), tmp_path, f"table.{ending}"))
        fetched = fetch_survey(store, survey, reach=Reach(), policy="always")
        contents[ending] = fetched.ref.content
    assert len(set(contents.values())) == 1, contents
    truth, came = catalogue(), rows_of(store, fetched)
    assert came["ID"].tolist() == truth["ID"].tolist()
    assert np.array_equal(came["z"].to_numpy(float), truth["z"], equal_nan=True)
    assert came["Name"].isna().tolist() == (truth["Name"] == "").tolist()
    assert came["Q"].isna().tolist() == truth["Q"].mask.tolist()


def test_an_unchanged_source_costs_one_request(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    first = fetch_survey(store, survey, reach=reach)
    web.requests.clear()
    again = fetch_survey(store, survey, reach=reach)
    assert len(web.requests) == 1
    assert (first.state, again.state) == ("new", "unchanged")
    assert again.version == first.version
    assert again.record.checked >= first.record.checked


def test_a_changed_source_is_the_next_version_and_what_changed_is_told(
    web, store, reach, tmp_path
):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    first = fetch_survey(store, survey, reach=reach)
    publish(web, vstack([catalogue(), catalogue(20, seed=5)]), tmp_path)
    second = fetch_survey(store, survey, reach=reach)
    assert (second.state, second.version.version) == ("changed", 2)
    assert second.remarks == ("rows: 500 before, 520 now (+20)",)
    assert len(store.read_table(first.ref, "native")) == 500  # the first one stays


def test_rewritten_but_equal_rows_are_the_same_version(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    fetch_survey(store, survey, reach=reach)
    publish(web, catalogue()[::-1], tmp_path)  # another order, other bytes
    again = fetch_survey(store, survey, reach=reach)
    assert (again.state, again.version.version) == ("unchanged", 1)


@pytest.mark.parametrize("region", [
    Region(cone=(0.3, -30.0, 0.8)), Region(box=(359.5, 0.7, -30.5, -29.0)),
    Region(cone=(0.0, -90.0, 60.5))])
def test_a_region_is_cut_exactly(web, store, reach, tmp_path, region):
    truth = catalogue()
    survey = survey_at(publish(web, truth, tmp_path))
    fetched = fetch_survey(store, survey, Wanted(region=region), reach=reach)
    if region.cone:
        ra, dec, radius = region.cone
        sky = SkyCoord(truth["RAJ2000"], truth["DEJ2000"], unit="deg")
        inside = sky.separation(SkyCoord(ra, dec, unit="deg")) <= radius * u.deg
    else:
        wrapped = (truth["RAJ2000"] >= 359.5) | (truth["RAJ2000"] <= 0.7)
        inside = wrapped & (truth["DEJ2000"] >= -30.5) & (truth["DEJ2000"] <= -29.0)
    assert 0 < inside.sum() < len(truth)
    assert rows_of(store, fetched)["ID"].tolist() == truth["ID"][inside].tolist()
    balance = store.manifest(fetched.ref).rows
    assert balance.dropped == {"outside_region": int((~inside).sum())}


def test_the_cells_of_a_moc_are_a_region(web, store, reach, tmp_path):
    from mocpy import MOC

    moc = MOC.from_cone(0.3 * u.deg, -30 * u.deg, radius=0.8 * u.deg, max_depth=10)
    truth = catalogue()
    survey = survey_at(publish(web, truth, tmp_path))
    fetched = fetch_survey(store, survey, Wanted(moc=moc.to_string("ascii")), reach=reach)
    inside = moc.contains_lonlat(truth["RAJ2000"] * u.deg, truth["DEJ2000"] * u.deg)
    assert rows_of(store, fetched)["ID"].tolist() == truth["ID"][inside].tolist()


def test_no_more_rows_come_than_are_asked_for(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    fetched = fetch_survey(store, survey, Wanted(rows=7), reach=reach)
    assert len(rows_of(store, fetched)) == fetched.record.given == 7
    assert store.manifest(fetched.ref).rows.dropped == {"beyond_limit": 493}


def test_a_region_without_rows_is_said_and_leaves_nothing(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    wanted = Wanted(region=Region(cone=(180, 60, 1)))
    error = refusal(lambda: fetch_survey(store, survey, wanted, reach=reach))
    assert error.codes == (Code.TABLE_EMPTY,)
    assert store.products.names() == ()


def test_parts_of_a_catalogue_come_together(web, store, reach, tmp_path):
    truth = catalogue()
    places = [{**publish(web, truth[:200], tmp_path, "a.fits"), "part": "a"},
              {**publish(web, truth[200:], tmp_path, "b.csv"), "part": "b"}]
    survey = survey_at(*places)
    fetched = fetch_survey(store, survey, reach=reach)
    assert rows_of(store, fetched)["ID"].tolist() == truth["ID"].tolist()
    assert fetch_survey(store, survey, reach=reach).state == "unchanged"
    publish(web, vstack([truth[200:], catalogue(5, seed=9)]), tmp_path, "b.csv")
    assert fetch_survey(store, survey, reach=reach).record.rows == 505


def test_columns_that_are_not_those_of_the_definition_are_told_together(
    web, store, reach, tmp_path
):
    table = catalogue()
    table.remove_column("Q")
    table["RAJ2000"].unit = "rad"
    table["z"] = table["z"].astype(str)
    survey = survey_at(publish(web, table, tmp_path))
    error = refusal(lambda: fetch_survey(store, survey, reach=reach))
    assert set(error.codes) == {Code.SERVICE_SCHEMA}
    assert "Q" in error.problems[0].where
    table["Q"] = 3
    publish(web, table, tmp_path)
    error = refusal(lambda: fetch_survey(store, survey, reach=reach))
    assert {"`rad`"} <= {word for problem in error.problems for word in problem.found.split()}
    assert store.products.names() == ()


def test_a_value_that_is_none_of_its_column_is_refused(web, store, reach, tmp_path):
    table = catalogue()
    table["Q"] = [*["3"] * 499, "three"]
    survey = survey_at(publish(web, table, tmp_path, "table.csv"))
    error = refusal(lambda: fetch_survey(store, survey, reach=reach))
    assert error.codes == (Code.SERVICE_SCHEMA,)
    assert "three" in str(error)


def test_a_catalogue_that_shrank_is_refused_until_somebody_accepts_it(
    web, store, reach, tmp_path
):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    fetch_survey(store, survey, reach=reach)
    publish(web, catalogue()[:400], tmp_path)
    error = refusal(lambda: fetch_survey(store, survey, reach=reach))
    assert error.codes == (Code.SOURCE_CHANGED,)
    assert fetch_survey(store, survey, reach=reach, policy="never").record.rows == 500
    assert fetch_survey(store, survey, reach=reach, accept=True).version.version == 2


def test_where_nobody_answers_the_store_is_used_and_its_age_said(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    first = fetch_survey(store, survey, reach=reach)
    web.stop()
    kept = fetch_survey(store, survey, reach=reach)
    assert (kept.state, kept.version) == ("offline", first.version)
    assert any("hour old" in remark for remark in kept.remarks)
    error = refusal(lambda: fetch_survey(store, survey, reach=reach, policy="always"))
    assert error.codes == (Code.SERVICE_UNREACHABLE,)


def test_what_was_never_fetched_is_missing_when_nobody_may_be_asked(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    error = refusal(lambda: fetch_survey(store, survey, reach=reach, policy="never"))
    assert error.codes == (Code.SOURCE_MISSING,)
    assert "tsm fetch deep_field" in error.problems[0].remedy
    assert web.requests == []


def test_a_withdrawn_product_counts_as_missing(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    store.products.withdraw(str(fetch_survey(store, survey, reach=reach).version))
    error = refusal(lambda: fetch_survey(store, survey, reach=reach, policy="never"))
    assert error.codes == (Code.SOURCE_MISSING,)
    assert fetch_survey(store, survey, reach=reach).version.version == 2  # asked for by name again


def test_a_damaged_record_or_artifact_is_fetched_anew(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    first = fetch_survey(store, survey, reach=reach)
    record = next((tmp_path / "store" / "sources").rglob("*.json"))
    record.write_text(record.read_text().replace("500", "501"))
    assert fetch_survey(store, survey, reach=reach).state == "new"
    path = store.directory(first.ref) / "native.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-10])
    again = fetch_survey(open_store(tmp_path / "store"), survey, reach=reach)
    assert again.ref == first.ref
    assert len(rows_of(open_store(tmp_path / "store"), again)) == 500


def test_what_is_fetched_for_one_person_is_seen_by_nobody_else(web, tmp_path, reach):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    place = tmp_path / "store"
    mine = open_store(place, Principal(name="me"))
    fetch_survey(mine, survey, reach=reach, access=Access(kind="private", name="me"))
    others = open_store(place, Principal(name="you"))
    assert others.products.names() == ()
    assert FetchRecords(others).get("deep_field") is None
    error = refusal(lambda: fetch_survey(others, survey, reach=reach, policy="never"))
    assert error.codes == (Code.SOURCE_MISSING,)


def test_what_was_fetched_outlives_a_collection(web, store, reach, tmp_path):
    survey = survey_at(publish(web, catalogue(), tmp_path))
    fetched = fetch_survey(store, survey, reach=reach)
    del store
    other = open_store(tmp_path / "store")
    other.collect()
    assert fetch_survey(other, survey, reach=reach, policy="never").ref == fetched.ref


def _fetch_in_child(folder, place, answers):
    limits = FetchLimits(total_seconds=60, per_second=1000)
    fetched = fetch_survey(open_store(folder), survey_at(place), reach=Reach(limits),
                           policy="always")
    answers.put((fetched.ref.content, fetched.version.version))


def test_two_processes_that_fetch_the_same_agree(web, tmp_path):
    place = publish(web, catalogue(5000), tmp_path)
    forked = multiprocessing.get_context("spawn")
    answers = forked.Queue()
    children = [forked.Process(target=_fetch_in_child, args=(tmp_path / "store", place, answers))
                for _ in range(2)]
    for child in children:
        child.start()
    given = {answers.get(timeout=60) for _ in children}
    for child in children:
        child.join()
    assert len(given) == 1


def test_a_fetch_that_is_killed_leaves_the_store_as_it_was(web, tmp_path, store, reach):
    place = publish(web, catalogue(), tmp_path)
    web.held = True
    forked = multiprocessing.get_context("spawn")
    answers = forked.Queue()
    child = forked.Process(target=_fetch_in_child, args=(tmp_path / "store", place, answers))
    child.start()
    assert web.reached.wait(60)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert store.products.names() == ()
    web.held = False
    assert fetch_survey(store, survey_at(place), reach=reach).record.rows == 500
    assert list((tmp_path / "store" / "fetches").glob("*[!k]")) == []  # nothing but locks


def test_what_cannot_be_read_is_told_by_where_it_came_from(web, store, reach):
    web.files["empty.csv"] = b"ID,RAJ2000,DEJ2000,z,Q,Name\n"
    survey = survey_at({"service": "https", "url": web.url("empty.csv")})
    error = refusal(lambda: fetch_survey(store, survey, reach=reach))
    assert error.codes == (Code.TABLE_EMPTY,)
    assert web.url("empty.csv") in error.problems[0].where
    assert "fetches" not in str(error)


def test_an_unknown_survey_keeps_no_other_from_coming(web, store, tmp_path):
    from tests.retrieval.conftest import DEFINITION

    place = publish(web, catalogue(), tmp_path)
    folder = tmp_path / "surveys"
    folder.mkdir()
    said = f'{{service: https, url: "{place["url"]}"}}'
    (folder / "deep_field.yaml").write_text(DEFINITION.format(sources=said))
    error = refusal(lambda: fetch(["nonsense", "deep_field", "gibberish"], survey_path=folder,
                                  store=store))
    assert error.codes == (Code.SURVEY_UNKNOWN, Code.SURVEY_UNKNOWN)
    assert store.products.names() == ("deep_field",)


def test_a_page_is_no_catalogue(store, reach):
    survey = survey_at({"service": "page", "url": "https://example.org/survey"})
    error = refusal(lambda: fetch_survey(store, survey, reach=reach))
    assert error.codes == (Code.SOURCE_NONE,)
    assert "https://example.org/survey" in error.problems[0].remedy


def test_rows_are_streamed_and_not_gathered(store, reach, web, tmp_path):
    """Half a million rows through a fetch grow this process by less than they take as a table."""
    rows = 500_000
    table = pa.table({
        "ID": np.arange(rows), "RAJ2000": np.linspace(0, 359, rows), "DEJ2000": np.zeros(rows),
        "z": np.ones(rows), "Q": np.ones(rows, int), "Name": ["x"] * rows})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    web.files["table.parquet"] = buffer.getvalue()
    survey = survey_at({"service": "https", "url": web.url("table.parquet")})
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    fetched = fetch_survey(store, survey, reach=reach)
    assert fetched.record.rows == rows
    assert pa.total_allocated_bytes() - before < table.nbytes / 4
    assert pool.bytes_allocated() - before < table.nbytes / 4
