"""Tables from a TAP service: a real one, DaCHS with PostgreSQL, whose rows are known.

What no real one does when it is asked to is done by a stand-in, or by a network that fails.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import requests

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.model.retrieval import ColumnSaid, FetchLimits, Wanted
from pz_tsm_core.model.survey import Region, Source
from pz_tsm_core.readers import FORMATS
from pz_tsm_core.readers.source import Source as ReaderSource
from pz_tsm_core.remote import Reach, download
from pz_tsm_core.sources import Ask, Offer, Piece, _replies, _tap_query, service
from pz_tsm_core.sources._tap_query import Queries
from tests.sources import dachs
from tests.sources.cutting import cutting_network
from tests.sources.tap_stand_in import StandIn, stand_in, votable

COLUMNS = tuple(name for name in dachs.TYPES if name != "class")
JOINED = "pztsm.redshifts AS r JOIN pztsm.classes AS c ON r.id = c.id"

#: No test waits as long as the services of the world are given.
LIMITS = FetchLimits(total_seconds=120, connect_seconds=5, stall_seconds=20, per_second=1000)


def ask(url: str, table: str = "pztsm.redshifts", columns: tuple[str, ...] = COLUMNS,
        **wanted: object) -> Ask:
    there = Source(service="tap", url=url, table=table)
    position = ("RAJ2000", "DEJ2000") if "RAJ2000" in columns else None
    return Ask(there, {f"native_{name}": name for name in columns}, Wanted(**wanted), position)


def look(asked: Ask, limits: FetchLimits = LIMITS) -> Offer:
    return service("tap", Reach(limits)).look(asked)


def pull(asked: Ask, folder: Path, limits: FetchLimits = LIMITS) -> list[Piece]:
    tap = service("tap", Reach(limits))
    return list(tap.pull(asked, tap.look(asked), folder))


def fetch(asked: Ask, folder: Path, limits: FetchLimits = LIMITS) -> pa.Table:
    """All pieces as one table in the order of ids; each has the rows that it was said to have."""
    pieces = pull(asked, folder, limits)
    tables = [read(piece.path, tuple(asked.columns.values())) for piece in pieces]
    assert [len(table) for table in tables] == [piece.rows for piece in pieces]
    table = pa.concat_tables(tables)
    return dachs.as_told({name: table[name] for name in table.column_names})


def read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    """The table of a VOTable, read in this process: a second a file less."""
    source = ReaderSource(path, columns, Limits(), str(path))
    with FORMATS["votable"].reader().stream(source) as stream:
        return pa.Table.from_batches(stream.batches, stream.schema)


@pytest.fixture
def by_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is the result of a job, however small."""
    monkeypatch.setattr(_tap_query, "AT_ONCE", 0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is the result of a job, however large."""
    monkeypatch.setattr(_tap_query, "AT_ONCE", 10**9)


@pytest.mark.parametrize("way", ["at_once", "by_job"])
@pytest.mark.parametrize(("rows", "files"), [(100_000, 1), (35_000, 3)])
def test_the_table_is_the_truth_by_whatever_way_it_comes(
    tap: str, tmp_path: Path, request: pytest.FixtureRequest, way: str, rows: int, files: int
) -> None:
    request.getfixturevalue(way)
    table = fetch(ask(tap), tmp_path, LIMITS.model_copy(update={"piece_rows": rows}))
    assert dachs.same(table, dachs.truth())
    assert len(list(tmp_path.glob("*.xml"))) == files


@pytest.mark.parametrize("form", ["td", "b", "b2"])
def test_rows_are_the_same_in_every_form_of_a_votable(tap: str, tmp_path: Path, form: str) -> None:
    last = dachs.truth()["id"][3000].as_py()
    query = f'SELECT {", ".join(map(_spelt, COLUMNS))} FROM pztsm.redshifts WHERE id < {last}'
    reply = requests.post(f"{tap}/sync", timeout=20, data={
        "LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": f"votable/{form}".removesuffix("/b")})
    path = tmp_path / "reply.xml"
    path.write_bytes(reply.content)
    table = read(path, COLUMNS)
    assert {"td": b"<TABLEDATA>", "b": b"<BINARY>", "b2": b"<BINARY2>"}[form] in reply.content
    assert dachs.same(dachs.as_told({name: table[name] for name in COLUMNS}),
                      dachs.truth().slice(0, 3000))


def _spelt(name: str) -> str:
    return name if name.islower() else f'"{name}"'


def test_what_the_service_says_of_columns_and_rows_is_told(tap: str) -> None:
    offer = look(ask(tap))
    assert offer.rows == 60_000
    assert offer.columns["RAJ2000"] == ColumnSaid(kind="float", unit="deg")
    assert {name: one.kind for name, one in offer.columns.items()} == {
        "id": "int", "RAJ2000": "float", "DEJ2000": "float", "z": "float", "e_z": "float",
        "q": "int", "flag": "text", "Name": "text", "is_primary": "bool"}
    assert offer.validator == ""


REGIONS = [Region(cone=(0.0, 0.0, 3.0)), Region(cone=(53.1, -28.1, 0.1)),
           Region(cone=(200.0, -89.9, 1.0)), Region(box=(359.0, 1.0, -5.0, 5.0)),
           Region(box=(350.0, 360.0, -60.0, 30.0))]


@pytest.mark.parametrize("region", REGIONS, ids=str)
def test_no_row_of_a_region_is_missing(tap: str, tmp_path: Path, region: Region) -> None:
    table = fetch(ask(tap, region=region), tmp_path)
    truth = dachs.truth()
    inside = truth.filter(pa.array(_inside(region, truth)))
    assert len(inside) > 0
    assert set(inside["id"].to_pylist()) <= set(table["id"].to_pylist())
    assert len(table) < 60_000 / 3 + 2_000


def _inside(region: Region, table: pa.Table) -> np.ndarray:
    from astropy.coordinates import SkyCoord

    ra, dec = (table[name].to_numpy() for name in ("RAJ2000", "DEJ2000"))
    known = np.isfinite(ra)
    inside = np.zeros(len(ra), dtype=bool)
    if region.cone:
        centre = SkyCoord(*region.cone[:2], unit="deg")
        apart = SkyCoord(ra[known], dec[known], unit="deg").separation(centre).deg
        inside[known] = apart <= region.cone[2]
        return inside
    first, last, low, high = region.box
    return ((ra - first) % 360 <= (last - first) % 360) & (dec >= low) & (dec <= high)


def test_a_region_of_the_sky_comes_in_pieces_too(tap: str, tmp_path: Path) -> None:
    box = Region(box=(350.0, 100.0, -30.0, 0.0))
    table = fetch(ask(tap, region=box), tmp_path, LIMITS.model_copy(update={"piece_rows": 20_000}))
    assert len(list(tmp_path.glob("*.xml"))) == 2
    inside = dachs.truth().filter(pa.array(_inside(box, dachs.truth())))
    assert dachs.same(table, inside)


def test_without_positions_there_is_no_choosing_by_region(tap: str) -> None:
    asked = replace(ask(tap, region=REGIONS[0]), position=None)
    assert look(asked).rows == 60_000


@pytest.mark.parametrize("rows", [1, 700, 21_000])
def test_no_more_rows_come_than_are_wanted(tap: str, tmp_path: Path, rows: int) -> None:
    limits = LIMITS.model_copy(update={"piece_rows": 8_000})
    assert look(ask(tap, rows=rows), limits).rows == rows
    table = fetch(ask(tap, rows=rows), tmp_path, limits)
    assert len(set(table["id"].to_pylist())) == rows


def test_rows_of_joined_tables_come_together(tap: str, tmp_path: Path) -> None:
    asked = ask(tap, JOINED, ("id", "z", "Name", "class"))
    table = fetch(asked, tmp_path, LIMITS.model_copy(update={"piece_rows": 35_000}))
    truth = dachs.truth().append_column("class", dachs.truth("classes")["class"])
    assert dachs.same(table, truth.select(["id", "z", "Name", "class"]))


def test_names_in_other_letters_are_found(tap: str, tmp_path: Path) -> None:
    asked = ask(tap, columns=("ID", "raj2000", "Q"), rows=5)
    assert set(look(asked).columns) == {"ID", "raj2000", "Q"}
    [piece] = pull(asked, tmp_path)
    assert len(read(piece.path, ("id", "RAJ2000", "q"))) == 5


def test_a_column_that_is_not_there_is_not_told_of(tap: str) -> None:
    offer = look(ask(tap, columns=("id", "zspec")))
    assert set(offer.columns) == {"id"}
    assert offer.rows is None


@pytest.mark.parametrize("table", ["pztsm.redshift", "VII/250/2dfgrs", "it's",
                                   JOINED.replace("classes", "kinds")])
def test_a_table_that_is_not_there_is_refused(tap: str, table: str) -> None:
    with pytest.raises(TsmError) as refused:
        look(ask(tap, table))
    assert refused.value.codes == (Code.SERVICE_SCHEMA,)


@pytest.mark.parametrize("way", ["at_once", "by_job"])
def test_rows_that_a_service_leaves_out_are_missed(
    tap: str, tmp_path: Path, request: pytest.FixtureRequest, way: str
) -> None:
    request.getfixturevalue(way)
    with pytest.raises(TsmError) as refused:
        Queries(Reach(LIMITS), tap, "here").file("SELECT id FROM pztsm.redshifts", 30_000,
                                                 tmp_path / "rows.xml")
    assert refused.value.codes == (Code.SERVICE_INCOMPLETE,)
    assert list(tmp_path.glob("*.xml")) == []


@pytest.mark.parametrize("long", [False, True], ids=["at once", "by a job"])
def test_a_query_that_is_refused_is_told_in_the_words_of_the_service(tap: str, long: bool) -> None:
    with pytest.raises(TsmError) as refused:
        Queries(Reach(LIMITS), tap, "here").rows("SELECT nonsense FROM pztsm.redshifts", long=long)
    assert refused.value.codes == (Code.SERVICE_REFUSED,)
    assert "nonsense" in refused.value.problems[0].found
    assert not isinstance(refused.value, TransientError)


def test_pieces_that_came_are_not_asked_for_again(
    tap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, files = ask(tap, columns=("id", "DEJ2000")), []
    limits, bring = LIMITS.model_copy(update={"piece_rows": 25_000}), Queries._bring
    begun = service("tap", Reach(limits)).pull(asked, look(asked), tmp_path)
    whole, cut = next(begun).path, next(begun).path
    begun.close()
    cut.write_bytes(cut.read_bytes()[:50_000])
    monkeypatch.setattr(Queries, "_bring", lambda self, query, target, check: files.append(
        target.name) or bring(self, query, target, check))
    pieces = pull(asked, tmp_path, limits)
    assert len(pieces) == 4
    assert whole.name not in files
    assert set(files) >= {piece.path.name for piece in pieces if piece.path != whole}


@pytest.mark.parametrize(("way", "rows", "size"), [("at_once", 4_000, 900_000),
                                                   ("by_job", 35_000, 400_000)])
def test_connections_that_break_again_and_again_change_nothing(
    tap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
    way: str, rows: int, size: int
) -> None:
    request.getfixturevalue(way)
    monkeypatch.setattr(_replies, "_LONGEST_WAIT", 0.1)
    monkeypatch.setattr(download, "_LONGEST_WAIT", 0.1)
    chance = random.Random(way)
    cuts = iter(lambda: chance.randrange(size), None)
    limits = LIMITS.model_copy(update={"piece_rows": rows, "retries": 50})
    with cutting_network(dachs.HOST, cuts, renamed=True) as network:
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", network.address)
        table = fetch(ask(f"http://{network.address}/tap"), tmp_path, limits)
        assert network.broken >= 13
    assert dachs.same(table, dachs.truth())


@pytest.fixture
def stopped(_dachs: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A network of a process of its own; called, it takes connections and hands nothing on."""
    code = ("import signal; from tests.sources.cutting import CuttingNetwork;"
            f"print(CuttingNetwork({dachs.HOST!r}, [], renamed=True).address, flush=True);"
            "signal.pause()")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                          cwd=Path(__file__).parents[2]) as process:
        host = process.stdout.readline().strip()
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", host)

        def stop() -> None:
            process.send_signal(signal.SIGSTOP)

        stop.url = f"http://{host}/tap"
        yield stop
        process.kill()


HASTE = LIMITS.model_copy(update={"total_seconds": 4, "retries": 50})


@pytest.mark.parametrize("way", ["at_once", "by_job"])
def test_a_server_that_stops_is_given_up_within_the_limit(
    stopped: Callable[[], None], tmp_path: Path, request: pytest.FixtureRequest, way: str
) -> None:
    request.getfixturevalue(way)
    asked, reach = ask(stopped.url), Reach(HASTE, hear=lambda _: stopped())
    offer = look(asked)
    _is_given_up(lambda: list(service("tap", reach).pull(asked, offer, tmp_path)))


def test_a_server_that_stops_while_a_job_runs_is_given_up_within_the_limit(
    stopped: Callable[[], None], tmp_path: Path, by_job: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Queries._start
    monkeypatch.setattr(Queries, "_start", lambda *job: (start(*job), stopped()))
    queries = Queries(Reach(HASTE), stopped.url, "here")
    _is_given_up(lambda: queries.file("SELECT id FROM pztsm.redshifts", 60_000,
                                      tmp_path / "rows.xml"))


def _is_given_up(call: Callable[[], object]) -> None:
    begun = time.monotonic()
    with pytest.raises(TransientError) as given_up:
        call()
    assert time.monotonic() - begun < HASTE.total_seconds + 5
    assert given_up.value.codes == (Code.SERVICE_TIMEOUT,)


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[StandIn, Queries]]]:
    """Queries to a stand-in that behaves as it is told."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        def make(limits: FetchLimits = LIMITS, **said: object) -> tuple[StandIn, Queries]:
            there = stack.enter_context(stand_in(**said))
            monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", there.host)
            return there, Queries(Reach(limits), there.url, "here")

        yield make


def test_a_job_that_never_ends_is_given_up_and_taken_back(
    queries: Callable[..., tuple[StandIn, Queries]], tmp_path: Path, by_job: None
) -> None:
    there, asked = queries(LIMITS.model_copy(update={"total_seconds": 2}), phase="EXECUTING")
    begun = time.monotonic()
    with pytest.raises(TransientError) as given_up:
        asked.file("SELECT id FROM t", 10, tmp_path / "rows.xml")
    assert time.monotonic() - begun < 2 + 5
    assert given_up.value.codes == (Code.SERVICE_TIMEOUT,)
    assert "executing" in given_up.value.problems[0].where
    assert there.seen[-2:] == ["POST /tap/async/1/phase ABORT", "DELETE /tap/async/1"]


@pytest.mark.parametrize(("phase", "passes"), [("ERROR", False), ("ABORTED", True)])
def test_a_job_that_fails_is_told_plainly_and_taken_back(
    queries: Callable[..., tuple[StandIn, Queries]], tmp_path: Path, by_job: None, phase: str,
    passes: bool
) -> None:
    there, asked = queries(phase=phase, message="no room on the moon")
    with pytest.raises(TsmError) as refused:
        asked.file("SELECT id FROM t", 10, tmp_path / "rows.xml")
    assert refused.value.codes == (Code.SERVICE_REFUSED,)
    assert isinstance(refused.value, TransientError) == passes
    assert ("no room on the moon" if phase == "ERROR" else "aborted") in str(refused.value)
    assert there.seen[-1] == "DELETE /tap/async/1"


def test_whoever_stops_a_fetch_leaves_no_job_behind(
    queries: Callable[..., tuple[StandIn, Queries]], tmp_path: Path, by_job: None,
    monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    there, asked = queries(phase="QUEUED")
    monkeypatch.setattr(Queries, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        asked.file("SELECT id FROM t", 10, tmp_path / "rows.xml")
    assert there.seen[-2:] == ["POST /tap/async/1/phase ABORT", "DELETE /tap/async/1"]


def test_jobs_give_their_connections_back(tap: str, tmp_path: Path, by_job: None) -> None:
    queries = Queries(Reach(LIMITS.model_copy(update={"per_host": 1})), tap, "here")
    for rows in (1, 2):
        queries.file(f"SELECT TOP {rows} id FROM pztsm.redshifts", rows, tmp_path / f"{rows}.xml")


def test_a_page_of_maintenance_is_no_table(
    queries: Callable[..., tuple[StandIn, Queries]], tmp_path: Path
) -> None:
    _, asked = queries(LIMITS.model_copy(update={"retries": 0}),
                       table=b"<html><title>Back soon</title></html>")
    with pytest.raises(TransientError, match="Back soon") as refused:
        asked.file("SELECT id FROM t", 10, tmp_path / "rows.xml")
    assert refused.value.codes == (Code.SERVICE_UNREACHABLE,)


@pytest.mark.parametrize("count", [votable({"n": "long"}), votable({"m": "long"}, (3,)),
                                   votable({"n": "char"}, ("many",))])
def test_an_answer_of_another_shape_is_refused(
    queries: Callable[..., tuple[StandIn, Queries]], monkeypatch: pytest.MonkeyPatch, count: bytes
) -> None:
    there, _ = queries()
    answer = StandIn.answer
    monkeypatch.setattr(StandIn, "answer", lambda self, query: count if "COUNT" in query
                        else answer(self, query))
    with pytest.raises(TsmError) as refused:
        look(ask(there.url, "t", ("id", "z")))
    assert refused.value.codes == (Code.SERVICE_REFUSED,)


ELSEWHERE = votable({"n": "int"}).replace(
    b"<TABLEDATA></TABLEDATA>", b'<FITS><STREAM href="http://{}/secret"/></FITS>')


def test_rows_that_would_be_somewhere_else_are_not_fetched_from_there(
    queries: Callable[..., tuple[StandIn, Queries]]
) -> None:
    there, asked = queries()
    there.table = ELSEWHERE.replace(b"{}", there.host.encode())
    with pytest.raises(TsmError, match="another place") as refused:
        asked.rows("SELECT n FROM t")
    assert refused.value.codes == (Code.SERVICE_REFUSED,)
    assert there.seen == ["POST /tap/sync"]


def test_a_table_that_is_changed_while_it_is_planned_is_noticed(
    tap: str, tmp_path: Path
) -> None:
    there = service("tap", Reach(LIMITS.model_copy(update={"piece_rows": 9_000})))
    offer = replace(there.look(ask(tap)), rows=59_999)
    with pytest.raises(TransientError) as refused:
        list(there.pull(ask(tap), offer, tmp_path))
    assert refused.value.codes == (Code.SERVICE_INCOMPLETE,)
