"""Catalogues in the layouts that there are: each is searched as if it were a plain table."""

from __future__ import annotations

import csv
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hats.io.paths import pixel_catalog_file
from hats.pixel_math import HealpixPixel

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.sky.cluster import Pool
from pz_tsm_core.sky.objects import open_objects
from pz_tsm_core.sky.pairs import find_pairs
from pz_tsm_core.sky.search import Criteria
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.sphere import Tile

DEGREE = 3600.0


def _pairs(table: pa.Table, catalog: Path, criteria: Criteria) -> list[tuple[int, int]]:
    """Ids of positions and of the objects near them, in order."""
    with ThreadPoolExecutor(2) as executor:
        found = find_pairs(table["ra"].to_numpy(), table["dec"].to_numpy(),
                           open_objects(str(catalog)), criteria, Pool(executor, 2))
    ids = table["id"].to_numpy()[found.position]
    return list(zip(ids.tolist(), found.neighbors.id.tolist(), strict=True))


@pytest.fixture
def small_sky(shared_data: Path) -> pa.Table:
    """LSDB's own 131 objects."""
    return pq.read_table(
        shared_data / "lsdb" / "small_sky_order1_collection" / "small_sky_order1" / "dataset",
        columns=["id", "ra", "dec"], partitioning=None)


@pytest.mark.parametrize("name", [
    "small_sky", "small_sky_npix_alt_suffix", "small_sky_npix_as_dir", "small_sky_healpix13",
    "small_sky_order1_collection", "small_sky_order1_default_columns",
])
def test_every_object_of_lsdbs_layouts_is_found_in_its_place(shared_data, small_sky, name) -> None:
    near = _pairs(small_sky, shared_data / "lsdb" / name, Criteria(0.01, id="id"))
    first = {}  # two places hold two objects each
    for each, *place in sorted(zip(*(small_sky[name].to_pylist() for name in ("id", "ra", "dec")),
                                   strict=True)):
        first.setdefault(tuple(place), each)
        first[each] = first[tuple(place)]
    assert sorted(near) == [(each, first[each]) for each in sorted(small_sky["id"].to_pylist())]


def test_three_neighbours_are_those_that_lsdb_expects_and_those_over_borders(
    shared_data, small_sky
) -> None:
    """Its table for a catalogue without margin lacks what lies in a neighbouring partition."""
    lsdb = shared_data / "lsdb"
    with (lsdb / "expected" / "xmatch_correct_3n_2t_no_margin.csv").open() as file:
        expected = {(int(float(row["ss_id"])), int(float(row["xmatch_id"])))
                    for row in csv.DictReader(file)}
    found = _pairs(small_sky, lsdb / "small_sky_xmatch", Criteria(2 * DEGREE, n_neighbors=3,
                                                                  id="id"))
    assert len(expected) == 185
    assert len(found) == len(set(found)) == 190  # as LSDB finds with a margin
    of_three = {each for each in {mine for mine, _ in found}
                if sum(mine == each for mine, _ in found) == 3}
    # Nearer ones over the border take the place of some.
    assert {mine for mine, _ in expected - set(found)} <= of_three


@pytest.fixture
def objects() -> pa.Table:
    """Objects in clumps of a few arcsec."""
    rng = np.random.default_rng(5)
    ra, dec = (np.repeat(at + rng.uniform(0, 0.5, 50), 10) + rng.normal(0, 0.0005, 500)
               for at in (10, 20))
    return pa.table({"id": np.arange(500), "ra": ra, "dec": dec})


@pytest.fixture
def catalog(objects, tmp_path) -> Path:
    write_table_as_collection(objects, tmp_path / "objects", "objects", rows_per_partition=60)
    return tmp_path / "objects"


def _rewrite(catalog: Path, change) -> None:
    """Change the table of every partition, and what the catalogue says of its columns."""
    for file in catalog.glob("objects/dataset/Norder*/**/*.parquet"):
        pq.write_table(change(pq.read_table(file, partitioning=None)), file)
    shared = catalog / "objects" / "dataset" / "_common_metadata"
    pq.write_metadata(change(pq.read_schema(shared).empty_table()).schema, shared)


def _shuffled(table: pa.Table) -> pa.Table:
    return table.take(pa.array(np.random.default_rng(1).permutation(len(table))))


def _stale(table: pa.Table) -> pa.Table:
    """Places along the sky that are those of other rows of the partition."""
    index = table["_healpix_29"].to_numpy()
    if not len(index):
        return table
    other = np.random.default_rng(2).integers(index[0], index[-1] + 1, len(index))
    return table.set_column(0, "_healpix_29", pa.array(np.sort(other)))


def _without_index(table: pa.Table) -> pa.Table:
    return table.drop_columns("_healpix_29")


def _in_small_groups(catalog: Path) -> None:
    for file in catalog.glob("objects/dataset/Norder*/**/*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None), file, row_group_size=7)


@pytest.mark.parametrize("change", [_shuffled, _stale, _without_index])
def test_an_index_that_cannot_serve_is_made_anew(objects, catalog, change) -> None:
    criteria = Criteria(3.0, n_neighbors=5, id="id")
    expected = _pairs(objects, catalog, criteria)
    _rewrite(catalog, change)
    assert _pairs(objects, catalog, criteria) == expected


def test_groups_of_rows_make_no_difference(objects, catalog) -> None:
    criteria = Criteria(3.0, n_neighbors=5, id="id")
    expected = _pairs(objects, catalog, criteria)
    _in_small_groups(catalog)
    assert _pairs(objects, catalog, criteria) == expected


def test_positions_in_single_precision_are_matched_as_they_stand(objects, catalog) -> None:
    def rounded(table: pa.Table) -> pa.Table:
        for name in ("ra", "dec"):
            place = table.column_names.index(name)
            table = table.set_column(place, name, table[name].cast(pa.float32()))
        return table

    _rewrite(catalog, rounded)
    there = rounded(objects)
    left = pa.table({"id": objects["id"], **{name: there[name].cast(pa.float64())
                                             for name in ("ra", "dec")}})
    near = _pairs(left, catalog, Criteria(0.001, id="id"))
    alone = {}
    for each, ra, dec in zip(*(left[name].to_pylist() for name in ("id", "ra", "dec")),
                             strict=True):
        alone.setdefault((ra, dec), each)
    assert near == [(each, alone[ra, dec]) for each, ra, dec in zip(
        *(left[name].to_pylist() for name in ("id", "ra", "dec")), strict=True)]


def test_objects_outside_of_their_partition_are_refused(objects, catalog) -> None:
    files = sorted(catalog.glob("objects/dataset/Norder*/**/*.parquet"))
    shutil.copy(files[0], files[1])
    with pytest.raises(TsmError) as refused:
        _pairs(objects, catalog, Criteria(3.0, id="id"))
    assert refused.value.codes == (Code.CATALOG_INVALID,)


@pytest.mark.parametrize("suffix", [".parquet", ".parq", "/"])
def test_partitions_are_named_as_hats_names_them(catalog, suffix) -> None:
    layout = open_objects(str(catalog)).catalog.layout
    told = layout.properties.model_copy(update={"npix_suffix": suffix})
    for tile in (Tile(0, 3), Tile(8, 123_456), Tile(11, 49_999_999)):
        file = pixel_catalog_file("/", HealpixPixel(*tile), npix_suffix=suffix)
        ours = replace(layout, properties=told).partition(tile)
        assert str(file).rstrip("/") == f"/{ours.relative_to('objects')}"


def test_every_missing_column_is_named(catalog) -> None:
    with pytest.raises(TsmError) as refused:
        open_objects(str(catalog)).require(["id", "i_cModelFlux", "decc"])
    assert refused.value.codes == (Code.CATALOG_COLUMN, Code.CATALOG_COLUMN)
    assert "did you mean `dec`?" in str(refused.value)


@pytest.mark.parametrize("place", [(np.nan, 20.0), (10.0, np.nan), (10.0, 90.5), (np.inf, 0.0)])
def test_positions_off_the_sphere_are_refused(catalog, place) -> None:
    left = pa.table({"id": [1, 2], "ra": [10.0, place[0]], "dec": [20.0, place[1]]})
    with pytest.raises(TsmError) as refused:
        _pairs(left, catalog, Criteria(3.0, id="id"))
    assert refused.value.codes == (Code.POSITION_RANGE,)
    assert "1 of 2" in str(refused.value)


def test_single_precision_loses_nothing_at_the_borders_of_partitions(tmp_path) -> None:
    """There positions are rounded by up to 0.06 arcsec, over the border for some."""
    rng = np.random.default_rng(8)
    dec = rng.normal(0, 0.04 / 3600, 4000)  # around a corner of many pixels
    ra = 315 + rng.normal(0, 0.04 / 3600, 4000) + rng.integers(-3, 4, 4000) / 100
    objects = pa.table({"id": np.arange(4000), "ra": ra, "dec": dec})
    write_table_as_collection(objects, tmp_path / "objects", "objects", rows_per_partition=60)
    schema = pa.schema([("id", pa.int64()), ("ra", pa.float32()), ("dec", pa.float32())])
    _rewrite(tmp_path / "objects", lambda table: table.cast(
        pa.schema([table.schema.field(0), *schema])))
    stored = objects.cast(schema)
    left = pa.table({"id": stored["id"], "ra": stored["ra"].cast(pa.float64()),
                     "dec": stored["dec"].cast(pa.float64())})
    near = _pairs(left, tmp_path / "objects", Criteria(0.001, id="id"))
    assert [mine for mine, _ in near] == list(range(4000))


def _dec_of_the_first(value: float | None):
    def change(table: pa.Table) -> pa.Table:
        values = table["dec"].to_pylist()
        values[:1] = [value] * len(values[:1])
        place = table.column_names.index("dec")
        return table.set_column(place, "dec", pa.array(values, pa.float64()))

    return change


@pytest.mark.parametrize("value", [None, np.nan, 91.0])
@pytest.mark.parametrize("indexed", [True, False])
def test_an_object_without_a_position_is_no_neighbour_and_stops_nobody(
    objects, catalog, value, indexed
) -> None:
    criteria = Criteria(0.001, id="id")
    before = _pairs(objects, catalog, criteria)
    _rewrite(catalog, _dec_of_the_first(value))
    if not indexed:
        _rewrite(catalog, _without_index)
    after = _pairs(objects, catalog, criteria)
    files = len(list(catalog.glob("objects/dataset/Norder*/**/*.parquet")))
    assert len(before) - files == len(after)
    assert set(after) <= set(before)


def test_objects_elsewhere_are_refused_also_without_an_index(objects, catalog) -> None:
    files = sorted(catalog.glob("objects/dataset/Norder*/**/*.parquet"))
    shutil.copy(files[0], files[1])
    _rewrite(catalog, _without_index)
    with pytest.raises(TsmError) as refused:
        _pairs(objects, catalog, Criteria(3.0, id="id"))
    assert refused.value.codes == (Code.CATALOG_INVALID,)


def test_a_partition_whose_folder_is_gone_is_told(shared_data, small_sky, tmp_path) -> None:
    copy = tmp_path / "as_dir"
    shutil.copytree(shared_data / "lsdb" / "small_sky_npix_as_dir", copy)
    shutil.rmtree(copy / "dataset" / "Norder=0" / "Dir=0" / "Npix=11")
    with pytest.raises(TsmError) as refused:
        _pairs(small_sky, copy, Criteria(1.0, id="id"))
    assert refused.value.codes == (Code.CATALOG_INVALID,)
