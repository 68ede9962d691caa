"""A catalogue of our own partitions does in LSDB what the same rows on disk do, and no more work.

What LSDB reads from a copy that is written beforehand is the oracle throughout.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from mocpy import MOC

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.sky.cluster import dask_client
from pz_tsm_core.sky.partition import Collection, plan_partitions, write_partition
from pz_tsm_core.sky.wrap import import_lsdb, lazy_catalog
from pz_tsm_core.sky.write import finish_collection
from pz_tsm_core.sphere import INDEX_ORDER, Tile, spatial_index
from tests.unit.sky.kept_apart import KeptApart

POSITION = {"ra_column": "ra", "dec_column": "dec"}


@pytest.fixture(scope="module")
def lsdb() -> Any:
    return import_lsdb()


def _sky(n: int, seed: int) -> pa.Table:
    """Points over the sky, half of them around a pole, RA 0 and a corner of base pixels."""
    rng = np.random.default_rng(seed)
    centres = rng.choice([(0.0, 90.0), (0.0, -90.0), (0.0, 5.0), (45.0, 0.0)], n)
    near = SkyCoord(*centres.T, unit="deg").directional_offset_by(
        rng.uniform(0, 360, n) * u.deg, 3 * rng.random(n) * u.deg)
    anywhere = rng.random(n) < 0.5
    return pa.table({
        "ra": np.where(anywhere, rng.uniform(0, 360, n), near.ra.deg % 360),
        "dec": np.where(anywhere, np.degrees(np.arcsin(rng.uniform(-1, 1, n))), near.dec.deg),
    })


def _typed(sky: pa.Table) -> pa.Table:
    """The points with a column of every kind that catalogues hold, most of them with nulls."""
    n = len(sky)
    counted = np.arange(n)

    def some(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=counted % 7 == 3)

    columns = {
        "id": pa.array(counted + (1 << 62) + 1),
        "objectId": some(counted * 3 + (1 << 60) + 1, pa.int64()),
        **{name: sky[name] for name in sky.column_names},
        "flux": some(np.linspace(-1, 1, n), pa.float32()),
        "nan": pa.array(np.where(counted % 5, 0.5, np.nan)),
        "good": some(counted % 2 == 0, pa.bool_()),
        "flag": some(counted % 4, pa.uint8()),
        "name": some([f"row {i}" for i in counted], pa.string()),
        "seen": some(counted, pa.timestamp("us", "UTC")),
        "sources": pa.array([None if i % 3 else list(range(i % 5)) for i in counted],
                            pa.list_(pa.int64())),
        "nowhere": pa.nulls(n, pa.float64()),
    }
    return pa.table(columns)


def _around_a_corner() -> MOC:
    """A degree around a corner of base pixels."""
    return MOC.from_cone(lon=45 * u.deg, lat=0 * u.deg, radius=1 * u.deg, max_depth=9)


class Twice(NamedTuple):
    """The same rows as a catalogue that is computed and as one that is on disk."""

    table: pa.Table
    tiles: list[Tile]
    parts: KeptApart
    lazy: Any
    written: Any

    def asked_for(self, catalog: Any) -> set[Tile]:
        """Tiles that computing a catalogue asks for."""
        self.parts.asked()
        catalog.compute(progress_bar=False)
        return self.parts.asked()


def _cut(table: pa.Table, tiles: list[Tile]) -> list[pa.Table]:
    index = spatial_index(table["ra"], table["dec"])
    ranges = [tile.range_at(INDEX_ORDER) for tile in tiles]
    return [table.filter(pa.array((low <= index) & (index < high))) for low, high in ranges]


@pytest.fixture(scope="module")
def twice(lsdb: Any, tmp_path_factory: pytest.TempPathFactory) -> Twice:
    table = _typed(_sky(800, seed=3))
    index = np.sort(spatial_index(table["ra"], table["dec"]))
    tiles = plan_partitions(index, 80, highest_order=6)
    parts = KeptApart(tmp_path_factory.mktemp("parts"))
    collection = Collection(tmp_path_factory.mktemp("hats") / "sky", "sky", table.schema, "ra",
                            "dec", margin_arcsec=None)
    written = []
    for tile, rows in zip(tiles, _cut(table, tiles), strict=True):
        parts.keep(tile, rows)
        written.append(write_partition(collection, tile, rows))
    on_disk = lsdb.open_catalog(finish_collection(collection, written), columns="all")
    lazy = lazy_catalog("sky", tiles, table.schema, parts, rows=len(table), **POSITION)
    assert len({tile.order for tile in tiles}) > 2
    return Twice(table, tiles, parts, lazy, on_disk)


@pytest.fixture(scope="module")
def third(lsdb: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Another catalogue with a margin: every second point moved a little, and points elsewhere."""
    moved = _sky(800, seed=3).take(pa.array(np.arange(0, 800, 2)))
    away = SkyCoord(moved["ra"], moved["dec"], unit="deg").directional_offset_by(
        np.linspace(0, 360, 400) * u.deg, np.linspace(0, 60, 400) * u.arcsec)
    sky = pa.concat_tables([pa.table({"ra": away.ra.deg % 360, "dec": away.dec.deg}),
                            _sky(200, seed=9)])
    ids = pa.array(np.append(np.arange(0, 800, 2), np.arange(5000, 5200)) * 3 + (1 << 60) + 1)
    frame = sky.append_column("objectId", ids).to_pandas()
    return lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec", partition_rows=150,
                               margin_threshold=120)


def _same(found: Any, expected: Any) -> None:
    """Equal rows in equal order, with equal types, of two catalogues or frames."""
    frames = [each if isinstance(each, pd.DataFrame) else each.compute(progress_bar=False)
              for each in (found, expected)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)
    assert len(frames[0])


def test_rows_and_types_are_those_that_lsdb_reads_from_disk(twice):
    _same(twice.lazy, twice.written)
    pd.testing.assert_frame_equal(twice.lazy.meta, twice.written.meta)
    assert twice.lazy.hc_structure.schema.equals(twice.written.hc_structure.schema)
    assert len(twice.lazy) == len(twice.written)
    assert twice.lazy.get_healpix_pixels() == twice.written.get_healpix_pixels()


def test_ids_beyond_the_precision_of_floats_and_nulls_come_through(twice):
    frame = twice.lazy.compute(progress_bar=False)
    back = frame.to_pyarrow().select(twice.table.column_names).sort_by("id")
    assert back["nan"].null_count == 0
    kept = [name for name in twice.table.column_names if name != "nan"]  # unequal to itself
    assert back.select(kept).cast(twice.table.select(kept).schema).equals(twice.table.select(kept))


def test_every_partition_gives_what_its_meta_says(twice):
    for partition in twice.lazy.partitions:
        frame = partition.compute(progress_bar=False)
        pd.testing.assert_frame_equal(frame.iloc[:0], twice.lazy.meta)


@pytest.mark.parametrize("search", [
    lambda catalog: catalog.cone_search(0.0, 5.0, 4000),
    lambda catalog: catalog.cone_search(123.0, 90.0, 3000),
    lambda catalog: catalog.box_search(ra=(358, 1.5), dec=(4, 6)),
    lambda catalog: catalog.moc_search(_around_a_corner()),
    lambda catalog: catalog.moc_search(_around_a_corner(), fine=False),
    lambda catalog: catalog.pixel_search([(2, 0), (1, 47)]),
    lambda catalog: catalog.order_search(min_order=4),
    lambda catalog: catalog.partitions[3],
    lambda catalog: catalog.partitions[2:5],
    lambda catalog: catalog.get_partition(*catalog.get_healpix_pixels()[7]),
], ids=["cone", "cone at a pole", "box over RA 0", "MOC", "coarse MOC", "pixels", "orders",
        "one partition", "some partitions", "pixel"])
def test_a_search_gives_the_rows_of_the_copy_and_asks_for_its_partitions_alone(twice, search):
    found, expected = search(twice.lazy), search(twice.written)
    _same(found, expected)
    tiles = {Tile(*pixel) for pixel in expected.get_healpix_pixels()}
    assert twice.asked_for(found) == tiles
    assert 0 < len(tiles) < len(twice.tiles)


def test_a_polygon_search_gives_the_rows_of_the_copy(twice):
    pytest.importorskip("lsst.sphgeom", reason="LSDB cuts polygons with lsst-sphgeom alone")
    corners = [(44.0, -1.0), (46.0, -1.0), (46.0, 1.0), (44.0, 1.0)]
    found = twice.lazy.polygon_search(corners)
    _same(found, twice.written.polygon_search(corners))
    assert len(twice.asked_for(found)) < len(twice.tiles)


def test_a_cone_inside_one_tile_asks_for_that_tile_alone(twice):
    tile = max(twice.tiles)
    inside = _cut(twice.table, [tile])[0]
    cone = twice.lazy.cone_search(inside["ra"][0].as_py(), inside["dec"][0].as_py(), 1e-3)
    assert twice.asked_for(cone) == {tile}
    assert cone.compute(progress_bar=False)["id"].to_list() == [inside["id"][0].as_py()]


def test_nothing_is_asked_for_before_rows_are(twice):
    twice.parts.asked()
    planned = twice.lazy.query("flux > 0").cone_search(0.0, 5.0, 4000)[["ra", "dec", "flux"]]
    assert str(planned)
    assert not twice.parts.asked()


def test_a_look_at_the_first_rows_asks_for_the_first_partition_alone(twice):
    twice.parts.asked()
    _same(twice.lazy.head(), twice.written.head())
    assert twice.parts.asked() == {Tile(*twice.lazy.get_ordered_healpix_pixels()[0])}


@pytest.mark.parametrize("work", [
    lambda catalog: catalog.query("flux > 0 and good == True"),
    lambda catalog: catalog[["id", "ra", "dec"]],
    lambda catalog: catalog["objectId"].compute().to_frame(),
    lambda catalog: catalog.map_partitions(lambda frame: frame.assign(double=frame["flux"] * 2)),
    lambda catalog: catalog.map_partitions(
        lambda frame, pixel: frame.assign(order=int(pixel.order)), include_pixel=True),
    lambda catalog: catalog[catalog["flux"] > 0.5],
    lambda catalog: catalog.rename({"ra": "ALPHA"}).drop("dec"),
    lambda catalog: catalog.to_dask_dataframe().compute(),
    lambda catalog: catalog.to_dask_dataframe().get_partition(4).compute(),
    lambda catalog: pd.concat([part.compute() for part in catalog.to_delayed()]),
    lambda catalog: catalog.tail(),
], ids=["query", "columns", "one column", "map", "map with pixels", "boolean", "rename and drop",
        "Dask", "a partition of Dask", "delayed", "tail"])
def test_work_on_rows_gives_what_it_gives_on_the_copy(twice, work):
    _same(work(twice.lazy), work(twice.written))


def test_writing_it_leaves_a_sound_catalogue_of_equal_rows(lsdb, twice, tmp_path, caplog):
    from hats.io.validation import is_valid_catalog

    twice.lazy.write_catalog(tmp_path / "out", progress_bar=False)
    with caplog.at_level(logging.WARNING):
        assert is_valid_catalog(tmp_path / "out", strict=True)
    assert not [record for record in caplog.records if "collection" not in record.message]
    again = lsdb.open_catalog(tmp_path / "out")
    _same(again, twice.written)
    assert len(again) == len(twice.table)
    assert (again.hc_structure.catalog_info.ra_column, again.name) == ("ra", "sky")


def test_a_join_by_id_gives_the_rows_of_pandas(twice, third):
    joined = twice.lazy.join(third, left_on="objectId", right_on="objectId", suffixes=("", "_3"),
                             suffix_method="overlapping_columns", log_changes=False)
    found = joined.compute(progress_bar=False)
    left = twice.lazy.compute(progress_bar=False)
    pairs = left.merge(third.compute(progress_bar=False), on="objectId", suffixes=("", "_3"))
    expected = twice.written.join(third, left_on="objectId", right_on="objectId",
                                  suffixes=("", "_3"), suffix_method="overlapping_columns",
                                  log_changes=False)
    _same(found, expected)
    columns = ["id", "ra", "dec_3"]
    pd.testing.assert_frame_equal(
        *(frame[columns].sort_values(columns).reset_index(drop=True) for frame in (found, pairs)))


def _crossmatch(left: Any, right: Any, **options: Any) -> Any:
    return left.crossmatch(right, radius_arcsec=60, n_neighbors=3, suffixes=("_l", "_r"),
                           suffix_method="all_columns", log_changes=False, **options)


@pytest.mark.parametrize("how", ["inner", "left"])
def test_a_crossmatch_with_a_third_catalogue_gives_the_pairs_of_the_copy(twice, third, how):
    found = _crossmatch(twice.lazy, third, how=how)
    _same(found, _crossmatch(twice.written, third, how=how))


def test_on_the_right_it_warns_for_want_of_a_margin_as_results_of_lsdb_do(twice, third):
    with pytest.warns(RuntimeWarning) as ours:
        found = _crossmatch(third, twice.lazy)
    with pytest.warns(RuntimeWarning) as theirs:
        _crossmatch(third, _crossmatch(twice.written, third).rename({"ra_l": "ra", "dec_l": "dec"}))
    assert [str(each.message) for each in ours] == [str(each.message) for each in theirs]
    with pytest.warns(RuntimeWarning):
        _same(found, _crossmatch(third, twice.written))


def test_it_says_of_itself_what_a_crossmatch_of_lsdb_says(twice, third):
    result = _crossmatch(twice.written, third)
    unknown = lazy_catalog("sky", twice.tiles, twice.table.schema, twice.parts, **POSITION)
    theirs, ours = (each.hc_structure for each in (result, unknown))
    for kept in ("catalog_type", "healpix_column", "healpix_order", "total_rows"):
        assert getattr(ours.catalog_info, kept) == getattr(theirs.catalog_info, kept)
    assert (unknown.margin, ours.on_disk) == (result.margin, theirs.on_disk) == (None, False)
    for catalog in (unknown, result):
        with pytest.raises(ValueError, match="number of rows is undetermined"):
            len(catalog)


def test_coverage_spares_partitions_in_a_later_match(twice, third):
    covered = lazy_catalog("sky", twice.tiles, twice.table.schema, twice.parts,
                           moc=_around_a_corner(), **POSITION)
    crossed = _crossmatch(covered, third)
    assert twice.asked_for(crossed) < twice.asked_for(_crossmatch(twice.lazy, third))
    near = crossed.cone_search(45, 0, 3000).compute(progress_bar=False)
    _same(near, _crossmatch(twice.written, third).cone_search(45, 0, 3000))


def test_worker_processes_compute_what_threads_compute(twice, third):
    with dask_client(ClusterPolicy(kind="local", workers=1)):
        whole = twice.lazy.compute(progress_bar=False)
        crossed = _crossmatch(twice.lazy, third).compute(progress_bar=False)
    _same(whole, twice.written)
    _same(crossed, _crossmatch(twice.written, third))


def _given(table: pa.Table, tile: Tile) -> pa.Table:
    """The rows of a tile out of a table in memory."""
    return _cut(table, [tile])[0]


def _of(table: pa.Table, tiles: list[Tile], load: Any = None) -> Any:
    return lazy_catalog("few", tiles, table.schema, load or partial(_given, table), **POSITION)


def test_catalogues_of_one_source_and_other_tiles_keep_their_rows_apart(twice):
    table = twice.table.select(["id", "ra", "dec"])
    first, last = (_of(table, tiles) for tiles in (twice.tiles[:3], twice.tiles[3:]))
    both = first.concat(last).compute(progress_bar=False)
    assert sorted(both["id"]) == table["id"].to_pylist()


def test_tiles_may_come_in_any_order(twice):
    shuffled = [twice.tiles[i] for i in np.random.default_rng(1).permutation(len(twice.tiles))]
    again = lazy_catalog("sky", shuffled, twice.table.schema, twice.parts, **POSITION)
    _same(again, twice.written)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (360.0, 1.0), (10.0, 90.0), (10.0, -90.0)])
def test_one_row_is_found_also_at_ra_0_and_the_poles(lsdb, tmp_path, ra, dec):
    table = pa.table({"id": [1], "ra": [ra], "dec": [dec]})
    tile = Tile(5, int(spatial_index([ra], [dec])[0]) >> 2 * (INDEX_ORDER - 5))
    catalog = _of(table, [tile])
    cone = catalog.cone_search(ra % 360, dec, 1)
    assert cone.compute(progress_bar=False)["id"].to_list() == [1]
    catalog.write_catalog(tmp_path / "one", progress_bar=False)
    assert len(lsdb.open_catalog(tmp_path / "one")) == 1


def test_curves_become_nested_columns_as_lsdb_reads_them(lsdb, tmp_path):
    curves = [{"t": [0.5, 1.5], "mag": [20, None]}, None, {"t": [], "mag": []}]
    kind = pa.struct({"t": pa.list_(pa.float64()), "mag": pa.list_(pa.int64())})
    table = pa.table({"ra": [0.0, 1.0, 2.0], "dec": [0.0, 1.0, 2.0],
                      "curve": pa.array(curves, kind)})
    catalog = _of(table, [Tile(0, 4)])
    catalog.write_catalog(tmp_path / "curves", progress_bar=False)
    written = lsdb.open_catalog(tmp_path / "curves")
    pd.testing.assert_frame_equal(catalog.meta, written.meta)
    found, expected = (each.compute(progress_bar=False) for each in (catalog, written))
    assert found.to_pyarrow().equals(expected.to_pyarrow())
    assert found["curve.t"].to_list() == [0.5, 1.5]


def test_tiles_without_rows_are_partitions_that_writing_leaves_out(lsdb, tmp_path):
    table = pa.table({"id": [1, 2], "ra": [0.0, 1.0], "dec": [0.0, 1.0]})
    catalog = _of(table, [Tile(0, pixel) for pixel in range(12)])
    frames = [part.compute(progress_bar=False) for part in catalog.partitions]
    assert [len(frame) for frame in frames] == [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    assert all(frame.dtypes.equals(catalog.dtypes) for frame in frames)
    catalog.write_catalog(tmp_path / "two", progress_bar=False)
    assert lsdb.open_catalog(tmp_path / "two").npartitions == 1


def test_no_tiles_at_all_are_a_catalogue_without_rows(twice):
    catalog = _of(twice.table, [])
    pd.testing.assert_frame_equal(catalog.compute(progress_bar=False), twice.lazy.meta)
    assert catalog.npartitions == 0
    assert catalog.cone_search(0, 0, 10).npartitions == 0
    pd.testing.assert_frame_equal(catalog.head(), twice.lazy.meta)
    assert str(catalog)


def test_tiles_that_overlap_are_refused(twice):
    with pytest.raises(ValueError, match="overlapping"):
        _of(twice.table, [Tile(0, 4), Tile(1, 17)])


ONE = pa.table({"id": [1], "ra": [0.0], "dec": [0.0]})


@pytest.mark.parametrize(("given", "code"), [
    (ONE.select(["id", "ra"]), Code.TABLE_COLUMN_TYPE),
    (ONE.select(["ra", "dec", "id"]), Code.TABLE_COLUMN_TYPE),
    (ONE.set_column(0, "id", pc.cast(ONE["id"], pa.float64())), Code.TABLE_COLUMN_TYPE),
    (ONE.set_column(1, "ra", [[180.0]]), Code.CATALOG_INVALID),
    (ONE.set_column(1, "ra", pa.array([[None]], pa.list_(pa.float64())).flatten()),
     Code.POSITION_MISSING),
], ids=["a column less", "another order", "another type", "outside the tile", "no position"])
def test_partitions_that_are_not_what_was_announced_are_refused(given, code):
    catalog = _of(ONE, [Tile(0, 4)], load=lambda tile: given)
    with pytest.raises(TsmError) as refused:
        catalog.compute(progress_bar=False)
    assert refused.value.codes == (code,)
    assert "few" in refused.value.problems[0].where
