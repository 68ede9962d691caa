"""One table, written in every format by other libraries, reads as one table.

What a format cannot hold is said by `Held`, format by format, and in docs/reference/formats.md.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, Table

from pz_tsm_core.readers import FORMATS, describe_table, read_table


def told(name: str, kind: pa.DataType, unit: str = "", ucd: str = "", description: str = ""):
    words = {"unit": unit, "ucd": ucd, "description": description}
    return pa.field(name, kind, metadata={key: word for key, word in words.items() if word})


SCHEMA = pa.schema([
    told("objectId", pa.int64(), "", "meta.id;meta.main", "Id of the object"),
    told("ra", pa.float64(), "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS"),
    told("visits", pa.int16(), ucd="meta.number"),
    told("mag", pa.float32(), "mag", "phot.mag", "Magnitude"),
    told("name", pa.string()),
    told("good", pa.bool_()),
])

#: Ids beyond 2^53, where a float would round; nulls, NaN, signs, an empty and a foreign text.
TABLE = pa.table([
    [2**53 + 1, 2**63 - 1, None, -(2**62) - 1],
    [0.1, 359.99999999999994, None, float("nan")],
    [-32768, None, 7, 32767],
    [0.1, None, float("nan"), -1e-30],
    ["a b", "", None, "Škoda, \"ζ\" 星"],
    [True, None, False, True],
], schema=SCHEMA)


def as_astropy(table: pa.Table) -> Table:
    made = Table()
    for field in table.schema:
        column = table[field.name]
        words = {key.decode(): word.decode() for key, word in (field.metadata or {}).items()}
        fill = {pa.string(): "", pa.bool_(): False}.get(field.type, 0)
        made[field.name] = MaskedColumn(
            column.fill_null(fill).to_numpy().astype(
                "U" if field.type == pa.string() else field.type.to_pandas_dtype()),
            mask=column.is_null().to_numpy(), unit=words.get("unit"),
            description=words.get("description"), meta={"ucd": words.get("ucd", "")})
    return made


def write_csv(table: pa.Table, path: Path) -> None:
    pa.csv.write_csv(table, path)


def write_tsv(table: pa.Table, path: Path) -> None:
    pa.csv.write_csv(table, path, pa.csv.WriteOptions(delimiter="\t"))


def write_fits(table: pa.Table, path: Path) -> None:
    hdu = fits.BinTableHDU(as_astropy(table))
    for number, field in enumerate(table.schema, 1):
        words = field.metadata or {}
        for key, word in ((b"ucd", "TUCD"), (b"description", "TCOMM")):
            if key in words:
                hdu.header[f"{word}{number}"] = words[key].decode()
    hdu.writeto(path)


def write_votable(serialization: str) -> Callable[[pa.Table, Path], None]:
    def write(table: pa.Table, path: Path) -> None:
        document = from_table(as_astropy(table))
        for field in document.get_first_table().fields:
            words = table.schema.field(field.name).metadata or {}
            field.ucd = words.get(b"ucd", b"").decode() or None
            if field.datatype in ("long", "short"):
                field.values.null = -999
            if field.datatype == "bit":
                field.datatype, field.converter = "boolean", None
                field._setup({}, None)
        writeto(document, str(path), tabledata_format=serialization)

    return write


def write_ecsv(delimiter: str, method: str) -> Callable[[pa.Table, Path], None]:
    def write(table: pa.Table, path: Path) -> None:
        as_astropy(table).write(path, format="ascii.ecsv", delimiter=delimiter,
                                serialize_method=method)

    return write


def write_records(table: pa.Table, path: Path) -> None:
    as_astropy(table).write(path, path="data", format="hdf5", serialize_meta=True)


def write_columns(table: pa.Table, path: Path) -> None:
    with h5py.File(path, "w") as file:
        for field in table.schema:
            column = table[field.name]
            data = column.to_pylist() if field.type == pa.string() else column.to_numpy()
            kind = h5py.string_dtype() if field.type == pa.string() else None
            dataset = file.create_dataset(f"photometry/{field.name}", data=data, dtype=kind,
                                          compression="gzip", shuffle=True)
            for key, word in (field.metadata or {}).items():
                dataset.attrs[key.decode()] = word.decode()


def write_astropy_parquet(table: pa.Table, path: Path) -> None:
    as_astropy(table).write(path, format="parquet")


def write_voparquet(table: pa.Table, path: Path) -> None:
    words = {field.name: {key: (field.metadata or {}).get(key.encode(), b"").decode()
                          for key in ("unit", "ucd")} for field in table.schema}
    as_astropy(table).write(path, format="parquet.votable", metadata=words)


def change(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, table.schema.field(name).with_type(column.type), column)


def nan_is_null(table: pa.Table) -> pa.Table:
    for name in ("ra", "mag"):
        column = table[name]
        table = change(table, name, pc.if_else(pc.is_nan(column), None, column))
    return table


def null_is_nan(table: pa.Table) -> pa.Table:
    for name in ("ra", "mag"):
        table = change(table, name, table[name].fill_null(float("nan")))
    return table


def no_empty_text(table: pa.Table) -> pa.Table:
    return change(table, "name", pc.if_else(pc.equal(table["name"], ""), None, table["name"]))


def no_null_text(table: pa.Table) -> pa.Table:
    return change(table, "name", table["name"].fill_null(""))


def wide(table: pa.Table) -> pa.Table:
    """What text without types leaves: 64-bit numbers, nothing said of columns."""
    mag = pa.chunked_array([[0.1, None, None, -1e-30]])
    table = change(change(table, "mag", mag), "visits", table["visits"].cast(pa.int64()))
    return table.cast(pa.schema([field.remove_metadata() for field in table.schema]))


def without_nulls(table: pa.Table) -> pa.Table:
    return table.slice(3)


def latin(table: pa.Table) -> pa.Table:
    """FITS holds ASCII."""
    return change(table, "name", pc.if_else(pc.greater(pc.utf8_length(table["name"]), 5), "plain",
                                            table["name"]))


def false_for_null(table: pa.Table) -> pa.Table:
    return change(table, "good", table["good"].fill_null(False))


def by_name(table: pa.Table) -> pa.Table:
    return table.select(sorted(table.column_names))


@dataclass(frozen=True)
class Case:
    """A way to write the table; what it may be given, and what of that it holds."""

    suffix: str
    write: Callable[[pa.Table, Path], None]
    given: tuple[Callable[[pa.Table], pa.Table], ...] = ()
    held: tuple[Callable[[pa.Table], pa.Table], ...] = ()


CASES = {
    "parquet": Case(".parquet", pq.write_table),
    "parquet of astropy": Case(".parquet", write_astropy_parquet),
    "VOParquet": Case(".parquet", write_voparquet),
    "csv": Case(".csv", write_csv, held=(wide, nan_is_null, no_empty_text)),
    "tsv": Case(".tsv", write_tsv, held=(wide, nan_is_null, no_empty_text)),
    "fits": Case(".fits", write_fits, (latin, false_for_null), (null_is_nan, no_null_text)),
    "votable, text": Case(".xml", write_votable("tabledata"),
                          held=(nan_is_null, no_null_text)),
    "votable, binary": Case(".vot", write_votable("binary"), held=(nan_is_null, no_null_text)),
    "votable, binary2": Case(".votable", write_votable("binary2"),
                             held=(nan_is_null, no_null_text)),
    "ecsv, blanks": Case(".ecsv", write_ecsv(" ", "null_value"), held=(no_empty_text,)),
    "ecsv, commas, masks": Case(".ecsv", write_ecsv(",", "data_mask")),
    "hdf5, records": Case(".h5", write_records),
    "hdf5, columns": Case(".hdf5", write_columns, (without_nulls,), (by_name,)),
}


def apply(changes: tuple[Callable[[pa.Table], pa.Table], ...], table: pa.Table) -> pa.Table:
    for one in changes:
        table = one(table)
    return table


def assert_same(ours: pa.Table, expected: pa.Table) -> None:
    """Equal in names, types, words and values; NaN equals NaN."""
    assert ours.schema.equals(expected.schema, check_metadata=True)
    for name in expected.column_names:
        assert repr(ours[name].to_pylist()) == repr(expected[name].to_pylist())


@pytest.mark.parametrize("case", CASES)
def test_a_table_reads_the_same_from_every_format(tmp_path, case) -> None:
    how = CASES[case]
    given = apply(how.given, TABLE)
    path = tmp_path / f"table{how.suffix}"
    how.write(given, path)
    assert_same(read_table(path), apply(how.held, given))


@pytest.mark.parametrize("case", CASES)
def test_a_description_agrees_with_what_is_read(tmp_path, case) -> None:
    how = CASES[case]
    path = tmp_path / f"table{how.suffix}"
    how.write(apply(how.given, TABLE), path)
    facts, table = describe_table(path), read_table(path)
    assert facts.format == next(n for n, f in FORMATS.items() if path.suffix in f.suffixes)
    assert facts.rows == len(table)
    assert [(c.name, c.type, c.usable) for c in facts.columns] == [
        (field.name, str(field.type), True) for field in table.schema]
    words = [{k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
             for field in table.schema]
    assert [(c.unit, c.ucd, c.description) for c in facts.columns] == [
        tuple(word.get(key, "") for key in ("unit", "ucd", "description")) for word in words]


def compress_zip(data: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"folder/{path.name.removesuffix('.zip')}", data)


COMPRESSIONS: dict[str, Callable[[bytes, Path], object]] = {
    ".gz": lambda data, path: path.write_bytes(gzip.compress(data)),
    ".bz2": lambda data, path: path.write_bytes(bz2.compress(data)),
    ".xz": lambda data, path: path.write_bytes(lzma.compress(data)),
    ".zst": lambda data, path: path.write_bytes(
        pa.Codec("zstd").compress(data, asbytes=True)),
    ".zip": compress_zip,
}


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@pytest.mark.parametrize("case", ["parquet", "csv", "fits"])
def test_a_compressed_table_reads_as_the_plain_one(tmp_path, case, suffix) -> None:
    how = CASES[case]
    plain, small = tmp_path / f"t{how.suffix}", tmp_path / f"t{how.suffix}{suffix}"
    how.write(apply(how.given, TABLE), plain)
    COMPRESSIONS[suffix](plain.read_bytes(), small)
    assert_same(read_table(small), read_table(plain))
    assert describe_table(small) == describe_table(plain)


@pytest.mark.parametrize(("case", "suffix"), [
    ("votable, text", ".gz"), ("ecsv, blanks", ".zip"), ("hdf5, records", ".xz")])
def test_a_compressed_table_is_unfolded_for_the_confined_parsers(tmp_path, case, suffix) -> None:
    how = CASES[case]
    plain, small = tmp_path / f"t{how.suffix}", tmp_path / f"t{how.suffix}{suffix}"
    how.write(TABLE, plain)
    COMPRESSIONS[suffix](plain.read_bytes(), small)
    assert_same(read_table(small), read_table(plain))
