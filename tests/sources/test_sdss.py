"""SkyServer's protocol against replays: recorded replies, and a stand-in with a database behind it.

No test speaks to SkyServer. The recorded replies come with astroquery; the stand-in carries out the
SQL it is sent and writes CSV and JSON as the published source of the service does
(sciserver/SkyServerWS, OutputUtils.cs), with its limit on rows.
"""

import json
import re
import sqlite3
from dataclasses import replace
from math import floor

import numpy as np
import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.retrieval import ColumnSaid, FetchLimits, Wanted
from pz_tsm_core.model.survey import Region, Source
from pz_tsm_core.readers import read_table
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval import fetch_survey
from pz_tsm_core.sources import Ask, service
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys import get_survey
from tests.sources.replay import Reply, recorded, replaying

COUNT = 3000
TYPES = {"specObjID": "numeric", "ra": "float", "dec": "float", "z": "real", "zErr": "real",
         "zWarning": "int", "class": "varchar", "sciencePrimary": "smallint"}
NAMES = {"SPECOBJID": "specObjID", "PLUG_RA": "ra", "PLUG_DEC": "dec", "Z": "z", "Z_ERR": "zErr",
         "ZWARNING": "zWarning", "CLASS": "class", "SPECPRIMARY": "sciencePrimary"}


def spectra() -> list[tuple]:
    """Spectra all over the sky, more than half of them within ten degrees; one without a class."""
    random = np.random.default_rng(17)
    ra = np.where(np.arange(COUNT) % 3, random.uniform(180, 190, COUNT),
                  random.uniform(0, 360, COUNT))
    dec = np.degrees(np.arcsin(random.uniform(-1, 1, COUNT)))
    z = random.uniform(0, 2, COUNT).astype(np.float32)
    return [(str(2**63 + n), float(ra[n]), float(dec[n]), float(z[n]), 1e-5 * (n + 1), n % 3 * 4,
             ["GALAXY", "QSO, broad", "STAR", ""][n % 4], n % 2) for n in range(COUNT)]


class SkyServer:
    """A stand-in: SQLite behind the published interface.

    Parameters
    ----------
    most : rows that it gives at most
    """

    def __init__(self, most: int = 1000):
        self.most = most
        self.sql = []
        self.base = sqlite3.connect(":memory:", check_same_thread=False)
        self.base.create_function("FLOOR", 1, lambda x: None if x is None else float(floor(x)))
        columns = ", ".join(f"[{name}] {'TEXT' if kind in ('numeric', 'varchar') else 'REAL'}"
                            if kind not in ("int", "smallint") else f"[{name}] INTEGER"
                            for name, kind in TYPES.items())
        self.base.execute(f"CREATE TABLE SpecObjAll ({columns})")
        self.base.executemany("INSERT INTO SpecObjAll VALUES (?, ?, ?, ?, ?, ?, ?, ?)", spectra())

    def __call__(self, question):
        sql = " ".join(question.arguments["cmd"].split())
        self.sql.append(sql)
        names, rows = self.carry_out(sql)
        if question.arguments["format"] == "json":
            return Reply(json.dumps([{"TableName": "Table1", "Rows": [
                dict(zip(names, row, strict=True)) for row in rows]}]).encode())
        lines = [",".join(self.cell(sql, name, value)
                          for name, value in zip(names, row, strict=True)) for row in rows]
        return Reply("\n".join(["#Table1", ",".join(names), *lines, ""]).encode(),
                     type="text/plain", counted=False)

    def carry_out(self, sql):
        if "dbo.fDocColumns('SpecObjAll')" in sql:
            return ("name", "type", "unit"), [
                (name, kind, "deg" if name in ("ra", "dec") else "no unit")
                for name, kind in TYPES.items()]
        if "dbo.fDocColumns(" in sql:
            return ("name", "type", "unit"), []
        top = re.match(r"SELECT TOP (\d+) ", sql)
        if top and int(top[1]) > self.most:
            return ("error_message",), [(f"error: limit is  top {self.most} ",)]
        limit = int(top[1]) if top else self.most
        found = self.base.execute(re.sub(r"^SELECT TOP \d+", "SELECT", sql) + f" LIMIT {limit}")
        return [one[0] for one in found.description], found.fetchall()

    @staticmethod
    def cell(sql, name, value):
        """As .NET writes it: seven digits of a real, fifteen of a float; no escape for quotes."""
        if value is None:
            return ""
        if isinstance(value, float):
            cast = TYPES.get(name) != "real" or f"CAST([{name}] AS float)" in sql
            return f"{value:.15g}" if cast else f"{value:.7g}"
        return f'"{value}"' if isinstance(value, str) and "," in value else str(value)


@pytest.fixture
def skyserver(tmp_path, monkeypatch):
    with replaying(SkyServer(), tmp_path, monkeypatch) as replay:
        yield replay


def asking(skyserver, wanted=None, **changes):
    place = Source(service="sdss", table="SpecObjAll", release="17",
                   url=f"https://{skyserver.address}", columns=NAMES)
    ask = Ask(place, NAMES, wanted or Wanted(), ("ra", "dec"))
    return replace(ask, **changes)


def reach(**limits):
    return Reach(FetchLimits(**{"retries": 2, "per_second": 500, "piece_rows": 400, **limits}))


def pulled(ask, folder, **limits):
    there = service("sdss", reach(**limits))
    offer = there.look(ask)
    return offer, list(there.pull(ask, offer, folder))


def rows_of(pieces):
    return [row for piece in pieces
            for row in read_table(piece.path, format=piece.format).to_pylist()]


# Recorded replies


def test_recorded_columns_of_the_service_say_type_and_unit(skyserver):
    recorded_columns = recorded("sdss/data/SpecObjAll_dr12.json")
    counts = b'[{"TableName": "Table1", "Rows": [{"ra": 150, "n": 7}]}]'
    skyserver.first.extend([Reply(recorded_columns), Reply(counts)])
    offer = service("sdss", reach()).look(asking(skyserver))
    assert offer.rows == 7
    assert offer.columns["ra"] == ColumnSaid(kind="float", unit="deg")
    assert offer.columns["specObjID"] == ColumnSaid(kind="int")
    assert offer.columns["class"] == ColumnSaid(kind="text")
    assert offer.columns.keys() == set(NAMES.values())


def test_a_recorded_page_is_read_with_whole_ids(skyserver, tmp_path):
    page = recorded("sdss/tests/data/xid_im.txt")
    there = service("sdss", reach())
    ask = asking(skyserver)
    plan = replace(there.look(ask), pages=(there.look(ask).pages[0]._replace(rows=18),))
    skyserver.first.append(Reply(page, type="text/plain"))
    (piece,) = there.pull(ask, plan, tmp_path)
    table = read_table(piece.path, format=piece.format, columns=["objid", "ra"])
    assert table["objid"][0].as_py() == 1237653651835781245
    assert table["ra"][0].as_py() == 2.02344282607


# Stand-in


def test_a_catalogue_larger_than_the_service_gives_comes_whole_in_pages(skyserver, tmp_path):
    offer, pieces = pulled(asking(skyserver), tmp_path)
    assert offer.rows == COUNT == sum(piece.rows for piece in pieces) > skyserver.answer.most
    assert all(piece.rows <= 400 for piece in pieces)
    rows = rows_of(pieces)
    assert sorted(row["specObjID"] for row in rows) == sorted(int(row[0]) for row in spectra())


def test_ids_of_64_bits_and_redshifts_of_32_come_without_a_change(skyserver, tmp_path):
    _, pieces = pulled(asking(skyserver), tmp_path)
    came = {row["specObjID"]: row for row in rows_of(pieces)}
    for identity, ra, dec, z, *_ in spectra():
        row = came[int(identity)]
        assert np.float32(row["z"]) == np.float32(z)
        assert row["ra"] == pytest.approx(ra, rel=1e-14, abs=1e-13)
        assert row["dec"] == pytest.approx(dec, rel=1e-14, abs=1e-13)


@pytest.mark.parametrize("wanted", [
    Wanted(region=Region(cone=(185.0, 2.0, 8.0))),
    Wanted(region=Region(box=(350.0, 20.0, -60.0, 60.0))),
    Wanted(region=Region(cone=(10.0, 89.0, 12.0))),
    Wanted(moc="1/3 7 12"),
], ids=["cone", "across 0", "pole", "moc"])
def test_a_region_in_the_store_holds_the_rows_that_lie_in_it(skyserver, tmp_path, wanted):
    survey = get_survey("sdss_dr17").model_copy(
        update={"sources": (asking(skyserver).place,)})
    store = open_store(tmp_path / "store")
    whole = store.read_table(fetch_survey(store, survey, reach=reach()).ref, "native")
    part = fetch_survey(store, survey, wanted, reach=reach())
    kept = store.read_table(part.ref, "native").to_pylist()
    expected = {row["SPECOBJID"] for row in whole.to_pylist()
                if inside_of(wanted, row["PLUG_RA"], row["PLUG_DEC"])}
    assert 0 < len(expected) < len(whole) == COUNT
    assert {row["SPECOBJID"] for row in kept} == expected
    assert part.record.rows < COUNT


def inside_of(wanted, ra, dec) -> bool:
    if wanted.moc:
        from astropy import units as u
        from mocpy import MOC

        return bool(MOC.from_string(wanted.moc, "ascii").contains_lonlat([ra] * u.deg,
                                                                         [dec] * u.deg)[0])
    if wanted.region.box:
        first, last, low, high = wanted.region.box
        return (ra - first) % 360 <= (last - first) % 360 and low <= dec <= high
    x, y, radius = np.radians(wanted.region.cone)
    cosine = (np.sin(y) * np.sin(np.radians(dec))
              + np.cos(y) * np.cos(np.radians(dec)) * np.cos(np.radians(ra) - x))
    return np.arccos(np.clip(cosine, -1, 1)) <= radius


def test_a_few_rows_are_asked_for_as_a_few(skyserver, tmp_path):
    offer, pieces = pulled(asking(skyserver, Wanted(rows=450)), tmp_path)
    assert offer.rows == 450 == len(rows_of(pieces))
    assert len(pieces) == 2


def test_pages_of_a_former_try_are_not_asked_for_again(skyserver, tmp_path):
    there, ask = service("sdss", reach(retries=0)), asking(skyserver)
    offer = there.look(ask)
    pieces = there.pull(ask, offer, tmp_path)
    began = [next(pieces), next(pieces)]
    skyserver.first.append(Reply(b"no", status=503))
    with pytest.raises(TransientError):
        next(pieces)
    asked = len(skyserver.asked)
    rest = list(there.pull(ask, offer, tmp_path))
    assert rest[:2] == began
    assert len(skyserver.asked) - asked == len(rest) - 2
    assert sum(piece.rows for piece in rest) == COUNT


def test_rows_without_a_place_are_not_forgotten(skyserver, tmp_path):
    skyserver.answer.base.execute("UPDATE SpecObjAll SET ra = NULL WHERE zWarning = 8")
    offer, pieces = pulled(asking(skyserver), tmp_path, piece_rows=1000)
    assert offer.rows == COUNT
    assert sum(row["ra"] is None for row in rows_of(pieces)) == COUNT // 3


def test_a_table_without_plain_positions_comes_in_one_page(skyserver, tmp_path):
    skyserver.answer.most = COUNT
    offer, (piece,) = pulled(asking(skyserver, position=None), tmp_path)
    assert offer.rows == piece.rows == COUNT == len(rows_of([piece]))


def test_more_than_one_request_may_give_is_refused_before_it_is_asked_for(skyserver):
    counts = b'[{"Rows": [{"ra": 150, "n": 500001}]}]'
    columns = skyserver.answer.carry_out("dbo.fDocColumns('SpecObjAll')")
    described = json.dumps([{"Rows": [dict(zip(columns[0], row, strict=True))
                                      for row in columns[1]]}])
    skyserver.first.extend([Reply(described.encode()), Reply(counts)])
    with pytest.raises(TsmError) as refusal:
        service("sdss", reach()).look(asking(skyserver))
    assert refusal.value.codes == (Code.SERVICE_INCOMPLETE,)


def test_every_request_names_the_release_and_who_asks(skyserver, tmp_path):
    pulled(asking(skyserver), tmp_path)
    for question in skyserver.asked:
        assert question.path == "/dr17/en/tools/search/x_results.aspx"
        assert question.arguments["searchtool"] == "SQL"
        assert question.agent.startswith("pz-tsm/")
    assert len(skyserver.asked) == 2 + len(list(tmp_path.glob("*.csv")))


# Mistakes and faults


@pytest.mark.parametrize("release", ["", "9", "seventeen"])
def test_a_release_must_be_named(skyserver, release):
    place = asking(skyserver).place.model_copy(update={"release": release})
    with pytest.raises(TsmError) as refusal:
        service("sdss", reach()).look(asking(skyserver, place=place))
    assert refusal.value.codes == (Code.SERVICE_SCHEMA,)
    assert "release" in str(refusal.value)
    assert not skyserver.asked


@pytest.mark.parametrize("name", ["SpecObjAll; DROP TABLE x", "z] FROM x --", "a'b", ""])
def test_a_name_that_is_more_than_a_name_is_never_sent(skyserver, name):
    place = asking(skyserver).place.model_copy(update={"table": name})
    with pytest.raises(TsmError) as refusal:
        service("sdss", reach()).look(asking(skyserver, place=place))
    assert refusal.value.codes == (Code.SERVICE_SCHEMA,)
    assert not skyserver.asked


def test_a_table_that_is_not_there_is_told(skyserver):
    place = asking(skyserver).place.model_copy(update={"table": "SpecObjNone"})
    with pytest.raises(TsmError) as refusal:
        service("sdss", reach()).look(asking(skyserver, place=place))
    assert refusal.value.codes == (Code.SERVICE_SCHEMA,)


def test_a_column_that_is_not_there_is_told_before_rows_are_counted(skyserver, tmp_path):
    place = asking(skyserver).place
    other = place.model_copy(update={"columns": {**NAMES, "PLUG_RA": "plug_ra"}})
    survey = get_survey("sdss_dr17").model_copy(update={"sources": (other,)})
    with pytest.raises(TsmError) as refusal:
        fetch_survey(open_store(tmp_path / "store"), survey, reach=reach())
    assert refusal.value.codes == (Code.SERVICE_SCHEMA,)
    assert "plug_ra" in str(refusal.value)
    assert len(skyserver.asked) == 1


def test_a_service_that_counts_our_queries_is_given_time(skyserver):
    skyserver.first.append(Reply(b'[{"Rows": [{"error_message": "ERROR: Maximum 60 queries allowed '
                                 b'per minute. Rejected query: select"}]}]'))
    assert service("sdss", reach()).look(asking(skyserver)).rows == COUNT


def test_what_the_service_says_of_a_query_is_told(skyserver, tmp_path):
    there, ask = service("sdss", reach()), asking(skyserver)
    offer = there.look(ask)
    skyserver.answer.most = 10
    with pytest.raises(TsmError) as refusal:
        list(there.pull(ask, offer, tmp_path))
    assert refusal.value.codes == (Code.SERVICE_REFUSED,)
    assert not isinstance(refusal.value, TransientError)
    assert "limit is" in str(refusal.value)


PAGE = Reply(b"<!DOCTYPE html><html><head><title>Down for maintenance</title></head></html>")


def cut(at):
    """A page without length that ends so many bytes too early."""
    return lambda whole: replace(whole, body=whole.body[:at])


@pytest.mark.parametrize("fault", [
    lambda _: Reply(b"busy", status=503), lambda _: PAGE, lambda _: Reply(b""), cut(-1), cut(-200),
    lambda _: Reply(b"#Table1\nspecObjID,ra\n"),
], ids=["503", "page", "nothing", "the last sign", "some rows", "no rows"])
def test_after_a_fault_that_passes_the_page_comes_all_the_same(skyserver, tmp_path, fault):
    there, ask = service("sdss", reach()), asking(skyserver, Wanted(rows=300))
    offer = there.look(ask)
    (whole,) = there.pull(ask, offer, tmp_path)
    body = whole.path.read_bytes()
    whole.path.unlink()
    skyserver.first.append(fault(Reply(body, counted=False)))
    (piece,) = there.pull(ask, offer, tmp_path)
    assert piece.path.read_bytes() == body


@pytest.mark.parametrize(("fault", "code", "told"), [
    (PAGE, Code.SERVICE_UNREACHABLE, "Down for maintenance"),
    (Reply(b'{"ErrorCode": 500, "ErrorMessage": "Timeout expired."}'), Code.SERVICE_REFUSED,
     "Timeout expired"),
    (Reply(b"#Table1\nspecObjID,ra\n1,2.0\n"), Code.SERVICE_INCOMPLETE, "1 whole rows of 300"),
], ids=["page", "an error of its server", "few rows"])
def test_a_fault_that_stays_is_told_and_nothing_is_kept(skyserver, tmp_path, fault, code, told):
    there, ask = service("sdss", reach(retries=1)), asking(skyserver, Wanted(rows=300))
    offer = there.look(ask)
    skyserver.first.extend([fault] * 2)
    with pytest.raises(TransientError) as failure:
        list(there.pull(ask, offer, tmp_path))
    assert failure.value.codes == (code,)
    assert told in str(failure.value)
    assert not list(tmp_path.glob("*.csv"))
