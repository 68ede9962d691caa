"""One table, one file: Parquet, CSV, FITS or HDF5, for whoever reads tables of catalogues.

What a format cannot say of a missing value is written as readers of catalogues expect it: in FITS
and HDF5 NaN for numbers with fractions and an empty text; for whole numbers a `TNULL` in FITS, and
in HDF5 NaN as well, in a column that then is of floats, or of texts where floats would round it.
Truth values are the texts `true` and `false` there, empty where they are missing, whole numbers
have 16 bits at least, and columns without any value are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.store import PARQUET

#: Rows that are turned into text at a time.
_BATCH_ROWS = 262_144
#: Stands for a missing whole number in FITS; no id or count is the smallest number of its type.
_TNULL = {2: -2**15, 4: -2**31, 8: -2**63}
_FITS_CODES = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}


def write_table(table: pa.Table, path: Path, format: str) -> None:  # noqa: A002 - the usual word
    """Write a table to `path`, which must not exist.

    Raises
    ------
    TsmError
        `file.format` for a format that is none of `FORMATS`.
    """
    if format not in FORMATS:
        raise refuse(Code.FILE_FORMAT, str(path), found=f"the format `{format}`",
                     expected="one of " + ", ".join(FORMATS), remedy=nearest(format, FORMATS))
    FORMATS[format](table, path)


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, **PARQUET)


def _write_csv(table: pa.Table, path: Path) -> None:
    names = _quoted(pa.array(table.column_names)).to_pylist()
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")
        for batch in table.to_batches(_BATCH_ROWS):
            lines = pc.binary_join_element_wise(
                *map(_cells, batch.columns), ",", null_handling="replace", null_replacement="")
            file.writelines(f"{line}\n" for line in lines.to_pylist())


def _cells(column: pa.Array) -> pa.Array:
    """What stands in the cells: `4.0` where numbers may have fractions, so that types survive."""
    if pa.types.is_floating(column.type):
        text = pc.replace_substring_regex(column.cast(pa.string()), r"^(-?[0-9]+)$", r"\1.0")
        return pc.if_else(pc.is_nan(column), pa.scalar(None, pa.string()), text)
    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "True", "False")
    text = column.cast(pa.string())
    return text if pa.types.is_integer(column.type) else _quoted(text)


def _quoted(text: pa.Array) -> pa.Array:
    """Texts, in quotes where they would be taken for something else: several cells, or nothing."""
    inside = pc.replace_substring(text, '"', '""')
    quoted = pc.binary_join_element_wise('"', inside, '"', "")
    return pc.if_else(pc.match_substring_regex(text, r'[",\r\n]|^$'), quoted, text)


def _write_fits(table: pa.Table, path: Path) -> None:
    from astropy.io import fits

    columns = []
    for name, values in _with_values(table):
        array = _array(values, "ascii", whole_as_float=False)
        kind = array.dtype.kind + str(array.dtype.itemsize)
        code = f"{array.dtype.itemsize}A" if array.dtype.kind == "S" else _FITS_CODES[kind]
        missing = array.dtype.kind == "i" and values.null_count
        columns.append(fits.Column(name, code, array=array,
                                   null=_TNULL[array.dtype.itemsize] if missing else None))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)


def _write_hdf5(table: pa.Table, path: Path) -> None:
    """Each column a dataset at the root of the file, as tables_io writes and reads `.hdf5`."""
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in _with_values(table):
            file.create_dataset(name, data=_array(values, "utf-8", whole_as_float=True))


def _with_values(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name in table.column_names:
        if table[name].null_count < len(table):
            yield name, table[name]


def _array(
    values: pa.ChunkedArray, encoding: str, *, whole_as_float: bool
) -> npt.NDArray[Any]:
    """Values in a type that files of arrays have."""
    if pa.types.is_floating(values.type):
        return np.asarray(values.fill_null(np.nan).to_numpy())
    if pa.types.is_integer(values.type):
        wide = values.cast(pa.int16()) if values.type.bit_width < 16 else values
        if not values.null_count:
            return np.asarray(wide.to_numpy())
        if not whole_as_float:
            return np.asarray(wide.fill_null(_TNULL[wide.type.bit_width // 8]).to_numpy())
        with suppress(pa.ArrowInvalid):  # beyond 2**53; such ids are better texts than rounded
            return np.asarray(wide.cast(pa.float64()).fill_null(np.nan).to_numpy())
    if pa.types.is_boolean(values.type):
        values = pc.if_else(values, "true", "false")
    return _bytes(values.cast(pa.string()).fill_null(""), encoding)


def _bytes(values: pa.ChunkedArray, encoding: str) -> npt.NDArray[Any]:
    """Texts as bytes of one width; what the encoding lacks becomes a question mark."""
    if encoding == "ascii" and not pc.all(pc.string_is_ascii(values)).as_py():
        encoded = [text.encode("ascii", "replace") for text in values.to_pylist()]
    else:
        encoded = values.cast(pa.binary()).to_numpy()
    width = max(1, pc.max(pc.binary_length(values)).as_py() or 0)
    return np.asarray(encoded, dtype=f"S{width}")


FORMATS: Mapping[str, Callable[[pa.Table, Path], None]] = {
    "parquet": _write_parquet, "csv": _write_csv, "fits": _write_fits, "hdf5": _write_hdf5,
}
