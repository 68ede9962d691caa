"""Written collections open in LSDB, pass HATS' own validation and lose nothing."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.sky.wrap import import_lsdb
from pz_tsm_core.sky.write import (
    Collection,
    Tile,
    finish_collection,
    write_partition,
    write_table_as_collection,
)
from pz_tsm_core.sphere import spatial_index


@pytest.fixture(scope="module")
def lsdb():
    return import_lsdb()


def sky_table(n: int, seed: int = 3) -> pa.Table:
    """Points over the whole sky, crowded around the poles, RA 0 and a vertex of base pixels."""
    rng = np.random.default_rng(seed)
    centres = rng.choice([(0.0, 90.0), (0.0, -90.0), (0.0, 5.0), (45.0, 0.0)], n)
    near = SkyCoord(*centres.T, unit="deg").directional_offset_by(
        rng.uniform(0, 360, n) * u.deg, 3 * rng.random(n) * u.deg)
    anywhere = rng.random(n) < 0.5
    ra = np.where(anywhere, rng.uniform(0, 360, n), near.ra.deg % 360)
    dec = np.where(anywhere, np.degrees(np.arcsin(rng.uniform(-1, 1, n))), near.dec.deg)
    return pa.table({
        "id": rng.permutation(n) + (1 << 60), "ra": ra, "dec": dec,
        "flux": rng.normal(size=n).astype(np.float32),
        "name": pa.array([f"row {i}" if i % 7 else None for i in range(n)]),
        "good": rng.random(n) < 0.5,
    })


def in_partitions(path: Path, parts, schema: pa.Schema) -> Path:
    collection = Collection(path, "sky", schema, "ra", "dec")
    return finish_collection(collection, [write_partition(collection, *part) for part in parts])


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return sky_table(6000)


@pytest.fixture(scope="module")
def collection(table, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("hats") / "sky"
    return write_table_as_collection(table, path, "sky", margin_arcsec=1800,
                                     rows_per_partition=200)


def rows_on_disk(folder: Path) -> pa.Table:
    files = sorted(folder.glob("dataset/Norder=*/Dir=*/Npix=*.parquet"))
    return pa.concat_tables([pq.ParquetFile(file, page_checksum_verification=True).read()
                             for file in files])


def data_bytes(path: Path) -> dict[str, str]:
    return {file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in path.rglob("*") if file.is_file() and file.suffix != ".properties"
            and file.name != "properties"}


def test_the_rows_of_the_partitions_are_the_rows_of_the_table(collection, table):
    stored = rows_on_disk(collection / "sky").drop_columns(["_healpix_29"])
    assert stored.schema.equals(table.schema)
    assert stored.sort_by("id").equals(table.sort_by("id").combine_chunks())


def test_strict_validation_of_hats_accepts_the_collection(collection, caplog):
    from hats.io.validation import is_valid_catalog

    with caplog.at_level(logging.WARNING):
        assert is_valid_catalog(collection, strict=True)
    assert [record.message for record in caplog.records] == [
        "Looking for catalog - found collection."]


def test_lsdb_opens_the_catalogue_with_its_margin(lsdb, collection, table):
    catalog = lsdb.open_catalog(collection)
    assert catalog.margin.hc_structure.catalog_info.margin_threshold == 1800
    assert len(catalog.get_healpix_pixels()) > 30
    frame = catalog.compute(progress_bar=False)
    assert sorted(frame["id"].to_numpy(dtype=np.int64)) == sorted(table["id"].to_numpy())
    assert len(catalog.margin.compute(progress_bar=False)) > 1000


def test_lsdb_makes_the_same_margin_of_the_same_partitions(lsdb, collection, table):
    ours = lsdb.open_catalog(collection)
    frame = table.select(["id", "ra", "dec"]).to_pandas()
    theirs = lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec", margin_threshold=1800,
                                 partition_rows=200, drop_empty_siblings=False, highest_order=10)
    assert set(ours.get_healpix_pixels()) == set(theirs.get_healpix_pixels())
    assert set(ours.margin.get_healpix_pixels()) == set(theirs.margin.get_healpix_pixels())
    for pixel in theirs.margin.get_healpix_pixels():
        expected = theirs.margin.get_partition(pixel.order, pixel.pixel)
        found = ours.margin.get_partition(pixel.order, pixel.pixel)
        assert (sorted(found.compute(progress_bar=False)["id"])
                == sorted(expected.compute(progress_bar=False)["id"]))


def test_a_crossmatch_over_borders_finds_what_brute_force_finds(lsdb, collection, table, tmp_path):
    radius = 1700.0
    rng = np.random.default_rng(5)
    seekers = SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg")
    seekers = seekers.directional_offset_by(rng.uniform(0, 360, len(seekers)) * u.deg,
                                            1.2 * radius * rng.random(len(seekers)) * u.arcsec)
    left = pa.table({"seeker": np.arange(len(seekers)), "ra": seekers.ra.deg % 360,
                     "dec": seekers.dec.deg})
    write_table_as_collection(left, tmp_path / "left", "left", margin_arcsec=None,
                              rows_per_partition=900)
    matched = lsdb.open_catalog(tmp_path / "left").crossmatch(
        lsdb.open_catalog(collection), radius_arcsec=radius, require_right_margin=True,
        suffix_method="overlapping_columns", suffixes=("_left", "_right"),
    ).compute(progress_bar=False)
    nearest, separation, _ = seekers.match_to_catalog_sky(
        SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg"))
    expected = {i: int(table["id"][int(nearest[i])].as_py())
                for i in np.flatnonzero(separation.arcsec <= radius)}
    found = dict(zip(matched["seeker"].to_numpy(np.int64), matched["id"].to_numpy(np.int64),
                     strict=True))
    assert len(expected) > 4000
    assert found == expected


def test_a_cone_search_over_borders_finds_what_brute_force_finds(lsdb, collection, table):
    found = lsdb.open_catalog(collection).cone_search(45.0, 0.0, 2 * 3600).compute(
        progress_bar=False)
    places = SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg")
    inside = SkyCoord(45.0, 0.0, unit="deg").separation(places) <= 2 * u.deg
    assert sorted(found["id"]) == sorted(table["id"].to_numpy()[inside])


def test_partitions_are_sorted_encoded_and_checked_as_promised(collection):
    for file in (collection / "sky").glob("dataset/*/*/*.parquet"):
        footer = pq.read_metadata(file)
        columns = {footer.row_group(0).column(i).path_in_schema: footer.row_group(0).column(i)
                   for i in range(footer.num_columns)}
        assert footer.schema.names[0] == "_healpix_29"
        assert "DELTA_BINARY_PACKED" in columns["_healpix_29"].encodings
        assert "BYTE_STREAM_SPLIT" in columns["flux"].encodings
        assert {column.compression for column in columns.values()} == {"ZSTD"}
        stored = pq.read_table(file)
        index = stored["_healpix_29"].to_numpy()
        assert (np.diff(index) >= 0).all()
        assert (index == spatial_index(stored["ra"].to_numpy(), stored["dec"].to_numpy())).all()


def test_a_flipped_byte_in_a_page_is_noticed(collection, tmp_path):
    file = next((collection / "sky").glob("dataset/*/*/*.parquet"))
    spoiled = bytearray(file.read_bytes())
    spoiled[200] ^= 1
    (tmp_path / "spoiled.parquet").write_bytes(spoiled)
    with pytest.raises((OSError, pa.ArrowException)):
        pq.ParquetFile(tmp_path / "spoiled.parquet", page_checksum_verification=True).read()


def test_equal_tables_give_equal_bytes(collection, table, tmp_path):
    again = write_table_as_collection(table, tmp_path / "sky", "sky", margin_arcsec=1800,
                                      rows_per_partition=200)
    assert data_bytes(again) == data_bytes(collection)


def test_the_order_of_rows_does_not_matter_where_positions_differ(collection, table, tmp_path):
    shuffled = table.take(np.random.default_rng(1).permutation(len(table)))
    again = write_table_as_collection(shuffled, tmp_path / "sky", "sky", margin_arcsec=1800,
                                      rows_per_partition=200)
    assert data_bytes(again) == data_bytes(collection)


def test_partitions_may_come_in_any_order_and_from_anywhere(tmp_path):
    table = sky_table(800, seed=9)
    index = spatial_index(table["ra"].to_numpy(), table["dec"].to_numpy())
    parts = [(Tile(0, pixel), table.filter(pa.array(index >> 58 == pixel)))
             for pixel in range(12)]
    forward = in_partitions(tmp_path / "a", parts, table.schema)
    backward = in_partitions(tmp_path / "b", parts[::-1], table.schema)
    assert data_bytes(forward) == data_bytes(backward)


def test_an_empty_margin_opens(lsdb, tmp_path):
    table = pa.table({"ra": [10.0], "dec": [20.0]})
    write_table_as_collection(table, tmp_path / "one", "one", margin_arcsec=1.0)
    catalog = lsdb.open_catalog(tmp_path / "one")
    assert len(catalog.compute(progress_bar=False)) == 1
    assert catalog.margin.hc_structure.catalog_info.total_rows == 0


def test_a_catalogue_without_margin_says_so(lsdb, tmp_path):
    write_table_as_collection(sky_table(100), tmp_path / "c", "c", margin_arcsec=None)
    assert lsdb.open_catalog(tmp_path / "c").margin is None


@pytest.mark.parametrize(("columns", "codes"), [
    ({"ra": [], "dec": []}, (Code.TABLE_EMPTY,)),
    ({"ra": [1.0]}, (Code.TABLE_MISSING_COLUMN,)),
    ({"ra": [np.nan], "dec": [0.0]}, (Code.POSITION_MISSING,)),
    ({"ra": [1.0], "dec": [None]}, (Code.POSITION_MISSING,)),
    ({"ra": [-1.0], "dec": [91.0]}, (Code.POSITION_RANGE, Code.POSITION_RANGE)),
])
def test_a_table_without_places_on_the_sky_is_refused_and_nothing_written(
    columns, codes, tmp_path
):
    table = pa.table({name: pa.array(values, pa.float64()) for name, values in columns.items()})
    with pytest.raises(TsmError) as refusal:
        write_table_as_collection(table, tmp_path / "c", "c")
    assert refusal.value.codes == codes
    assert not (tmp_path / "c").exists()


def test_a_directory_with_contents_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("data")
    with pytest.raises(TsmError) as refusal:
        write_table_as_collection(sky_table(10), tmp_path, "c")
    assert refusal.value.codes == (Code.OUTPUT_EXISTS,)


@pytest.mark.parametrize("margin", [0.0, -1.0, 4000.0])
def test_a_margin_that_cannot_be_is_refused(margin, tmp_path):
    with pytest.raises(TsmError) as refusal:
        write_table_as_collection(sky_table(10), tmp_path / "c", "c", margin_arcsec=margin)
    assert refusal.value.codes == (Code.VALUE_RANGE,)


@pytest.mark.parametrize(("tiles", "code"), [
    ([Tile(0, 11)], Code.CATALOG_INVALID),  # rows outside their pixel
    ([Tile(0, 4), Tile(1, 16)], Code.CATALOG_INVALID),  # one pixel inside another
    ([Tile(13, 4 * 4**13)], Code.CATALOG_MARGIN),  # too small for the margin
    ([], Code.TABLE_EMPTY),
])
def test_partitions_that_are_none_are_refused(tiles, code, tmp_path):
    # The first place of order 29 in base pixel 4, its southern vertex.
    table = pa.table({"ra": [0.0], "dec": [-np.degrees(np.arcsin(2 / 3)) + 1e-7]})
    with pytest.raises(TsmError) as refusal:
        in_partitions(tmp_path / "c", [(tile, table) for tile in tiles], table.schema)
    assert refusal.value.codes == (code,)
