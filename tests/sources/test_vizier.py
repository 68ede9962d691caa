"""VizieR's protocol against replays: recorded replies, and stand-ins that follow its interface.

No test speaks to VizieR. The recorded ones are of 2013 and 2015 and come with astroquery; stand-ins
have the INFO that VizieR sends since 2019: how many records match, and whether that is all.
"""

import math
import re
from xml.sax.saxutils import quoteattr

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

YSOS = "J/ApJ/706/83/ysos"
META = "vizier/tests/data/find_kangapj70683.xml"
ROWS = "vizier/tests/data/kang2010.xml"

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<INFO ID="VERSION" name="votable-version" value="1.99+ (14-Oct-2013)"/>
"""


def wigglez(count: int = 300) -> list[tuple]:
    """Rows all over the sky; every seventh without a redshift."""
    return [(f"R{n:05}", n * 137.508 % 360, math.degrees(math.asin(2 * (n + 0.5) / count - 1)),
             None if n % 7 == 0 else round(n / 1000, 5), n % 5 + 1) for n in range(count)]


FIELDS = {"WiggleZ": 'datatype="char" arraysize="6"',
          "RAJ2000": 'datatype="double" unit="deg"', "DEJ2000": 'datatype="double" unit="deg"',
          "z": 'datatype="double"', "q_z": 'datatype="short"'}


def stand_in(rows=None, table="J/MNRAS/474/4151/wigglez"):
    """Answers as VizieR does for one table: what it holds, and rows in a cone."""
    rows = wigglez() if rows is None else rows

    def answer(question):
        arguments = question.arguments
        if "-meta.all" in arguments:
            return Reply(votable(table, FIELDS, None, f'type="meta" nrows="{len(rows)}"'))
        names = [name for name in FIELDS if name in arguments["-out"].split(",")]
        chosen = [row for row in rows if "-c" not in arguments or within(row, arguments)]
        limit = arguments["-out.max"]
        given = chosen if limit == "unlimited" else chosen[:int(limit)]
        cells = [[dict(zip(FIELDS, row, strict=True))[name] for name in names] for row in given]
        over = '<INFO name="QUERY_STATUS" value="OVERFLOW">truncated result</INFO>'
        return Reply(votable(table, {name: FIELDS[name] for name in names}, cells, "",
                             f'<INFO name="matches" value="{len(given)}">matching records</INFO>'
                             + (over if len(given) < len(chosen) else "")))

    return answer


def within(row, arguments) -> bool:
    ra, dec = map(math.radians, map(float, re.findall(r"[+-]?[0-9.]+", arguments["-c"])))
    x, y = math.radians(row[1]), math.radians(row[2])
    cosine = math.sin(dec) * math.sin(y) + math.cos(dec) * math.cos(y) * math.cos(ra - x)
    return math.degrees(math.acos(max(-1, min(1, cosine)))) <= float(arguments["-c.rd"])


def votable(table, fields, rows, attributes="", infos="") -> bytes:
    def cell(value):
        return f"<TD>{'' if value is None else value}</TD>"

    columns = "".join(f"<FIELD name={quoteattr(name)} {said}/>" for name, said in fields.items())
    data = "" if not rows else "<DATA><TABLEDATA>\n" + "\n".join(
        f"<TR>{''.join(map(cell, row))}</TR>" for row in rows) + "\n</TABLEDATA></DATA>"
    return (f'{HEAD}<RESOURCE><TABLE name="{table}" {attributes}>{columns}{data}</TABLE>{infos}'
            "</RESOURCE></VOTABLE>\n").encode()


@pytest.fixture
def vizier(tmp_path, monkeypatch):
    """A stand-in of VizieR with one table; `.answer` may be exchanged."""
    with replaying(stand_in(), tmp_path, monkeypatch) as replay:
        monkeypatch.setenv("PZ_TSM_VIZIER", replay.address)
        yield replay


@pytest.fixture
def survey():
    """A definition whose columns have the names of the stand-in's."""
    source = Source(service="vizier", table="J/MNRAS/474/4151/wigglez")
    return get_survey("wigglez").model_copy(update={"sources": (source,)})


def asking(wanted=None, table="J/MNRAS/474/4151/wigglez", **columns):
    columns = columns or {name: name for name in FIELDS}
    return Ask(Source(service="vizier", table=table), columns, wanted or Wanted(),
               ("RAJ2000", "DEJ2000"))


def reach(**limits):
    return Reach(FetchLimits(**{"retries": 2, "per_second": 500, **limits}))


def pulled(ask, folder, **limits):
    """What is said, and the pieces."""
    there = service("vizier", reach(**limits))
    offer = there.look(ask)
    return offer, list(there.pull(ask, offer, folder))


def table_of(piece, columns=None):
    return read_table(piece.path, format=piece.format, columns=columns)


def recorded_answer(question):
    return Reply(recorded(META if "-meta.all" in question.arguments else ROWS))


# Recorded replies


def test_recorded_metadata_say_columns_units_and_rows(vizier):
    vizier.answer = recorded_answer
    offer = service("vizier", reach()).look(asking(table=YSOS, id="SSTGLMC", a="[3.6]"))
    assert offer.rows == 737  # as the page of the catalogue says, too
    assert offer.columns["SSTGLMC"] == ColumnSaid(kind="text")
    assert offer.columns["Seq"] == ColumnSaid(kind="int")
    assert offer.columns["[3.6]"] == ColumnSaid(kind="float", unit="mag")
    assert offer.columns["_Glon"] == ColumnSaid(kind="float", unit="deg")


def test_a_recorded_reply_is_read_with_its_types_nulls_and_units(vizier, tmp_path):
    vizier.answer = recorded_answer
    ask = asking(Wanted(rows=50), table=YSOS, id="SSTGLMC", j="Jmag")
    offer, (piece,) = pulled(ask, tmp_path)
    table = table_of(piece)
    assert len(table) == 50 == piece.rows == offer.rows
    assert table["SSTGLMC"][0].as_py() == "G048.7567-00.6341"
    assert str(table.schema.field("Seq").type) == "int16"
    assert table.schema.field("Jmag").metadata[b"unit"] == b"mag"
    assert table["Jmag"].null_count == 37


def test_one_request_each_asks_for_all_rows_of_all_wanted_columns_and_says_who_asks(
        vizier, tmp_path):
    vizier.answer = recorded_answer
    with pytest.raises(TsmError) as refusal:
        pulled(asking(table=YSOS, id="SSTGLMC", a="[3.6]", ra="_RAJ2000"), tmp_path)
    # It was recorded when VizieR gave no more than it was asked for then.
    assert refusal.value.codes == (Code.SERVICE_INCOMPLETE,)
    assert "50 rows" in str(refusal.value)
    assert "737 rows" in str(refusal.value)
    assert not list(tmp_path.glob("*.xml"))
    before, after = vizier.asked
    assert before.path == after.path == "/viz-bin/votable"
    assert before.arguments == {"-source": YSOS, "-meta.all": ""}
    assert after.arguments["-source"] == YSOS
    assert after.arguments["-out.max"] == "unlimited"
    assert after.arguments["-out"] == "SSTGLMC,[3.6]"
    assert after.arguments["-out.add"] == "_RAJ2000"
    assert "-c" not in after.arguments
    assert before.agent.startswith("pz-tsm/")
    assert before.agent == after.agent


# Stand-ins


def test_a_whole_catalogue_comes_whole(vizier, tmp_path):
    offer, (piece,) = pulled(asking(), tmp_path)
    assert offer.rows == piece.rows == 300
    assert sorted(table_of(piece, ["WiggleZ", "z"]).to_pylist(), key=lambda row: row["WiggleZ"]) \
        == [{"WiggleZ": row[0], "z": row[3]} for row in wigglez()]


@pytest.mark.parametrize("wanted", [
    Wanted(region=Region(cone=(0.5, -88.0, 25.0))),
    Wanted(region=Region(box=(10.0, 350.0, -10.0, 10.0))),
], ids=["pole", "too wide for a cone"])
def test_a_region_of_the_table_in_the_store_holds_the_rows_that_lie_in_it(
        vizier, tmp_path, survey, wanted):
    store = open_store(tmp_path / "store")
    part = fetch_survey(store, survey, wanted, reach=reach())
    inside = {row[0]: row[3] for row in wigglez() if inside_of(wanted, *row[1:3])}
    assert 0 < len(inside) < 300
    assert {row["WiggleZ"]: row["z"] for row in store.read_table(part.ref, "native").to_pylist()} \
        == inside


def inside_of(wanted, ra, dec) -> bool:
    if wanted.region.cone:
        return within((None, ra, dec), {"-c": "{:.6f}{:+.6f}".format(*wanted.region.cone[:2]),
                                        "-c.rd": wanted.region.cone[2]})
    first, last, low, high = wanted.region.box
    return (ra - first) % 360 <= (last - first) % 360 and low <= dec <= high


def test_a_few_rows_are_asked_for_as_a_few(vizier, tmp_path):
    offer, (piece,) = pulled(asking(Wanted(rows=10)), tmp_path)
    assert vizier.asked[-1].arguments["-out.max"] == "10"
    assert offer.rows == piece.rows == 10


def test_a_few_rows_of_a_region_are_chosen_after_its_edge_is_cut(vizier, tmp_path):
    pulled(asking(Wanted(region=Region(cone=(150.0, 2.2, 20.0)), rows=1)), tmp_path)
    assert vizier.asked[-1].arguments["-out.max"] == "unlimited"


def test_a_region_without_rows_is_no_piece(vizier, tmp_path):
    offer, pieces = pulled(asking(Wanted(region=Region(cone=(150.0, 2.2, 0.1)))), tmp_path)
    assert offer.rows is None
    assert pieces == []


def test_positions_that_vizier_computes_may_be_asked_for(vizier):
    offer = service("vizier", reach()).look(asking(ra="_RAJ2000", dec="_DEJ2000", z="z"))
    assert offer.columns["_RAJ2000"] == ColumnSaid()


def test_what_a_former_try_brought_is_not_asked_for_again(vizier, tmp_path):
    first = pulled(asking(), tmp_path)
    again = pulled(asking(), tmp_path)
    assert again == first
    assert [("-meta.all" in question.arguments) for question in vizier.asked] == [True, False, True]


def test_the_name_of_a_catalogue_is_not_that_of_its_tables(vizier):
    body = votable("J/A+A/646/A83/a370", FIELDS, None, 'nrows="5"')
    two = body.replace(b"</TABLE>", b'</TABLE><TABLE name="J/A+A/646/A83/a2744" nrows="3"/>')
    vizier.answer = lambda _: Reply(two)
    with pytest.raises(TsmError) as refusal:
        service("vizier", reach()).look(asking(table="J/A+A/646/A83"))
    assert refusal.value.codes == (Code.SERVICE_SCHEMA,)
    assert "J/A+A/646/A83/a370, J/A+A/646/A83/a2744" in str(refusal.value)


# Faults


BUSY = Reply(b"<html>busy</html>", status=503, type="text/html")
PAGE = Reply(b'<?xml version="1.0"?><!DOCTYPE html><html><title>VizieR maintenance</title></html>',
             type="text/html")
#: As VizieR 7.5.6 words it (astroquery issue 3626).
AWAY = Reply(f"""{HEAD}
<INFO ID="Error" name="Error" value="The database is not currently reachable."/>
<INFO name="Error" value=" -- no connection"/>
<INFO name="QUERY_STATUS" value="ERROR">no connection</INFO><RESOURCE/></VOTABLE>""".encode())
WRONG = Reply(f"""{HEAD}<INFO name="QUERY_STATUS" value="ERROR">Column 'q' unknown</INFO>
<RESOURCE/></VOTABLE>""".encode())
WHOLE = votable("J/MNRAS/474/4151/wigglez", FIELDS, wigglez())


def cut(at, counted):
    return Reply(WHOLE, sent=at, counted=counted)


@pytest.mark.parametrize("fault", [
    BUSY, PAGE, AWAY, cut(2000, counted=True), cut(2000, counted=False),
    cut(300, counted=False), cut(len(WHOLE) - 12, counted=False), Reply(b""),
], ids=["503", "page", "database away", "cut", "cut without length", "cut before rows",
        "cut at the end", "nothing"])
def test_after_a_fault_that_passes_the_rows_come_all_the_same(vizier, tmp_path, fault):
    there, ask = service("vizier", reach()), asking()
    offer = there.look(ask)
    vizier.first.append(fault)
    (piece,) = there.pull(ask, offer, tmp_path)
    assert piece.path.read_bytes() == vizier.answer(vizier.asked[-1]).body
    assert len(vizier.asked) == 3


@pytest.mark.parametrize(("fault", "code", "told"), [
    (BUSY, Code.SERVICE_REFUSED, "503"),
    (PAGE, Code.SERVICE_UNREACHABLE, "VizieR maintenance"),
    (AWAY, Code.SERVICE_UNREACHABLE, "not currently reachable"),
    (cut(2000, counted=True), Code.SERVICE_INCOMPLETE, "broke off"),
    (cut(2000, counted=False), Code.SERVICE_INCOMPLETE, "among its rows"),
    (cut(len(WHOLE) - 12, counted=False), Code.SERVICE_INCOMPLETE, "before its last tag"),
], ids=["503", "page", "database away", "cut", "cut without length", "cut at the end"])
def test_a_fault_that_stays_is_told_and_nothing_is_kept(vizier, tmp_path, fault, code, told):
    there, ask = service("vizier", reach(retries=1)), asking()
    offer = there.look(ask)
    vizier.first.extend([fault] * 4)
    with pytest.raises(TransientError) as failure:
        list(there.pull(ask, offer, tmp_path))
    assert failure.value.codes == (code,)
    assert told in str(failure.value)
    assert not list(tmp_path.glob("*.xml"))


def test_an_error_of_ours_is_told_at_once(vizier, tmp_path):
    there, ask = service("vizier", reach()), asking()
    offer = there.look(ask)
    vizier.first.extend([WRONG] * 3)
    with pytest.raises(TsmError) as refusal:
        list(there.pull(ask, offer, tmp_path))
    assert not isinstance(refusal.value, TransientError)
    assert refusal.value.codes == (Code.SERVICE_REFUSED,)
    assert "Column 'q' unknown" in str(refusal.value)
    assert len(vizier.asked) == 2


OVER = '<INFO name="matches" value="50"/><INFO name="QUERY_STATUS" value="OVERFLOW"/>'


@pytest.mark.parametrize(("infos", "wanted"), [
    (OVER, Wanted(region=Region(cone=(150.0, 2.2, 20.0)))), (OVER, Wanted()),
    ('<INFO name="matches" value="50"/>', Wanted()), ("", Wanted()),
], ids=["of a region", "of all", "without a word", "nor a number"])
def test_rows_that_vizier_leaves_out_are_missed_and_nothing_is_kept(
        vizier, tmp_path, infos, wanted):
    there, ask = service("vizier", reach()), asking(wanted)
    offer = there.look(ask)
    vizier.first.append(Reply(votable("t", FIELDS, wigglez()[:50], "", infos)))
    with pytest.raises(TsmError) as refusal:
        list(there.pull(ask, offer, tmp_path))
    assert refusal.value.codes == (Code.SERVICE_INCOMPLETE,)
    assert "50 rows" in str(refusal.value)
    assert not list(tmp_path.glob("*.xml"))


def test_a_column_that_vizier_does_not_have_is_told_before_rows_are_pulled(
        vizier, tmp_path, survey):
    (source,) = survey.sources
    other = survey.model_copy(update={
        "sources": (source.model_copy(update={"columns": {"z": "zspec"}}),)})
    with pytest.raises(TsmError) as refusal:
        fetch_survey(open_store(tmp_path / "store"), other, reach=reach())
    assert refusal.value.codes == (Code.SERVICE_SCHEMA,)
    assert "zspec" in str(refusal.value)
    assert len(vizier.asked) == 1


def test_a_service_that_stalls_is_not_waited_for(vizier, tmp_path):
    there, ask = service("vizier", reach(retries=0, stall_seconds=0.2)), asking()
    offer = there.look(ask)
    vizier.first.append(Reply(WHOLE, pause=1.0))
    with pytest.raises(TransientError) as failure:
        list(there.pull(ask, offer, tmp_path))
    assert failure.value.codes == (Code.SERVICE_TIMEOUT,)


def test_a_document_type_is_no_votable(vizier):
    vizier.answer = lambda _: Reply(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>')
    with pytest.raises(TransientError) as failure:
        service("vizier", reach(retries=0)).look(asking())
    assert "DOCTYPE" in str(failure.value)
