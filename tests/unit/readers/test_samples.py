"""Every sample file of others is read, or refused with the right error.

Rows and columns are those that the samples' own documentation and other readers tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.readers import describe_table, read_table

#: Rows and columns of each file, or the code of its refusal and a word of what it says.
SAMPLES: dict[str, tuple[int, int] | tuple[Code, str]] = {
    "catalog.csv.gz": (131, 5),
    "catalog.starr": (Code.FILE_FORMAT, "the ending `.starr`"),
    "catalog.zip": (131, 5),
    "gaia_epoch.ecsv": (Code.TABLE_COLUMN_TYPE, "`transit_id`: int64[null]"),
    "gaia_minimum.csv": (5, 8),
    "gaia_minimum_schema.parquet": (Code.TABLE_EMPTY, "no rows"),
    "headers.csv": (8, 5),
    "healpix_29_index.parquet": (131, 2),
    "lightcurve.parquet": (Code.TABLE_COLUMN_TYPE, "`lightcurve`: list<"),
    "macauff_metadata.yaml": (Code.FILE_FORMAT, "the ending `.yaml`"),
    "multi_row_group.parquet": (131, 6),
    "pandasindex.parquet": (8, 6),
    "pipe_delimited.csv": (Code.FILE_FORMAT, "divided by bars"),
    "small_sky.fits": (131, 6),
    "small_sky_healpix13.csv": (131, 6),
    "small_sky_lumpy.csv": (131, 6),
    "spatial_index.csv": (131, 4),
    "tess_gam02_10rows.fits": (Code.TABLE_COLUMN_TYPE, "`RAW_CNTS`: TFORM 25J"),
    "zall-pix-iron_10rows.fits": (Code.TABLE_COLUMN_TYPE, "`COEFF`: TFORM 10D"),
}


@pytest.fixture(scope="module")
def samples(shared_data) -> Path:
    return shared_data / "ingest" / "test_formats"


def test_no_sample_is_left_out(samples) -> None:
    assert {file.name for file in samples.iterdir()} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_has_its_outcome(samples, name) -> None:
    match SAMPLES[name]:
        case (Code() as code, word):
            with pytest.raises(TsmError) as refused:
                read_table(samples / name)
            assert refused.value.codes == (code,)
            assert word in refused.value.problems[0].found
        case rows_and_columns:
            assert read_table(samples / name).shape == rows_and_columns


@pytest.mark.parametrize(("name", "columns"), [
    ("gaia_epoch.ecsv", ["source_id", "ra", "dec", "n_transits"]),
    ("lightcurve.parquet", ["objectid", "objra", "objdec"]),
    ("tess_gam02_10rows.fits", ["TIME", "CADENCENO", "FFI_FILE"]),
    ("zall-pix-iron_10rows.fits", ["TARGETID", "Z", "ZWARN", "SPECTYPE", "TARGET_RA"]),
])
def test_what_is_unusable_is_in_nobodys_way(samples, name, columns) -> None:
    table = read_table(samples / name, columns=columns)
    assert table.column_names == columns
    assert not any(column.null_count for column in table.columns)


def test_a_file_without_a_known_ending_is_read_in_the_format_that_is_given(samples) -> None:
    named = read_table(samples / "catalog.starr", format="csv")
    assert named.equals(read_table(samples / "catalog.csv.gz"))
    assert named.equals(read_table(samples / "catalog.zip"))


def test_one_small_sky_is_the_same_in_three_formats(samples) -> None:
    sky = read_table(samples / "catalog.zip")
    columns = sky.column_names
    assert read_table(samples / "small_sky.fits", columns=columns).equals(sky)
    other = read_table(samples / "multi_row_group.parquet", columns=columns).sort_by("id")
    for name in columns:
        np.testing.assert_array_equal(other[name].to_numpy(), sky[name].to_numpy())


def test_comments_above_the_names_are_passed_over_and_ids_kept(samples) -> None:
    table = read_table(samples / "gaia_minimum.csv")
    assert table["solution_id"].to_pylist() == [1636148068921376768] * 5
    assert table["designation"][2].as_py() == "Gaia DR3 45637051177279744"
    assert table["libname_gspphot"].to_pylist() == [None, "MARCS", None, None, "MARCS"]


def test_the_header_of_ecsv_gives_types_units_and_ucds(samples) -> None:
    table = read_table(samples / "gaia_epoch.ecsv", columns=["source_id", "n_transits", "ra"])
    assert table.schema.types == [pa.int64(), pa.int16(), pa.float64()]
    assert table["source_id"].to_pylist() == [10655814178816, 10892037246720, 14263587225600]
    assert table.schema.field("ra").metadata == {
        b"unit": b"deg", b"ucd": b"pos.eq.ra;meta.main", b"description": b"Right ascension"}


def test_units_of_fits_are_kept(samples) -> None:
    path = samples / "tess_gam02_10rows.fits"
    header = fits.getheader(path, 1)
    columns = describe_table(path).columns
    assert [column.unit for column in columns] == [
        header.get(f"TUNIT{n}", "") for n in range(1, header["TFIELDS"] + 1)]
    assert columns[4].unit == "e-/s"
    assert [column.name for column in columns if not column.usable] == [
        "RAW_CNTS", "FLUX", "FLUX_ERR", "FLUX_BKG", "FLUX_BKG_ERR"]


def test_row_labels_with_names_of_their_own_are_columns(samples) -> None:
    table = read_table(samples / "pandasindex.parquet")
    assert table.column_names == pq.read_schema(samples / "pandasindex.parquet").names
