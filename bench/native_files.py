"""Write survey files piece by piece, so that a file may be larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Table

from pz_tsm_core.store import PARQUET

FITS_BLOCK = 2880
LOGICAL = np.dtype("S1")
WIDTH = 8  # of texts, or a multiple


class NativeFile(Protocol):
    """What tables of one schema are written to, one after the other."""

    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


def new_file(path: Path, schema: pa.Schema, rows: int) -> NativeFile:
    """A file in the format of its ending, for so many rows in all."""
    match path.suffix:
        case ".csv":
            return pyarrow.csv.CSVWriter(path, schema)
        case ".fits":
            return FitsFile(path, rows)
        case _:
            return pq.ParquetWriter(path, schema, **PARQUET)


class FitsFile:
    """A binary table; astropy, which would have it whole in memory, writes the header alone."""

    def __init__(self, path: Path, rows: int) -> None:
        self._file, self._rows = path.open("wb"), rows
        self._type: np.dtype[np.void] | None = None

    def write_table(self, table: pa.Table) -> None:
        """Append the rows, big-endian and packed."""
        columns = {name: _as_numpy(column) for name, column in
                   zip(table.column_names, table.columns, strict=True)}
        type_ = np.dtype([(name, values.dtype.newbyteorder(">"))
                          for name, values in columns.items()])
        if self._type is None:
            self._type = type_
            self._begin(columns)
        assert type_ == self._type, "texts of another width"
        rows = np.empty(len(table), type_)
        for name, values in columns.items():
            rows[name] = values
        self._file.write(rows.tobytes())

    def close(self) -> None:
        """Fill up the last block."""
        self._file.write(bytes(-self._file.tell() % FITS_BLOCK))
        self._file.close()

    def _begin(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        row = {name: values[:1] == b"T" if values.dtype == LOGICAL else values[:1]
               for name, values in columns.items()}
        table = fits.BinTableHDU(Table(row))
        table.header["NAXIS2"] = self._rows
        for header in (fits.PrimaryHDU().header, table.header):
            self._file.write(header.tostring().encode())


def _as_numpy(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Values as they stand in a FITS file; ASCII texts of a width that other pieces share."""
    if pa.types.is_boolean(column.type):
        return np.where(column.to_numpy(), b"T", b"F").astype(LOGICAL)
    if not pa.types.is_string(column.type):
        return column.to_numpy()
    longest = pc.max(pc.utf8_length(column)).as_py() or 1
    return np.array(column.fill_null("").to_pylist(), f"S{-(-longest // WIDTH) * WIDTH}")
