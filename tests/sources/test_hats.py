"""HATS catalogues of others: equal tables from disk, web and S3, cut or not; nothing believed."""

from __future__ import annotations

import contextlib
import http.server
import random
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.retrieval import ColumnSaid, FetchLimits, Wanted
from pz_tsm_core.model.survey import Region, Source
from pz_tsm_core.remote import Moved, Reach, folders, ranges
from pz_tsm_core.sky.read import read_hats
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.sources import Ask, Offer, Piece, hats, service
from tests.sources.cutting import cutting_network
from tests.sources.s3_servers import S3Server, needs_rclone, s3_server, web_server

pytestmark = needs_rclone

ROWS = 6_000
COLUMNS = ("targetid", "ra", "dec", "z", "spectype", "primary")
POSITION = ("ra", "dec")
LIMITS = {"per_second": 1e4}
WHOLE = Wanted()


def _rows(seed: int = 3) -> pa.Table:
    """Redshifts over a strip of the sky, with all kinds of columns and some that nobody wants."""
    chance = np.random.default_rng(seed)
    kinds = pa.array(np.array(["GALAXY", "QSO", "STAR"])[chance.integers(0, 3, ROWS)])
    z = pa.array(chance.uniform(0, 3, ROWS), mask=chance.random(ROWS) < 0.1)
    return pa.table({
        "targetid": chance.integers(0, 2**62, ROWS), "ra": chance.uniform(0, 360, ROWS),
        "dec": np.degrees(np.arcsin(chance.uniform(-0.6, 0.6, ROWS))), "z": z,
        "spectype": kinds, "primary": chance.random(ROWS) < 0.9,
        **{f"other{n}": chance.normal(size=ROWS) for n in range(6)},
    }).cast(pa.schema([
        pa.field("targetid", pa.int64()), pa.field("ra", pa.float64(), metadata={"unit": "deg"}),
        pa.field("dec", pa.float64(), metadata={"unit": "deg"}), pa.field("z", pa.float64()),
        pa.field("spectype", pa.string()), pa.field("primary", pa.bool_()),
        *(pa.field(f"other{n}", pa.float64()) for n in range(6)),
    ]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is served: a bucket, in it a collection in many partitions."""
    folder = tmp_path_factory.mktemp("hats")
    (folder / "specz").mkdir()
    write_table_as_collection(_rows(), folder / "specz" / "zcat", "zcat", rows_per_partition=400)
    return folder


@pytest.fixture(scope="module")
def private_server(home: Path) -> Iterator[S3Server]:
    with s3_server(home) as server:
        yield server


@pytest.fixture(scope="module")
def web(home: Path) -> Iterator[str]:
    with web_server(home) as address:
        yield address


@pytest.fixture
def at_s3(private_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    private_server.allow(monkeypatch)
    return "s3://specz/zcat"


@pytest.fixture
def on_web(web: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", web)
    return f"http://{web}/specz/zcat"


@pytest.fixture(params=["disk", "web", "S3"])
def everywhere(request: pytest.FixtureRequest, home: Path) -> str:
    """The catalogue at each place, one after the other."""
    if request.param == "disk":
        return str(home / "specz" / "zcat")
    return request.getfixturevalue("on_web" if request.param == "web" else "at_s3")


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """A copy of the collection, to be spoilt."""
    return Path(shutil.copytree(home / "specz" / "zcat", tmp_path / "copy"))


def _ask(
    url: str | Path, wanted: Wanted = WHOLE, known: str = "", *,
    columns: Iterable[str] = COLUMNS, position: tuple[str, str] | None = POSITION,
) -> Ask:
    place = Source(service="hats", url=str(url))
    return Ask(place, {name: name for name in columns}, wanted, position, known)


def _look(ask: Ask) -> Offer:
    return service("hats", Reach(FetchLimits(**LIMITS))).look(ask)


def _pull(ask: Ask, folder: Path, *, reach: Reach | None = None) -> list[Piece]:
    folder.mkdir(exist_ok=True)
    there = service("hats", reach or Reach(FetchLimits(**LIMITS)))
    pieces = list(there.pull(ask, there.look(ask), folder))
    assert [piece.rows for piece in pieces] == [len(_table(piece)) for piece in pieces]
    return pieces


def _table(piece: Piece) -> pa.Table:
    """What the readers find of a piece in the wanted columns, with checksums verified."""
    return pq.read_table(piece.path, columns=list(COLUMNS), partitioning=None,
                         page_checksum_verification=True)


def _together(pieces: Iterable[Piece]) -> pa.Table:
    return pa.concat_tables(map(_table, pieces))


def test_the_whole_catalogue_is_the_same_from_everywhere(
    everywhere: str, home: Path, tmp_path: Path
) -> None:
    offer, pieces = _look(_ask(everywhere)), _pull(_ask(everywhere), tmp_path / "parts")
    assert _together(pieces).equals(read_hats(home / "specz" / "zcat", COLUMNS))
    assert offer.rows == ROWS
    assert offer.columns["targetid"] == ColumnSaid(kind="int")
    assert offer.columns["ra"] == ColumnSaid(kind="float", unit="deg")
    assert offer.columns["spectype"].kind == "text"
    assert offer.columns["primary"].kind == "bool"


def test_only_the_wanted_columns_are_brought(at_s3: str, tmp_path: Path) -> None:
    for piece in _pull(_ask(at_s3), tmp_path):
        file = pq.ParquetFile(piece.path)
        assert set(file.schema_arrow.names) == set(COLUMNS)
        assert file.schema_arrow.field("ra").metadata == {b"unit": b"deg"}
        assert b"pandas" not in (file.schema_arrow.metadata or {})
        assert not piece.lent


def test_files_that_are_here_are_lent(home: Path, tmp_path: Path) -> None:
    for piece in _pull(_ask(home / "specz" / "zcat"), tmp_path / "parts"):
        assert piece.lent
        assert piece.path.is_relative_to(home)
    assert not list((tmp_path / "parts").iterdir())


@pytest.mark.parametrize("wanted", [
    Wanted(region=Region(cone=(359.5, 10.0, 6.0))),
    Wanted(region=Region(box=(350.0, 20.0, -10.0, 5.0))),
    Wanted(moc="4/1100-1160"),
], ids=["cone", "box", "moc"])
def test_of_a_region_all_rows_come_and_not_all_others(
    everywhere: str, home: Path, tmp_path: Path, wanted: Wanted
) -> None:
    assert _look(_ask(everywhere, wanted)).rows is None
    came = _together(_pull(_ask(everywhere, wanted), tmp_path / "parts"))
    everything = read_hats(home / "specz" / "zcat", COLUMNS)
    inside = _inside(everything, wanted)
    assert len(inside) > 5
    assert _inside(came, wanted).equals(inside)
    assert len(came) < ROWS / 2


def _inside(table: pa.Table, wanted: Wanted) -> pa.Table:
    """Rows of the region, by formulas of this test."""
    ra, dec = (np.radians(table[name].to_numpy()) for name in POSITION)
    if wanted.moc:
        from astropy import units as u
        from astropy.coordinates import Latitude, Longitude
        from cdshealpix.nested import lonlat_to_healpix

        pixel = lonlat_to_healpix(Longitude(ra, u.rad), Latitude(dec, u.rad), 4)
        return table.filter(pa.array((pixel >= 1100) & (pixel <= 1160)))
    if wanted.region.box:
        east = (np.degrees(ra) - 350) % 360 <= 30
        return table.filter(pa.array(east & (np.abs(np.degrees(dec) + 2.5) <= 7.5)))
    centre, height, radius = np.radians(wanted.region.cone)
    vectors = [np.stack([np.cos(d) * np.cos(r), np.cos(d) * np.sin(r), np.sin(d)])
               for r, d in ((ra, dec), (centre, height))]
    return table.filter(pa.array(np.arccos(vectors[1] @ vectors[0]) <= radius))


@pytest.mark.parametrize("position", [None, ("ra", "other1")])
def test_positions_of_other_columns_say_nothing_of_partitions(
    home: Path, tmp_path: Path, position: tuple[str, str] | None
) -> None:
    wanted = Wanted(region=Region(cone=(10.0, 10.0, 1.0)))
    pieces = _pull(_ask(home / "specz" / "zcat", wanted, position=position), tmp_path / "parts")
    assert len(_together(pieces)) == ROWS


def test_a_few_rows_need_no_more_partitions_than_hold_them(everywhere: str, tmp_path: Path) -> None:
    pieces = _pull(_ask(everywhere, Wanted(rows=500)), tmp_path / "parts")
    assert sum(piece.rows for piece in pieces) >= 500
    assert sum(piece.rows for piece in pieces[:-1]) < 500


def test_what_is_known_is_unchanged_until_the_catalogue_is_another(
    copy: Path, tmp_path: Path
) -> None:
    first = _look(_ask(copy))
    assert not first.unchanged
    assert _look(_ask(copy, known=first.validator)).unchanged
    shutil.rmtree(copy)
    write_table_as_collection(_rows(seed=4), copy, "zcat", rows_per_partition=400)
    again = _look(_ask(copy, known=first.validator))
    assert not again.unchanged
    assert again.validator != first.validator


def test_the_catalogue_that_was_looked_at_is_pulled_or_none(copy: Path, tmp_path: Path) -> None:
    there = service("hats", Reach())
    offer = there.look(_ask(copy))
    shutil.rmtree(copy)
    write_table_as_collection(_rows(seed=4), copy, "zcat", rows_per_partition=400)
    with pytest.raises(TransientError) as caught:
        list(there.pull(_ask(copy), offer, tmp_path))
    assert caught.value.codes == (Code.SERVICE_INCOMPLETE,)


def test_a_network_that_breaks_again_and_again_changes_nothing(
    private_server: S3Server, at_s3: str, home: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranges, "LONGEST_WAIT", 0.01)
    chance = random.Random(8)
    cuts = (chance.randrange(500, 90_000) for _ in range(40))  # seldom within headers
    with cutting_network(private_server.address, cuts) as network:
        private_server.allow(monkeypatch, via=network.address)
        pieces = _pull(_ask(at_s3), tmp_path, reach=Reach(FetchLimits(retries=20)))
    assert _together(pieces).equals(read_hats(home / "specz" / "zcat", COLUMNS))
    assert network.broken > 10


def test_a_later_try_brings_only_partitions_that_are_missing(
    on_web: str, home: Path, tmp_path: Path
) -> None:
    there = service("hats", Reach(FetchLimits(**LIMITS)))
    pieces = there.pull(_ask(on_web), there.look(_ask(on_web)), tmp_path)
    for _ in range(5):
        next(pieces)
    written = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.parquet")}
    assert len(written) == 5
    begun = min(written)  # what was only begun does not count
    begun.rename(begun.with_name(begun.name + ".part"))
    again = _pull(_ask(on_web), tmp_path)
    assert _together(again).equals(read_hats(home / "specz" / "zcat", COLUMNS))
    assert [file.stat().st_mtime_ns == written[file] for file in written] == [
        file != begun for file in written]


def test_a_public_catalogue_needs_no_credentials(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(home, public=True) as server:
        server.allow(monkeypatch, key="", secret="")
        assert len(_together(_pull(_ask("s3://specz/zcat"), tmp_path / "parts"))) == ROWS


@pytest.mark.parametrize("folder", [
    "small_sky", "small_sky_healpix13", "small_sky_left_xmatch", "small_sky_npix_alt_suffix",
    "small_sky_npix_as_dir", "small_sky_order1_collection", "small_sky_order1_default_columns",
])
def test_catalogues_of_lsdb_on_the_web_are_what_they_are_on_disk(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    with web_server(shared_data) as address:
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", address)
        _same_as_on_disk(f"http://{address}/lsdb/{folder}", shared_data / "lsdb" / folder, tmp_path)


def test_a_catalogue_of_lsdb_with_folders_for_partitions_on_s3_is_what_it_is_on_disk(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shared_data / "lsdb" / "small_sky_npix_as_dir"
    with s3_server(shared_data) as server:
        server.allow(monkeypatch)
        _same_as_on_disk(f"s3://lsdb/{folder.name}", folder, tmp_path)


def _same_as_on_disk(url: str, folder: Path, parts: Path) -> None:
    columns = ["id", "ra", "dec"]
    ask, there = _ask(url, columns=columns), service("hats", Reach(FetchLimits(**LIMITS)))
    offer = there.look(ask)
    pieces = list(there.pull(ask, offer, parts))
    came = pa.concat_tables(pq.read_table(piece.path, columns=columns) for piece in pieces)
    assert came.equals(read_hats(folder, columns))
    assert offer.rows == len(came)


def _set(folder: Path, key: str, value: str) -> None:
    """Have the properties of a catalogue say something else."""
    for file in (folder / "hats.properties", folder / "properties", folder):
        if file.is_file():
            lines = [line for line in file.read_text().splitlines() if not line.startswith(key)]
            file.write_text("\n".join([*lines, f"{key}={value}"]) + "\n")


def _spoilt(copy: Path, how: str) -> str:
    """Spoil the copy; what is told of it."""
    primary = copy / "zcat"
    listed = primary / "partition_info.csv"
    lines = listed.read_text().splitlines()
    if how == "margin":
        _set(primary, "dataproduct_type", "margin")
        _set(primary, "hats_primary_table_url", "zcat")
        _set(primary, "hats_margin_threshold", "5.0")
        return "the kind `margin`"
    if how == "suffix":
        _set(primary, "hats_npix_suffix", "/../../../../secret.parquet")
        return "partitions that end in"
    if how == "primary above":
        _set(copy / "collection.properties", "hats_primary_table_url", "../../secret")
        return "the primary table"
    if how == "primary elsewhere":
        _set(copy / "collection.properties", "hats_primary_table_url", "http://127.0.0.1:1/x")
        return "the primary table"
    if how == "no list":
        listed.unlink()
        return "no partition_info.csv"
    if how == "twice":
        listed.write_text("\n".join([*lines, lines[1]]) + "\n")
        return "a partition twice"
    listed.write_text("\n".join([lines[0], "3,../../../secret" if how == "text" else "3,99999"]))
    return "" if how == "text" else "Pixel: 99999"


@pytest.mark.parametrize("how", ["margin", "suffix", "primary above", "primary elsewhere",
                                 "no list", "twice", "text", "no pixel"])
@pytest.mark.parametrize("kind", ["disk", "web"])
def test_a_catalogue_that_contradicts_itself_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch, how: str, kind: str
) -> None:
    told = _spoilt(copy, how)
    with contextlib.ExitStack() as servers:
        url = str(copy)
        if kind == "web":
            address = servers.enter_context(web_server(copy.parent))
            monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", address)
            url = f"http://{address}/copy"
        with pytest.raises(TsmError) as caught:
            _look(_ask(url))
    assert caught.value.codes == (Code.CATALOG_INVALID,)
    assert told in caught.value.problems[0].found
    assert caught.value.problems[0].where.startswith(url)


def test_what_is_no_catalogue_is_told_as_such(
    copy: Path, on_web: str, at_s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", "127.0.0.0/8")
    said = {str(copy.parent): Code.CATALOG_INVALID, str(copy / "nowhere"): Code.CATALOG_INVALID,
            on_web.removesuffix("zcat"): Code.SERVICE_REFUSED, at_s3 + "/x": Code.SERVICE_REFUSED,
            "s3://nowhere/zcat": Code.SERVICE_REFUSED}
    for url, code in said.items():
        with pytest.raises(TsmError) as caught:
            _look(_ask(url))
        assert (url, caught.value.codes) == (url, (code,))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret-word")
    with pytest.raises(TsmError) as caught:
        _look(_ask(at_s3))
    assert "credentials" in caught.value.problems[0].remedy


def test_what_says_too_much_of_itself_is_refused(
    at_s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LARGEST", 100)
    with pytest.raises(TsmError) as caught:
        _look(_ask(at_s3))
    assert caught.value.codes == (Code.REMOTE_LIMIT,)


def test_a_group_of_rows_that_would_not_fit_into_memory_is_refused(
    at_s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hats, "LARGEST_GROUP", 1_000)
    with pytest.raises(TsmError) as caught:
        _pull(_ask(at_s3), tmp_path)
    assert caught.value.codes == (Code.REMOTE_LIMIT,)
    assert not list(tmp_path.glob("*.parquet"))


def test_a_partition_that_is_missing_is_told(copy: Path, tmp_path: Path) -> None:
    gone = min(copy.glob("zcat/dataset/**/Npix=*.parquet"))
    gone.unlink()
    with pytest.raises(TsmError) as caught:
        _pull(_ask(copy), tmp_path / "parts")
    assert caught.value.problems[0].where == str(gone)


def _chunk(file: Path, column: str) -> pq.ColumnChunkMetaData:
    group = pq.read_metadata(file).row_group(0)
    chunks = map(group.column, range(group.num_columns))
    return next(chunk for chunk in chunks if chunk.path_in_schema == column)


@pytest.mark.parametrize("how", ["flipped", "cut"])
def test_a_damaged_partition_is_never_half_used(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    for file in copy.rglob("Npix=*.parquet"):
        data, chunk = bytearray(file.read_bytes()), _chunk(file, "z")
        data[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 255
        file.write_bytes(data if how == "flipped" else data[:-20])
    with web_server(copy.parent) as address:
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", address)
        with pytest.raises(TsmError) as caught:
            _pull(_ask(f"http://{address}/copy"), tmp_path / "parts")
    assert caught.value.codes == (Code.FILE_DAMAGED,)
    assert not list((tmp_path / "parts").glob("*.parquet"))


def test_columns_that_are_not_there_are_told_before_anything_is_brought(
    at_s3: str, tmp_path: Path
) -> None:
    with pytest.raises(TsmError) as caught:
        _pull(_ask(at_s3, columns=["nowhere"]), tmp_path)
    assert caught.value.codes == (Code.SERVICE_SCHEMA,)
    assert "nowhere" in caught.value.problems[0].expected


def test_a_server_that_knows_no_ranges_is_told(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Whole(http.server.SimpleHTTPRequestHandler):
        """Gives files whole, whatever is asked."""

        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(home))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Whole) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", f"127.0.0.1:{server.server_port}")
        with pytest.raises(TsmError) as caught:
            _pull(_ask(f"http://127.0.0.1:{server.server_port}/specz/zcat"), tmp_path)
        server.shutdown()
    assert caught.value.codes == (Code.SERVICE_REFUSED,)
    assert "ranges" in caught.value.problems[0].expected


def test_a_server_that_hangs_is_given_up_within_the_limit(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(home) as server:
        server.allow(monkeypatch)
        began = time.monotonic()
        reach = Reach(FetchLimits(total_seconds=2.0), hear=lambda _: server.stop())
        with pytest.raises(TransientError) as caught:
            _pull(_ask("s3://specz/zcat"), tmp_path, reach=reach)
        assert caught.value.codes == (Code.SERVICE_TIMEOUT,)
        assert time.monotonic() - began < 2 + 5


def test_progress_is_told_in_rows(at_s3: str, tmp_path: Path) -> None:
    heard: list[Moved] = []
    pieces = _pull(_ask(at_s3), tmp_path, reach=Reach(hear=heard.append))
    assert [moved.done for moved in heard] == list(np.cumsum([piece.rows for piece in pieces]))
    assert {(moved.total, moved.unit) for moved in heard} == {(ROWS, "rows")}
