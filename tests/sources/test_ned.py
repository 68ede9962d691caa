"""NED against a replay: replies that astroquery's authors recorded."""

import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.retrieval import FetchLimits, Wanted
from pz_tsm_core.model.survey import Region, Source
from pz_tsm_core.readers import read_table
from pz_tsm_core.remote import Reach
from pz_tsm_core.sources import Ask, service
from tests.sources.replay import Reply, recorded, replaying

ORION = Wanted(region=Region(cone=(83.822083, -5.391111, 2 / 60)))


@pytest.fixture
def ned(tmp_path, monkeypatch):
    body = recorded("ipac/ned/tests/data/query_near_position.xml")
    with replaying(lambda _: Reply(body), tmp_path, monkeypatch) as replay:
        yield replay


def asking(ned, wanted=ORION):
    place = Source(service="ned", table="query_region",
                   url=f"https://{ned.address}/cgi-bin/objsearch")
    return Ask(place, {"Object Name": "Object Name", "RA": "RA(deg)", "DEC": "DEC(deg)"}, wanted,
               ("RA(deg)", "DEC(deg)"))


def pulled(ask, folder):
    there = service("ned", Reach(FetchLimits(retries=1, per_second=500)))
    return list(there.pull(ask, there.look(ask), folder))


def test_objects_near_a_position_come_with_one_request(ned, tmp_path):
    (piece,) = pulled(asking(ned), tmp_path)
    table = read_table(piece.path, format=piece.format, columns=["Object Name", "RA(deg)"])
    assert len(table) == 475
    assert table.to_pylist()[1] == {"Object Name": "CXO J053517.0-052333", "RA(deg)": 83.82113}
    (question,) = ned.asked
    assert question.arguments["search_type"] == "Near Position Search"
    assert float(question.arguments["lon"]) * 15 == pytest.approx(83.822083, abs=1e-4)  # in hours
    assert float(question.arguments["lat"]) == pytest.approx(-5.391111, abs=1e-4)
    assert float(question.arguments["radius"]) == pytest.approx(2.6, abs=1e-3)  # 0.01 deg more
    assert question.arguments["list_limit"] == "0"
    assert question.agent.startswith("pz-tsm/")


@pytest.mark.parametrize("wanted", [
    Wanted(), Wanted(rows=10), Wanted(region=Region(cone=(150.0, 2.2, 1.0))),
    Wanted(region=Region(box=(0.0, 359.0, -10.0, 10.0))),
], ids=["everything", "some rows", "a degree", "half the sky"])
def test_what_is_no_small_region_is_refused_before_ned_is_asked(ned, wanted):
    with pytest.raises(TsmError) as refusal:
        service("ned", Reach()).look(asking(ned, wanted))
    assert refusal.value.codes == (Code.SERVICE_REFUSED,)
    assert "0.5 deg" in str(refusal.value)
    assert not ned.asked


def test_what_ned_calls_an_error_is_told(ned, tmp_path):
    ned.first.append(Reply(recorded("ipac/ned/tests/data/error.xml")))
    with pytest.raises(TsmError) as refusal:
        pulled(asking(ned), tmp_path)
    assert refusal.value.codes == (Code.SERVICE_REFUSED,)
    assert "No note found." in str(refusal.value)


def test_a_cut_reply_is_not_used(ned, tmp_path):
    whole = recorded("ipac/ned/tests/data/query_near_position.xml")
    ned.answer = lambda _: Reply(whole, sent=60_000, counted=False)
    with pytest.raises(TransientError) as failure:
        pulled(asking(ned), tmp_path)
    assert failure.value.codes == (Code.SERVICE_INCOMPLETE,)
    assert not list(tmp_path.glob("*.xml"))
    assert len(ned.asked) == 2
