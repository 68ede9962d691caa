"""A match as an LSDB catalogue: LSDB's own crossmatch, with margins that are wide enough, says what
it must hold; brute force says so where LSDB would need a margin that is not there.
"""

from __future__ import annotations

import gc
import logging
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table

import pz_tsm_core as tsm
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.sky.cluster import dask_client
from pz_tsm_core.sky.margin import Tile
from pz_tsm_core.sky.matched_rows import MatchedRows
from pz_tsm_core.sky.partition import write_parquet
from pz_tsm_core.sky.wrap import import_lsdb
from pz_tsm_core.sky.write import write_table_as_collection
from tests.sources.s3_servers import needs_rclone, web_server

RADIUS = 20.0


@pytest.fixture(scope="module")
def lsdb() -> Any:
    return import_lsdb()


def _around(ra: Any, dec: Any, arcsec: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """Points at random within a distance of others."""
    n = len(ra)
    there = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        rng.uniform(0, 360, n) * u.deg, arcsec * np.sqrt(rng.random(n)) * u.arcsec)
    return there.ra.deg % 360, there.dec.deg


def _sky(n: int, seed: int) -> tuple[Any, Any]:
    """Clumps at a pole, across RA 0, and where four base pixels meet."""
    rng = np.random.default_rng(seed)
    centres = rng.choice([(0.0, 90.0), (0.0, -90.0), (0.0, 5.0), (45.0, 0.0)], n)
    return _around(*centres.T, 600, rng)


class Sides(NamedTuple):
    """Two catalogues of the same part of the sky, which call some columns alike."""

    mine: pa.Table
    theirs: pa.Table
    folder: Path

    def catalog(self, side: str, rows: int, margin: float | None = RADIUS) -> Path:
        """A side in partitions of so many rows."""
        path = self.folder / f"{side}-{rows}-{margin}"
        if not path.exists():
            write_table_as_collection(getattr(self, side), path, side, margin_arcsec=margin,
                                      rows_per_partition=rows)
        return path


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    rng = np.random.default_rng(5)
    ra, dec = _sky(500, seed=5)
    near = _around(ra[:400].repeat(2), dec[:400].repeat(2), 1.5 * RADIUS, rng)
    ids = np.arange(500) + 2**60 + 1
    mine = pa.table({"id": ids, "ra": ra, "dec": dec, "z": np.linspace(0, 2, 500),
                     "name": [f"galaxy {i}" if i % 7 else None for i in range(500)]})
    theirs = pa.table({"objectId": np.arange(800) + 2**61 + 1, "ra": near[0], "dec": near[1],
                       "flux": pa.array(np.linspace(1, 9, 800), pa.float32()),
                       "good": pa.array(np.arange(800) % 3 == 0, mask=np.arange(800) % 5 == 0),
                       "name": [f"object {i}" for i in range(800)]})
    return Sides(mine, theirs, tmp_path_factory.mktemp("sides"))


@pytest.fixture(scope="module")
def crossed(sides: Sides) -> Any:
    """A match whose left side has many partitions, and no margin anywhere."""
    return tsm.crossmatch(sides.catalog("mine", 40, None), sides.catalog("theirs", 100, None),
                          radius_arcsec=RADIUS, n_neighbors=3)


def _sorted(frame: Any, by: list[str]) -> Any:
    """Rows in an order that does not hang on partitions; the index is compared as well."""
    return frame.reset_index().sort_values(by, kind="stable").reset_index(drop=True)


def _same(found: Any, expected: Any, by: list[str]) -> None:
    frames = [_sorted(each if isinstance(each, pd.DataFrame) else
                      each.compute(progress_bar=False), by) for each in (found, expected)]
    distance = "_dist_arcsec"
    pd.testing.assert_frame_equal(*(frame.drop(columns=distance) for frame in frames),
                                  check_exact=True)
    pd.testing.assert_series_equal(*(frame[distance] for frame in frames), rtol=0, atol=1e-6)
    assert len(frames[0])


#: What LSDB is told beyond what both are told.
THEIR_WAY = {"require_right_margin": True, "log_changes": False,
             "suffix_method": "overlapping_columns"}
BOTH_IDS = ["id", "objectId"]


@pytest.mark.parametrize("options", [
    {}, {"n_neighbors": 3}, {"how": "left"},
    {"how": "left", "n_neighbors": 2, "suffixes": ("", "_lsst")},
    {"suffix_method": "all_columns", "suffixes": ("_a", "_b")},
], ids=["nearest", "three", "left", "left, two", "suffixes for all"])
@pytest.mark.parametrize("rows", [(100, 1000), (1000, 150)],
                         ids=["left finer", "right finer"])
def test_it_holds_the_rows_columns_and_types_of_a_crossmatch_by_lsdb(lsdb, sides, rows, options):
    _compare(lsdb, sides, rows, options)


def test_of_objects_that_are_not_too_near_the_nearest_are_those_of_lsdb(lsdb, sides):
    # LSDB 0.11.1 fails in a right partition that is finer than the left one and has no row of it.
    _compare(lsdb, sides, (100, 1000), {"n_neighbors": 3, "min_radius_arcsec": 8.0})


def _compare(lsdb: Any, sides: Sides, rows: tuple[int, int], options: dict[str, Any]) -> None:
    left, right = sides.catalog("mine", rows[0]), sides.catalog("theirs", rows[1])
    found = tsm.crossmatch(left, right, radius_arcsec=RADIUS, **options)
    expected = lsdb.open_catalog(left).crossmatch(lsdb.open_catalog(right), radius_arcsec=RADIUS,
                                                  **(THEIR_WAY | options))
    suffixes = options["suffixes"] if "suffix_method" in options else ("", "")
    _same(found, expected, [name + suffix for name, suffix in zip(BOTH_IDS, suffixes, strict=True)])
    pd.testing.assert_frame_equal(found.meta, expected.meta)
    assert found.name == expected.name
    theirs, ours = (each.hc_structure.catalog_info for each in (expected, found))
    assert (ours.ra_column, ours.dec_column) == (theirs.ra_column, theirs.dec_column)


def _brute(sides: Sides, radius: float) -> set[tuple[int, int]]:
    mine, theirs = (SkyCoord(table["ra"], table["dec"], unit="deg") for table in sides[:2])
    first, second, _, _ = search_around_sky(mine, theirs, radius * u.arcsec)
    return {(sides.mine["id"][int(i)].as_py(), sides.theirs["objectId"][int(j)].as_py())
            for i, j in zip(first, second, strict=True)}


@pytest.mark.parametrize("rows", [(20, 1000), (1000, 20), (25, 30)])
def test_without_any_margin_no_pair_is_lost(sides, rows):
    left, right = (sides.catalog(side, n, None)
                   for side, n in zip(("mine", "theirs"), rows, strict=True))
    found = tsm.crossmatch(left, right, radius_arcsec=RADIUS, n_neighbors=100)
    frame = found.compute(progress_bar=False)
    pairs = set(zip(frame["id"], frame["objectId"], strict=True))
    assert pairs == _brute(sides, RADIUS)
    assert len(frame) == len(found) == len(pairs)


def test_tables_in_memory_are_matched_as_catalogues_are(sides, crossed):
    right = sides.catalog("theirs", 100, None)
    for table in (sides.mine, sides.mine.to_pandas(types_mapper=pd.ArrowDtype),
                  Table({name: sides.mine[name].to_numpy() for name in ("id", "ra", "dec")})):
        found = tsm.crossmatch(table, right, radius_arcsec=RADIUS, n_neighbors=3)
        assert found.name == "left_x_theirs"
        frame = found.compute(progress_bar=False)
        expected = crossed.compute(progress_bar=False).rename(
            columns={"ra_mine": "ra_left", "dec_mine": "dec_left", "name_mine": "name_left"})
        if "z" not in frame:  # the table has no name, so that column is one side's alone
            expected = expected.rename(columns={"name_theirs": "name"})
        _same(frame, expected[list(frame.columns)], BOTH_IDS)


def test_a_table_names_its_position_columns(sides):
    table = sides.mine.rename_columns(["id", "RA", "DEC", "z", "name"])
    found = tsm.crossmatch(table, sides.catalog("theirs", 100, None), radius_arcsec=RADIUS,
                           ra_column="RA", dec_column="DEC", left_columns=["id"],
                           right_columns=["objectId"])
    assert list(found.columns) == ["id", "RA", "DEC", "objectId", "ra", "dec", "_dist_arcsec"]
    assert found.hc_structure.catalog_info.ra_column == "RA"


def test_columns_asked_for_come_with_positions_as_lsdb_opens_them(lsdb, sides):
    left, right = sides.catalog("mine", 60), sides.catalog("theirs", 60)
    columns = ["z", "ra", "id"], ["flux", "objectId"]
    found = tsm.crossmatch(left, right, radius_arcsec=RADIUS, left_columns=columns[0],
                           right_columns=columns[1])
    opened = [lsdb.open_catalog(path, columns=list(names))
              for path, names in zip((left, right), columns, strict=True)]
    _same(found, opened[0].crossmatch(opened[1], radius_arcsec=RADIUS, **THEIR_WAY), BOTH_IDS)


def test_columns_are_those_that_a_catalogue_names_as_its_default(lsdb, sides, tmp_path):
    opened = lsdb.open_catalog(sides.catalog("theirs", 60))
    opened.write_catalog(tmp_path / "few", default_columns=["objectId", "ra", "dec"],
                         as_collection=False, progress_bar=False)
    found, every = (tsm.crossmatch(sides.mine, tmp_path / "few", radius_arcsec=RADIUS,
                                   right_columns=columns, suffixes=("", "_r"))
                    for columns in (None, "all"))
    assert list(found.columns)[5:] == ["objectId", "ra_r", "dec_r", "_dist_arcsec"]
    assert list(every.columns)[5:] == ["objectId", "ra_r", "dec_r", "flux", "good", "name_r",
                                       "_dist_arcsec"]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Tile]:
    """The tiles that are read from now on."""
    tiles: list[Tile] = []
    load = MatchedRows.__call__

    def noted(self: MatchedRows, tile: Tile) -> pa.Table:
        tiles.append(tile)
        return load(self, tile)

    monkeypatch.setattr(MatchedRows, "__call__", noted)
    return tiles


@pytest.mark.parametrize("cone", [(0.0, 5.0), (123.0, 90.0), (45.0, 0.0)])
def test_a_cone_reads_the_partitions_that_it_touches_alone(sides, crossed, loaded, cone):
    found = crossed.cone_search(*cone, 200)
    frame = found.compute(progress_bar=False)
    assert set(loaded) == {Tile(pixel.order, pixel.pixel) for pixel in found.get_healpix_pixels()}
    assert 0 < len(loaded) < crossed.npartitions
    whole = crossed.compute(progress_bar=False)
    inside = SkyCoord(whole["ra_mine"], whole["dec_mine"], unit="deg").separation(
        SkyCoord(*cone, unit="deg")).arcsec < 200
    _same(frame, whole[inside], BOTH_IDS)


def test_a_look_and_a_choice_of_columns_read_what_they_need(crossed, loaded):
    assert len(crossed.head(3)) == 3
    assert len(loaded) == 1
    few = crossed[["id", "_dist_arcsec"]].query("_dist_arcsec < 5").compute(progress_bar=False)
    whole = crossed.compute(progress_bar=False)
    assert sorted(few["id"]) == sorted(whole["id"][whole["_dist_arcsec"] < 5])


def test_partitions_are_those_of_the_left_side_that_have_pairs(lsdb, sides, crossed):
    left = lsdb.open_catalog(sides.catalog("mine", 40, None))
    assert set(crossed.get_healpix_pixels()) <= set(left.get_healpix_pixels())
    assert all(len(part.compute(progress_bar=False)) for part in crossed.partitions)
    whole = tsm.crossmatch(sides.catalog("mine", 40, None), sides.catalog("theirs", 100, None),
                           how="left", radius_arcsec=RADIUS)
    assert set(whole.get_healpix_pixels()) == set(left.get_healpix_pixels())


def test_it_joins_and_is_matched_with_a_third_catalogue(lsdb, sides, crossed, tmp_path):
    third = lsdb.open_catalog(write_table_as_collection(
        sides.mine.select(["id", "ra", "dec"]).append_column("w", sides.mine["z"]),
        tmp_path / "third", "third", margin_arcsec=RADIUS, rows_per_partition=150))
    whole = crossed.compute(progress_bar=False)
    joined = crossed.join(third[["id", "w", "ra", "dec"]], left_on="id", right_on="id",
                          suffixes=("", "_3"), suffix_method="overlapping_columns",
                          log_changes=False).compute(progress_bar=False)
    assert len(joined) == len(whole)
    assert (joined["w"] == joined["z"]).all()
    again = crossed.crossmatch(third, radius_arcsec=0.1, suffixes=("_first", "_3"),
                               suffix_method="all_columns", log_changes=False)
    frame = again.compute(progress_bar=False)
    assert len(frame) == len(whole)
    assert (frame["id_first"] == frame["id_3"]).all()


def test_written_and_reopened_it_is_a_sound_catalogue_of_the_same_rows(
        lsdb, crossed, tmp_path, caplog):
    from hats.io.validation import is_valid_catalog

    crossed.write_catalog(tmp_path / "out", progress_bar=False)
    with caplog.at_level(logging.WARNING):
        assert is_valid_catalog(tmp_path / "out", strict=True)
    assert not [record for record in caplog.records if "collection" not in record.message]
    again = lsdb.open_catalog(tmp_path / "out")
    assert len(again) == len(crossed)
    _same(again, crossed, BOTH_IDS)
    with pytest.raises(TsmError) as refused:  # it has a column of separations already
        tsm.crossmatch(tmp_path / "out", tmp_path / "out")
    assert set(refused.value.codes) == {Code.TABLE_DUPLICATE_COLUMN}
    kept = ["id", "z"]
    twice = tsm.crossmatch(tmp_path / "out", tmp_path / "out", left_columns=kept,
                           right_columns=kept)
    assert list(twice.columns)[:2] == kept  # the suffixes of LSDB for catalogues of one name
    assert "id_right" in twice.columns


def test_worker_processes_compute_what_threads_compute(sides, crossed):
    with dask_client(ClusterPolicy(kind="local", workers=1)):
        frame = crossed.compute(progress_bar=False)
        cone = crossed.cone_search(45, 0, 200).compute(progress_bar=False)
    _same(frame, crossed, BOTH_IDS)
    _same(cone, crossed.cone_search(45, 0, 200), BOTH_IDS)


def test_catalogues_whose_partitions_are_folders_of_files_are_matched(sides, crossed, tmp_path):
    for side, rows in (("mine", 40), ("theirs", 100)):
        shutil.copytree(sides.catalog(side, rows, None), tmp_path / side)
        for file in list((tmp_path / side / side / "dataset").rglob("Npix=*.parquet")):
            table = pq.ParquetFile(file).read()
            file.unlink()
            file.with_suffix("").mkdir()
            half = len(table) // 2
            for part, rows_of in enumerate([table.slice(0, half), table.slice(half)]):
                pq.write_table(rows_of, file.with_suffix("") / f"part{part}.parquet")
        for name in ("properties", "hats.properties"):
            file = tmp_path / side / side / name
            file.write_text(file.read_text().replace("npix_suffix=.parquet", "npix_suffix=/"))
    found = tsm.crossmatch(tmp_path / "mine", tmp_path / "theirs", radius_arcsec=RADIUS,
                           n_neighbors=3)
    _same(found, crossed, BOTH_IDS)


@needs_rclone
def test_catalogues_at_addresses_are_matched_as_those_on_disk(sides, crossed, monkeypatch):
    sides.catalog("mine", 40, None)
    sides.catalog("theirs", 100, None)
    with web_server(sides.folder) as host:
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", host)
        found = tsm.crossmatch(f"http://{host}/mine-40-None", f"http://{host}/theirs-100-None",
                               radius_arcsec=RADIUS, n_neighbors=3)
        _same(found, crossed, BOTH_IDS)


def test_temporary_files_stay_as_long_as_something_is_made_of_them(sides, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = tsm.crossmatch(sides.mine, sides.catalog("theirs", 100, None), radius_arcsec=RADIUS,
                           scratch=scratch)
    assert list(scratch.iterdir())
    cone = found.cone_search(0, 5, 600)[["id"]]
    del found
    gc.collect()
    assert len(cone.compute(progress_bar=False))
    del cone
    gc.collect()
    assert not list(scratch.iterdir())


def test_equal_separations_are_settled_by_the_id_that_is_named(tmp_path):
    objects = pa.table({"objectId": [7, 3], "ra": [10.0, 10.0], "dec": [0.001, 0.001],
                        "order": [7.5, 3.5]})
    write_table_as_collection(objects, tmp_path / "two", "two", margin_arcsec=None)
    table = pa.table({"id": [1], "ra": [10.0], "dec": [0.001]})
    first, least = (tsm.crossmatch(table, tmp_path / "two", id_column=column)
                    .compute(progress_bar=False)["objectId"].tolist()
                    for column in ("", "objectId"))
    assert (first, least) == ([7], [3])


FAR = pa.table({"id": [1], "ra": [200.0], "dec": [60.0]})


def test_a_match_of_nothing_is_refused_unless_rows_stay_without_one(sides, tmp_path):
    right = sides.catalog("theirs", 100, None)
    with pytest.raises(TsmError) as refused:
        tsm.crossmatch(FAR, right, scratch=tmp_path)
    assert refused.value.codes == (Code.MATCH_EMPTY,)
    assert not list(tmp_path.iterdir())
    frame = tsm.crossmatch(FAR, right, how="left").compute(progress_bar=False)
    assert frame["id"].tolist() == [1]
    assert frame[["objectId", "ra_theirs", "flux", "_dist_arcsec"]].isna().all(axis=None)


@pytest.mark.parametrize(("options", "codes"), [
    ({"left_columns": ["idd"], "right_columns": ["flus"]}, [Code.CATALOG_COLUMN] * 2),
    ({"suffixes": ("", "")}, [Code.TABLE_DUPLICATE_COLUMN] * 2),
    ({"id_column": "flux"}, [Code.TABLE_COLUMN_TYPE]),
    ({"radius_arcsec": 0.0}, [Code.RECIPE_BAD_VALUE]),
    ({"how": "outer", "n_neighbors": 0}, [Code.RECIPE_BAD_VALUE] * 2),
    ({"suffix_method": "none"}, [Code.RECIPE_BAD_VALUE]),
    ({"ra_column": "RA"}, [Code.TABLE_MISSING_COLUMN]),
    ({"scratch": "/nowhere/at/all"}, [Code.OUTPUT_WRITE]),
])
def test_what_cannot_be_is_refused_with_all_mistakes(sides, options, codes):
    with pytest.raises(TsmError) as refused:
        tsm.crossmatch(FAR, sides.catalog("theirs", 100, None), **options)
    assert list(refused.value.codes) == codes


def test_a_catalogue_of_lsdb_is_refused_with_what_to_do(lsdb, sides):
    path = sides.catalog("theirs", 100, None)
    opened = lsdb.open_catalog(path)
    for sides_of in ((opened, path), (sides.mine, opened)):
        with pytest.raises(TsmError, match="write_catalog") as refused:
            tsm.crossmatch(*sides_of)
        assert refused.value.codes == (Code.CATALOG_INVALID,)


@pytest.mark.parametrize(("ra", "code"), [(None, Code.POSITION_MISSING),
                                          (-1.0, Code.POSITION_RANGE)])
def test_rows_without_a_position_are_refused_before_anything_is_matched(sides, tmp_path, ra, code):
    table = pa.table({"id": [1], "ra": pa.array([ra], pa.float64()), "dec": [0.0]})
    write_table_as_collection(FAR, tmp_path / "far", "far", margin_arcsec=None)
    file = next((tmp_path / "far" / "far" / "dataset").rglob("Npix=*.parquet"))
    pixel = Tile(int(file.parts[-3].split("=")[1]), int(file.stem.split("=")[1]))
    write_parquet(tmp_path / "far" / "far", pixel,
                  table.add_column(0, "_healpix_29", pa.array([0])))
    for left in (table, tmp_path / "far"):
        with pytest.raises(TsmError) as refused:
            tsm.crossmatch(left, sides.catalog("theirs", 100, None))
        assert refused.value.codes == (code,)
