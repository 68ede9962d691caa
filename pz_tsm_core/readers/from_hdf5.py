"""HDF5 files through h5py: a group of columns, or one dataset of records.

An HDF5 file can lead to other files (links, external and virtual datasets), ask for plugins
(filters) and carry pickles (pandas). None of that is followed, loaded or unpacked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.readers.arrays import arrow_type, as_text, fixed_text, numbers
from pz_tsm_core.readers.astropy_header import Header, parse_header
from pz_tsm_core.readers.facts import ColumnFacts, Facts, column_facts, described_field
from pz_tsm_core.readers.hdf5_tables import META, Table, choose_table
from pz_tsm_core.readers.source import BATCH_ROWS, Source
from pz_tsm_core.readers.stream import TableStream

#: Filters that are part of the library: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf.
FILTERS = {1, 2, 3, 4, 5, 6, 32000}


@dataclass(frozen=True)
class Column:
    """One column: its values are a dataset of their own, or one part of each record.

    Parameters
    ----------
    part : name of the part of the records; None for a dataset of its own
    dtype : type of one value, or of what stands for one
    """

    name: str
    dataset: h5py.Dataset
    part: str | None
    dtype: np.dtype[Any]

    @property
    def type(self) -> pa.DataType | None:
        """The Arrow type; None for lists, references, records and all that is no single value."""
        if self.part is None and self.dataset.ndim != 1:
            return None
        if h5py.check_string_dtype(self.dtype):
            return pa.string()
        return arrow_type(self.dtype)

    @property
    def native(self) -> str:
        """The type in the words of HDF5's library."""
        shape = self.dtype.shape if self.part else self.dataset.shape[1:]
        return f"{self.dtype.base}" + (f" of shape {shape}" if shape else "")


@contextmanager
def stream(source: Source) -> Iterator[TableStream]:
    """Stream the only table, or the one that `source.table` names.

    Raises
    ------
    TsmError
        `file.format` for several tables or none, and for files that lead elsewhere.
    """
    with _opened(source) as file:
        table = choose_table(file, source)
        header, columns = _columns(table, source)
        names = source.select(header.names if header else [column.name for column in columns])
        by_name = {column.name: column for column in columns}
        unusable = {name: by_name[name].native for name in names if by_name[name].type is None}
        if unusable:
            raise source.unusable(unusable)
        wanted = [by_name[name] for name in (header.with_masks(names) if header else names)]
        source.check_size(table.rows, sum(column.dtype.itemsize for column in wanted))
        schema = pa.schema([_field(column, header) for column in wanted])
        batches = _batches(table, wanted, schema, source)
        if header is None:
            yield TableStream(schema, table.rows, batches)
        else:
            yield TableStream(header.without_masks(schema), table.rows,
                              map(header.apply_masks, batches))


def describe(source: Source) -> Facts:
    """Say what the file declares; no values are read."""
    with _opened(source) as file:
        table = choose_table(file, source)
        header, columns = _columns(table, source)
        return Facts(table.rows, tuple(_facts(column, header) for column in columns
                                       if header is None or column.name in header.names))


@contextmanager
def _opened(source: Source) -> Iterator[h5py.File]:
    """The file, read through Python: HDF5 itself opens no path, and needs none."""
    with source.path.open("rb") as stream:
        try:
            file = h5py.File(stream, "r")
        except OSError as error:
            raise source.damaged(f"no HDF5 file: {error}") from None
        with file:
            yield file


def _columns(table: Table, source: Source) -> tuple[Header | None, list[Column]]:
    for dataset in table.datasets.values():
        _refuse_elsewhere(dataset, source)
    if table.records is None:
        return None, [Column(name, dataset, None, dataset.dtype)
                      for name, dataset in table.datasets.items()]
    records = table.datasets[table.records]
    columns = [Column(name, records, name, records.dtype[name]) for name in table.parts]
    header = _header(table, source)
    if header and [column.name for column in header.columns] != [c.name for c in columns]:
        raise source.damaged(f"other columns in `{table.records}{META}` than in the records")
    return header, columns


def _refuse_elsewhere(dataset: h5py.Dataset, source: Source) -> None:
    """Refuse values that lie in other files, or that only a plugin could decode."""
    if dataset.external or dataset.is_virtual:
        raise source.unsupported(f"`{dataset.name}`, whose values lie in another file",
                                 "a file that holds its values",
                                 "copy them into one file, for example with h5repack")
    plan = dataset.id.get_create_plist()
    for number in range(plan.get_nfilters()):
        code, _, _, word = plan.get_filter(number)
        name = word.decode("ascii", "replace")
        if code not in FILTERS:
            raise source.unsupported(
                f"`{dataset.name}`, compressed by filter {code} ({name})",
                "gzip, lzf or no compression", "write it anew, for example with h5repack -f GZIP=1")


def _header(table: Table, source: Source) -> Header | None:
    """What astropy wrote beside its records."""
    if table.header is None:
        return None
    _refuse_elsewhere(table.header, source)
    source.check_memory(table.header.size * table.header.dtype.itemsize)
    lines = [bytes(line).decode("utf-8", "replace") for line in table.header[...]]
    return parse_header("\n".join(lines), source)


def _field(column: Column, header: Header | None) -> pa.Field:
    if header:
        declared = next(d for d in header.columns if d.name == column.name)
        return declared.field(column.type)
    if column.part is not None:
        return pa.field(column.name, column.type)
    return described_field(column.name, column.type, _word(column.dataset, "unit", "units"),
                           _word(column.dataset, "ucd"), _word(column.dataset, "description"))


def _facts(column: Column, header: Header | None) -> ColumnFacts:
    if column.type is None:
        return ColumnFacts(column.name, column.native, usable=False)
    return column_facts(_field(column, header))


def _word(dataset: h5py.Dataset, *names: str) -> str:
    """An attribute that is a text; others are not looked at."""
    for name in names:
        if name in dataset.attrs and h5py.check_string_dtype(dataset.attrs.get_id(name).dtype):
            value = dataset.attrs[name]
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return ""


def _batches(
    table: Table, columns: list[Column], schema: pa.Schema, source: Source
) -> Iterator[pa.RecordBatch]:
    taken = 0
    for rows in _slices(table.rows, columns):
        arrays = [_array(values, column, source)
                  for column, values in zip(columns, _values(columns, rows), strict=True)]
        taken += sum(array.nbytes for array in arrays)
        source.check_memory(taken)
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _values(columns: list[Column], rows: slice) -> Iterator[npt.NDArray[Any]]:
    """The values of some rows, column by column; records are read once for all columns."""
    if columns[0].part is None:
        yield from (column.dataset[rows] for column in columns)
    else:
        records = columns[0].dataset.fields([column.part for column in columns])[rows]
        yield from (records[column.part] for column in columns)


def _slices(rows: int, columns: list[Column]) -> Iterator[slice]:
    """Slices that end where compressed chunks end, or a chunk would be unfolded twice."""
    chunk = max(column.dataset.chunks[0] if column.dataset.chunks else 1 for column in columns)
    step = -(-BATCH_ROWS // chunk) * chunk
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _array(values: npt.NDArray[Any], column: Column, source: Source) -> pa.Array:
    if column.type != pa.string():
        return numbers(values)
    if values.dtype.kind == "S":
        return fixed_text(values, column.name, source)
    return as_text(pa.array(list(values), pa.binary()), column.name, source)
