"""GAMA's database against a replay: the page and file that astroquery's authors recorded (DR2)."""

import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.retrieval import FetchLimits, Wanted
from pz_tsm_core.model.survey import Region, Source
from pz_tsm_core.readers import read_table
from pz_tsm_core.remote import Reach
from pz_tsm_core.sources import Ask, service
from tests.sources.replay import Reply, recorded, replaying

COLUMNS = {name: name for name in ("SPECID", "RA", "DEC", "Z", "NQ")}


@pytest.fixture
def gama(tmp_path, monkeypatch):
    page, file = recorded("gama/tests/data/query_result.html"), recorded(
        "gama/tests/data/GAMA_HzVs28.fits")

    def answer(question):
        if question.path == "/dr3/query/":
            return Reply(page, type="text/html")
        return Reply(file, type="application/fits")

    with replaying(answer, tmp_path, monkeypatch) as replay:
        yield replay


def asking(gama, wanted=None, table="SpecObj"):
    place = Source(service="gama", table=table, url=f"https://{gama.address}/dr3/query/")
    return Ask(place, COLUMNS, wanted or Wanted(), ("RA", "DEC"))


def pulled(ask, folder):
    there = service("gama", Reach(FetchLimits(retries=1, per_second=500)))
    return list(there.pull(ask, there.look(ask), folder))


def test_the_file_comes_to_which_the_page_leads(gama, tmp_path):
    (piece,) = pulled(asking(gama), tmp_path)
    table = read_table(piece.path, format=piece.format, columns=list(COLUMNS))
    assert table.to_pylist()[0] == {"SPECID": 131671727225700352, "RA": 132.16668,
                                    "DEC": pytest.approx(-0.58222), "Z": pytest.approx(0.18984),
                                    "NQ": 5}
    asked, brought = gama.asked
    assert asked.arguments == {"query": "SELECT DEC, NQ, RA, SPECID, Z FROM SpecObj",
                               "format": "fits"}
    assert brought.path == "/dr3/tmp/GAMA_HzVs28.fits"
    assert asked.agent.startswith("pz-tsm/")


def test_a_region_or_a_few_rows_are_asked_for_in_sql(gama, tmp_path):
    pulled(asking(gama, Wanted(region=Region(box=(129.0, 141.0, -2.0, 3.0)))), tmp_path)
    (tmp_path / "result.fits").unlink()
    pulled(asking(gama, Wanted(rows=10)), tmp_path)
    region, few = (question.arguments["query"] for question in gama.asked[::2])
    assert region.endswith("WHERE (RA BETWEEN 128.999999900 AND 141.000000100) AND "
                           "(DEC BETWEEN -2.000000100 AND 3.000000100)")
    assert few.endswith("FROM SpecObj LIMIT 10")


def test_a_name_that_is_more_than_a_name_is_never_sent(gama, tmp_path):
    with pytest.raises(TsmError) as refusal:
        pulled(asking(gama, table="SpecObj; DROP TABLE x"), tmp_path)
    assert refusal.value.codes == (Code.SERVICE_SCHEMA,)
    assert not gama.asked


def test_a_page_without_a_result_is_told(gama, tmp_path):
    gama.first.append(Reply(b"<html><title>GAMA</title>You have an error in your SQL</html>"))
    with pytest.raises(TsmError) as refusal:
        pulled(asking(gama), tmp_path)
    assert refusal.value.codes == (Code.SERVICE_REFUSED,)


@pytest.mark.parametrize(("body", "code"), [
    (b"<html><title>Not here</title></html>", Code.SERVICE_UNREACHABLE),
    (b"SIMPLE  =" + b" " * 3000, Code.SERVICE_INCOMPLETE),
], ids=["page", "cut"])
def test_what_is_no_whole_file_is_told_and_not_kept(gama, tmp_path, body, code):
    page = gama.answer
    gama.answer = lambda question: page(question) if question.path.endswith("query/") \
        else Reply(body, counted=False)
    with pytest.raises(TransientError) as failure:
        pulled(asking(gama), tmp_path)
    assert failure.value.codes == (code,)
    assert not list(tmp_path.glob("*.fits"))
