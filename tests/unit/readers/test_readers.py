"""Reading tables of others: nothing lost on the way, nothing believed unchecked."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import read_table

ID = 12_345_678_901_234_567  # a float64 would make it ...568

TABLE = pa.table({
    "id": pa.array([ID, None, -3], pa.int64()),
    "z": pa.array([0.1, None, 1e-300], pa.float64()),
    "name": pa.array(["a", "b c", None]),
    "good": [True, None, False],
})


def refusal(path, **options):
    with pytest.raises(TsmError) as caught:
        read_table(path, **options)
    return caught.value


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv"])
def test_what_was_written_is_read(tmp_path, suffix):
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        pq.write_table(TABLE, path)
    else:
        delimiter = "\t" if suffix == "tsv" else ","
        pa.csv.write_csv(TABLE, path, pa.csv.WriteOptions(delimiter=delimiter))
    assert read_table(path).equals(TABLE)
    assert read_table(path, columns=["z", "id"]).equals(TABLE.select(["z", "id"]))
    assert read_table(path, format=suffix).equals(TABLE)


def test_a_fits_table_is_read_as_astropy_reads_it(tmp_path):
    path = tmp_path / "table.fits"
    written = Table({
        "id": np.array([ID, -5, 2**62]),
        "u8": np.array([2**64 - 1, 0, 5], np.uint64), "u4": np.array([2**32 - 1, 0, 5], np.uint32),
        "u2": np.array([2**16 - 1, 0, 5], np.uint16), "i1": np.array([-128, 0, 127], np.int8),
        "i2": np.array([-5, 0, 7], np.int16), "byte": np.array([255, 0, 7], np.uint8),
        "x": np.array([1.5, np.nan, -2], np.float32), "y": np.array([1e-300, 0, np.inf]),
        "text": ["ab  ", "", "longest"], "good": [True, False, True],
        "masked": MaskedColumn([1, 2, 3], mask=[False, True, False]),
    })
    written.write(path)
    ours, theirs = read_table(path), Table.read(path)
    assert ours.column_names == theirs.colnames
    for name in theirs.colnames:
        if name == "text":
            assert ours[name].to_pylist() == ["ab", "", "longest"]
        elif name == "masked":
            assert ours[name].to_pylist() == [1, None, 3]
        else:
            np.testing.assert_array_equal(ours[name].to_numpy(), np.asarray(theirs[name]))
    assert ours["id"].type == pa.int64()
    assert ours["u8"].type == pa.uint64()


def test_a_table_behind_an_image_and_scaled_columns_are_found(tmp_path):
    path = tmp_path / "table.fits"
    table = fits.BinTableHDU(Table({"v": np.array([0, 1, 2], np.int16)}))
    table.header["XSCAL1"], table.header["XZERO1"] = 0.5, 1.0
    fits.HDUList([fits.PrimaryHDU(np.zeros((7, 5))), fits.ImageHDU(np.zeros(9)), table]
                 ).writeto(path)
    data = path.read_bytes().replace(b"XSCAL1", b"TSCAL1").replace(b"XZERO1", b"TZERO1")
    path.write_bytes(data)
    assert read_table(path)["v"].to_pylist() == [1.0, 1.5, 2.0]
    np.testing.assert_array_equal(Table.read(path, hdu=2)["v"], [1.0, 1.5, 2.0])


def test_an_extension_is_found_by_its_name(tmp_path):
    path = tmp_path / "table.fits"
    tables = [fits.BinTableHDU(Table({"v": [n]}), name=name) for n, name in enumerate("ABC")]
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    assert read_table(path)["v"].to_pylist() == [0]
    assert read_table(path, table="C")["v"].to_pylist() == [2]
    error = refusal(path, table="D")
    assert error.codes == (Code.FILE_FORMAT,)
    assert "A (BINTABLE), B (BINTABLE), C (BINTABLE)" in error.problems[0].found


def test_a_nul_ends_a_text_of_fits_and_blanks_before_it_are_padding(tmp_path):
    path = tmp_path / "table.fits"
    Table({"s": [b"abXjunk", b"whole  ", b"a b"]}).write(path)
    path.write_bytes(path.read_bytes().replace(b"abXjunk", b"ab \0junk"[:7]))
    assert read_table(path)["s"].to_pylist() == ["ab", "whole", "a b"]


def test_a_table_without_columns_is_empty(tmp_path):
    pq.write_table(pa.table({}), tmp_path / "t.parquet")
    assert refusal(tmp_path / "t.parquet").codes == (Code.TABLE_EMPTY,)


def test_vectors_are_refused_unless_they_are_not_asked_for(tmp_path):
    path = tmp_path / "table.fits"
    Table({"id": [1, 2], "flux": np.ones((2, 3))}).write(path)
    assert refusal(path).codes == (Code.TABLE_COLUMN_TYPE,)
    assert read_table(path, columns=["id"])["id"].to_pylist() == [1, 2]
    nested = tmp_path / "table.parquet"
    pq.write_table(pa.table({"id": [1], "flux": [[1.0, 2.0]]}), nested)
    assert refusal(nested).codes == (Code.TABLE_COLUMN_TYPE,)
    assert read_table(nested, columns=["id"])["id"].to_pylist() == [1]


def test_an_extension_type_is_refused(tmp_path):
    path = tmp_path / "table.parquet"
    storage = pa.array([b"0123456789abcdef"], pa.binary(16))
    pq.write_table(pa.table({"id": pa.ExtensionArray.from_storage(pa.uuid(), storage)}), path)
    assert refusal(path).codes == (Code.TABLE_COLUMN_TYPE,)


def test_dictionaries_become_text_and_row_labels_of_pandas_are_left_out(tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({
        "s": pa.array(["a", None]).dictionary_encode(),
        "l": pa.array(["b", "c"], pa.large_string()),
        "__index_level_0__": [0, 1]}), path)
    assert read_table(path).equals(pa.table({"s": pa.array(["a", None]), "l": ["b", "c"]}))


@pytest.mark.parametrize(("text", "type_", "values"), [
    ("12345678901234567,,3", pa.int64(), [ID, None, 3]),
    ("18446744073709551615,1", pa.uint64(), [2**64 - 1, 1]),
    ("007,12", pa.string(), ["007", "12"]),
    ("99999999999999999999,1", pa.string(), ["99999999999999999999", "1"]),
    ("12345678901234567,0.5", pa.string(), ["12345678901234567", "0.5"]),
    ("1,0.5,nan,1e-3", pa.float64(), [1.0, 0.5, None, 1e-3]),
    (" 1 , 2", pa.int64(), [1, 2]),
    ("true,False,NA", pa.bool_(), [True, False, None]),
    ("x,1,NULL", pa.string(), ["x", "1", None]),
    ("2024-01-01,", pa.string(), ["2024-01-01", None]),
    (",", pa.null(), [None, None]),
])
def test_a_csv_column_gets_the_narrowest_type_that_loses_nothing(tmp_path, text, type_, values):
    path = tmp_path / "table.csv"
    path.write_text("v,w\n" + "".join(f"{value},1\n" for value in text.split(",")))
    column = read_table(path, columns=["v"])["v"]
    assert column.type == type_
    assert column.to_pylist() == values


def test_the_type_of_a_csv_column_depends_on_all_of_it(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("v\n" + "1\n" * 9_000_000 + "1.5\n")  # beyond the first block
    assert read_table(path)["v"].type == pa.float64()


def test_missing_columns_are_all_told_with_the_nearest(tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(TABLE, path)
    error = refusal(path, columns=["nam", "id", "god"])
    assert error.codes == (Code.TABLE_MISSING_COLUMN,)
    assert "`nam`, `god`" in error.problems[0].found
    assert "`nam`: did you mean `name`?; `god`: did you mean `good`?" in error.problems[0].remedy


def test_a_header_that_repeats_a_name_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("z,z,id\n1,2,3\n")
    assert refusal(path).codes == (Code.TABLE_DUPLICATE_COLUMN,)
    assert read_table(path, columns=["id"])["id"].to_pylist() == [3]


@pytest.mark.parametrize(("name", "content", "code"), [
    ("none.csv", None, Code.FILE_MISSING),
    ("table.xlsx", b"PK", Code.FILE_FORMAT),
    ("table.csv.gz", b"\x1f\x8b", Code.FILE_DAMAGED),
    ("table.parquet", b"", Code.TABLE_EMPTY),
    ("table.csv", b"", Code.TABLE_EMPTY),
    ("table.csv", b"\n\n", Code.TABLE_EMPTY),
    ("table.csv", b"a,b\n", Code.TABLE_EMPTY),
    ("table.csv", b"a,b\n1,2\n3\n", Code.FILE_DAMAGED),
    ("table.csv", b"a,b\n\xff\xfe,2\n", Code.FILE_DAMAGED),
    ("table.csv", b"a\n\"" + b"x" * 2**25, Code.FILE_DAMAGED),
    ("table.parquet", b"SIMPLE  = ", Code.FILE_DAMAGED),
    ("table.parquet", b"PAR1" + b"\0" * 99 + b"PAR1", Code.FILE_DAMAGED),
    ("table.fits", b"PAR1", Code.FILE_DAMAGED),
    ("table.fits", b"SIMPLE  =                    T" + b" " * 5000, Code.FILE_DAMAGED),
])
def test_what_is_no_table_is_refused_with_its_code(tmp_path, name, content, code):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path / name).codes == (code,)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert refusal(tmp_path / "pipe.csv").codes == (Code.FILE_MISSING,)
    assert refusal("/dev/zero", format="csv").codes == (Code.FILE_MISSING,)
    assert refusal(tmp_path / "a\0b.csv").codes == (Code.FILE_MISSING,)


def test_a_folder_and_an_unknown_format_are_refused(tmp_path):
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    assert refusal(folder).codes == (Code.FILE_MISSING,)
    assert refusal(folder, format="votabel").codes == (Code.FILE_FORMAT,)


def test_a_table_without_rows_is_refused(tmp_path):
    pq.write_table(TABLE.slice(0, 0), tmp_path / "t.parquet")
    Table({"a": np.empty(0)}).write(tmp_path / "t.fits")
    fits.PrimaryHDU(np.zeros(9)).writeto(tmp_path / "image.fits")
    assert refusal(tmp_path / "t.parquet").codes == (Code.TABLE_EMPTY,)
    assert refusal(tmp_path / "t.fits").codes == (Code.TABLE_EMPTY,)
    assert refusal(tmp_path / "image.fits").codes == (Code.FILE_FORMAT,)


@pytest.fixture
def fits_bytes(tmp_path):
    path = tmp_path / "whole.fits"
    Table({"id": np.arange(1000), "s": ["ab"] * 1000}).write(path)
    return path.read_bytes()


def card(key, value):
    return f"{key:8}= {value:>20}".encode()


@pytest.mark.parametrize(("old", "new", "code"), [
    (card("NAXIS2", 1000), card("NAXIS2", 10**12), Code.FILE_DAMAGED),
    (card("NAXIS2", 1000), card("NAXIS2", -1), Code.FILE_DAMAGED),
    (card("NAXIS1", 10), card("NAXIS1", 9), Code.FILE_DAMAGED),
    (card("NAXIS1", 10), card("NAXIS1", "T"), Code.FILE_DAMAGED),
    (card("TFIELDS", 2), card("TFIELDS", 10**9), Code.FILE_LIMIT),
    (card("TFIELDS", 2), card("TFIELDS", 3), Code.FILE_DAMAGED),
    (card("TFIELDS", 2), card("TFIELDS", 1), Code.FILE_DAMAGED),
    (b"'K       '", b"'Z       '", Code.FILE_DAMAGED),
    (b"'K       '", b"'99999K  '", Code.FILE_DAMAGED),
    (b"'BINTABLE'", b"'TABLE   '", Code.FILE_FORMAT),
    (b"abababab", b"\xff\xff\xff\xff\xff\xff\xff\xff", Code.FILE_DAMAGED),
])
def test_a_fits_header_is_not_believed(tmp_path, fits_bytes, old, new, code):
    if old == b"abababab":
        fits_bytes = fits_bytes.replace(b"ab", b"\xff\xfe")
    else:
        assert old in fits_bytes
        fits_bytes = fits_bytes.replace(old, new)
    (tmp_path / "t.fits").write_bytes(fits_bytes)
    assert refusal(tmp_path / "t.fits").codes == (code,)


@pytest.mark.parametrize("length", [100, 2880, 4000, 5760, 9000])
def test_a_truncated_fits_file_is_refused(tmp_path, fits_bytes, length):
    (tmp_path / "t.fits").write_bytes(fits_bytes[:length])
    assert set(refusal(tmp_path / "t.fits").codes) <= {Code.FILE_DAMAGED, Code.FILE_FORMAT}


def test_a_small_file_that_unfolds_to_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"v": pa.repeat(1.0, 20_000_000)}), path, compression="zstd")
    assert path.stat().st_size < 2**20
    error = refusal(path, limits=Limits(max_memory=2**26))
    assert error.codes == (Code.FILE_LIMIT,)
    assert "160000000" in error.problems[0].found


@pytest.mark.parametrize("limits", [
    Limits(max_bytes=10), Limits(max_rows=2), Limits(max_columns=3), Limits(max_memory=8)])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_limits_are_kept(tmp_path, suffix, limits):
    path = tmp_path / f"t.{suffix}"
    pq.write_table(TABLE, path) if suffix == "parquet" else pa.csv.write_csv(TABLE, path)
    assert refusal(path, limits=limits).codes == (Code.FILE_LIMIT,)


def test_a_flipped_bit_in_a_checked_page_is_an_error_and_no_value(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"v": np.random.default_rng(0).random(1000)}), path,
                   write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[4000] ^= 1
    path.write_bytes(data)
    assert refusal(path).codes == (Code.FILE_DAMAGED,)
