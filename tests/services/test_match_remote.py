"""A match with a catalogue on a web server or S3 is the match with its copy on disk."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import session
from pz_tsm_core.sky import objects as sky_objects
from pz_tsm_core.sky.catalog import catalog_schema, pin_catalog
from pz_tsm_core.sky.cluster import Pool
from pz_tsm_core.sky.lsdb_engine import find_pairs_with_lsdb
from pz_tsm_core.sky.nearest import match_tables
from pz_tsm_core.sky.objects import open_objects
from pz_tsm_core.sky.pairs import find_pairs
from pz_tsm_core.sky.search import Criteria
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.store import open_store
from tests.sources.s3_servers import S3Server, needs_rclone, s3_server, web_server
from tests.web import Web

pytestmark = needs_rclone

ROWS = 2_000
BUCKET = "specz"
LIMITS = {"retries": 2, "per_second": 1e4}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a server of this machine that is busy or gone."""
    monkeypatch.setattr(sky_objects, "LIMITS", FetchLimits(**LIMITS))
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    sky_objects._folder.cache_clear()  # the same address may be another server's now


@pytest.fixture(scope="module")
def left() -> pa.Table:
    """Positions over a strip across RA 0."""
    rng = np.random.default_rng(23)
    return pa.table({"row_id": np.arange(ROWS), "ra": rng.uniform(-30, 30, ROWS) % 360,
                     "dec": rng.uniform(-20, 20, ROWS)})


@pytest.fixture(scope="module")
def home(left: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is served: a bucket, in it catalogues in files and in folders of files."""
    rng = np.random.default_rng(24)
    table = pa.table({
        "id": rng.permutation(ROWS) + 10**15,
        "ra": (left["ra"].to_numpy() + rng.normal(0, 0.4 / 3600, ROWS)) % 360,
        "dec": left["dec"], "value": rng.normal(size=ROWS), "other": rng.normal(size=ROWS)})
    home = tmp_path_factory.mktemp("home")
    files = home / BUCKET / "files"
    files.parent.mkdir()
    write_table_as_collection(table, files, "objects", rows_per_partition=70)
    _in_folders(Path(shutil.copytree(files, home / BUCKET / "folders")))
    return home


def _in_folders(collection: Path) -> None:
    """Have each partition be a folder with its rows in two files."""
    for file in list(collection.glob("objects/dataset/Norder*/**/Npix=*.parquet")):
        table = pq.read_table(file, partitioning=None)
        folder = file.with_suffix("")
        folder.mkdir()
        pq.write_table(table[:len(table) // 2], folder / "part0.parquet")
        pq.write_table(table[len(table) // 2:], folder / "part1.parquet")
        file.unlink()
    for told in collection.glob("objects/*properties"):
        lines = [line for line in told.read_text().splitlines() if "npix_suffix" not in line]
        told.write_text("\n".join([*lines, "hats_npix_suffix=/"]) + "\n")


@pytest.fixture(scope="module")
def s3_of_others(home: Path) -> Iterator[S3Server]:
    with s3_server(home) as server:
        yield server


@pytest.fixture(scope="module")
def web_of_others(home: Path) -> Iterator[str]:
    with web_server(home) as address:
        yield address


@pytest.fixture(params=["web", "S3"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of the catalogues at each place, one after the other."""
    if request.param == "S3":
        request.getfixturevalue("s3_of_others").allow(monkeypatch)
        return f"s3://{BUCKET}"
    address = request.getfixturevalue("web_of_others")
    monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", address)
    return f"http://{address}/{BUCKET}"


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """A copy of a catalogue, to be changed."""
    return Path(shutil.copytree(home / BUCKET / "files", tmp_path / "copy"))


def _matched(left: pa.Table, catalog: str, kind: str = "threads") -> pa.Table:
    parts = [
        pa.table([mine["row_id"], theirs["id"], theirs["value"],
                  pa.array(separation, from_pandas=True)], ["row_id", "id", "value", "separation"])
        for mine, theirs, separation in match_tables(
            left, open_objects(catalog), ra="ra", dec="dec", columns=["id", "value"],
            id_column="id", radius_arcsec=1.0, how="left",
            cluster=ClusterPolicy.model_validate({"kind": kind, "workers": 2}))
    ]
    return pa.concat_tables(parts).combine_chunks()


@pytest.mark.parametrize("layout", ["files", "folders"])
def test_rows_are_those_of_the_copy_on_disk(
    left: pa.Table, home: Path, bucket: str, layout: str
) -> None:
    here = _matched(left, str(home / BUCKET / "files"))
    assert 0 < here["id"].null_count < ROWS / 2
    assert _matched(left, f"{bucket}/{layout}").equals(here)
    assert catalog_schema(f"{bucket}/{layout}").equals(catalog_schema(home / BUCKET / layout))


def test_worker_processes_take_credentials_from_their_environment(
    left: pa.Table, home: Path, s3_of_others: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_of_others.allow(monkeypatch)
    there = _matched(left, f"s3://{BUCKET}/files", "local")
    assert there.equals(_matched(left, str(home / BUCKET / "files")))


def test_lsdb_reads_them_too(left: pa.Table, bucket: str) -> None:
    objects, criteria = open_objects(f"{bucket}/files"), Criteria(1.0, id="id")
    ra, dec = (left[name].to_numpy() for name in ("ra", "dec"))
    with ThreadPoolExecutor(2) as executor:
        ours, theirs = (find(ra, dec, objects, criteria, Pool(executor, 2))
                        for find in (find_pairs, find_pairs_with_lsdb))
    assert len(ours) > ROWS / 2
    assert theirs.position.tolist() == ours.position.tolist()
    assert theirs.neighbors.id.tolist() == ours.neighbors.id.tolist()


@pytest.mark.parametrize("kind", ["web", "S3"])
def test_a_recipe_may_name_an_address(
    run, mock_sky, mock_recipe, mock_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """What stages leave is what they leave with the copy on disk."""
    place = Path(mock_recipe.catalog.path)
    home = tmp_path / "home"
    shutil.copytree(place, home / BUCKET / "objects")
    with s3_server(home) if kind == "S3" else web_server(home) as server:
        if kind == "S3":
            server.allow(monkeypatch)
            url = f"s3://{BUCKET}/objects"
        else:
            monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", server)
            url = f"http://{server}/{BUCKET}/objects"
        catalog = mock_recipe.catalog.model_copy(update={"path": url})
        recipe = mock_recipe.model_copy(update={"catalog": catalog})
        done = run(recipe, open_store(tmp_path / "store"))
    assert {label: content for label, content in done.contents.items() if label != "report"} == {
        label: content for label, content in mock_run.contents.items() if label != "report"}


# What it costs


def test_files_where_nothing_is_near_are_not_touched(
    web: Web, home: Path, left: pa.Table
) -> None:
    url = web.serve(home / BUCKET / "files", "files")
    objects = open_objects(url)
    assert len(objects.tiles) > 40
    few = left.slice(0, 3)
    web.asked()
    assert _matched(few, url)["id"].null_count < 3
    names = {name for name in web.asked() if "Npix" in name}
    ra, dec = (few[name].to_numpy() for name in ("ra", "dec"))
    with ThreadPoolExecutor(1) as executor:
        found = find_pairs(ra, dec, open_objects(str(home / BUCKET / "files")), Criteria(1.0),
                           Pool(executor, 1))
    assert {name.removeprefix("files/") for name in names} == {file.name for file in found.files}
    assert len(names) <= 4


def test_a_small_file_is_one_request_each_time_that_it_is_opened(
    web: Web, home: Path, left: pa.Table
) -> None:
    url = web.serve(home / BUCKET / "files", "files")
    _matched(left.slice(0, 1), url)
    asked = Counter(command for command, path in web.requests if "Npix" in path)
    # To see whether its index can be believed, for neighbours, and for columns.
    assert asked == {"HEAD": 3, "GET": 3}


# What changes, and what goes wrong


@pytest.mark.parametrize("footers", [True, False])
def test_a_pin_changes_with_the_catalogue(web: Web, copy: Path, *, footers: bool) -> None:
    url = web.serve(copy, "copy")
    listed = "copy/objects/dataset/_metadata"
    if not footers:
        web.files.pop(listed, None)
    changed = listed if footers else min(name for name in web.files if "/objects/" in name
                                         and "Npix" in name)
    first = pin_catalog(url)
    assert pin_catalog(url) == first
    web.files[changed] += b"x"
    second = pin_catalog(url)
    web.files["copy/objects/partition_info.csv"] += b"\n"
    assert len({first, second, pin_catalog(url)}) == 3


def test_a_server_that_is_busy_in_between_is_asked_again(
    web: Web, home: Path, left: pa.Table
) -> None:
    url = web.serve(home / BUCKET / "files", "files")

    def busy_once(name: str) -> None:
        if "Npix" in name:
            web.busy, web.before = 2, lambda name: None

    web.before = busy_once
    assert _matched(left, url).equals(_matched(left, str(home / BUCKET / "files")))
    assert web.busy == 0


def test_a_server_that_goes_away_is_told(web: Web, home: Path, left: pa.Table) -> None:
    objects = open_objects(web.serve(home / BUCKET / "files", "files"))
    web.stop()
    with pytest.raises(TransientError) as caught, ThreadPoolExecutor(2) as executor:
        find_pairs(left["ra"].to_numpy(), left["dec"].to_numpy(), objects, Criteria(1.0),
                   Pool(executor, 2))
    assert set(caught.value.codes) <= {Code.SERVICE_UNREACHABLE, Code.SERVICE_INCOMPLETE}


def test_a_server_that_hangs_is_given_up(
    home: Path, left: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(home) as server:
        server.allow(monkeypatch)
        objects = open_objects(f"s3://{BUCKET}/files")
        monkeypatch.setattr(sky_objects, "LIMITS", FetchLimits(
            **LIMITS, connect_seconds=1.0, stall_seconds=1.0))
        server.stop()
        with pytest.raises(TransientError) as caught, ThreadPoolExecutor(2) as executor:
            find_pairs(left["ra"].to_numpy(), left["dec"].to_numpy(), objects, Criteria(1.0),
                       Pool(executor, 2))
    assert set(caught.value.codes) <= {Code.SERVICE_TIMEOUT, Code.SERVICE_UNREACHABLE}


def _flipped(content: bytes) -> bytes:
    """With one bit of the first page another one."""
    return content[:60] + bytes([content[60] ^ 1]) + content[61:]


@pytest.mark.parametrize("damage", [_flipped, lambda content: content[:-20],
                                    lambda content: b"<html>moved</html>"])
def test_a_damaged_file_is_told_with_its_address(web: Web, home: Path, left: pa.Table,
                                                 damage) -> None:
    url = web.serve(home / BUCKET / "files", "files")
    for name in [name for name in web.files if "Npix" in name]:
        web.files[name] = damage(web.files[name])
    with pytest.raises(TsmError) as caught:
        _matched(left, url)
    assert caught.value.codes == (Code.CATALOG_INVALID,)
    assert caught.value.problems[0].where.startswith(f"{url}/objects/dataset/")


def test_a_file_that_is_missing_is_told_with_its_address(
    web: Web, home: Path, left: pa.Table
) -> None:
    url = web.serve(home / BUCKET / "files", "files")
    for name in [name for name in web.files if "Npix" in name]:
        del web.files[name]
    with pytest.raises(TsmError) as caught:
        _matched(left, url)
    assert caught.value.codes == (Code.SERVICE_REFUSED,)
    assert caught.value.problems[0].where.startswith(f"{url}/objects/dataset/")


def test_a_private_address_that_nobody_allowed_is_refused(
    web: Web, home: Path, left: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = web.serve(home / BUCKET / "files", "files")
    monkeypatch.delenv("PZ_TSM_ALLOW_HOSTS")
    for use in (open_objects, pin_catalog, catalog_schema):
        with pytest.raises(TsmError) as caught:
            use(url)
        assert caught.value.codes == (Code.REMOTE_FORBIDDEN,)
    assert not web.requests
