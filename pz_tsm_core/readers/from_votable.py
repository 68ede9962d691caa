"""VOTable files: scanned first, then parsed by astropy, with what it would mend told instead."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io import votable
from astropy.io.votable import exceptions as told

from pz_tsm_core.readers.arrays import numbers
from pz_tsm_core.readers.facts import Facts
from pz_tsm_core.readers.source import BATCH_ROWS, Source
from pz_tsm_core.readers.stream import TableStream
from pz_tsm_core.readers.votable_scan import FieldTag, Scan, TableTag

CHUNK = 2**20

#: Warnings after which a value is another one than stands in the file: row counts that differ,
#: text for a number, a text cut short, no integer, an integer out of range.
LOSSES = (told.W18, told.W30, told.W46, told.W49, told.W51)


@contextmanager
def stream(source: Source) -> Iterator[TableStream]:
    """Stream the first table with rows, or the one that `source.table` names.

    Raises
    ------
    TsmError
        `file.format` for a DOCTYPE, an href or rows in other formats; `file.damaged` for values
        that are not of their datatype.
    """
    number, table = _choose(source)
    names = source.select([one.name for one in table.fields])
    places = sorted(next(i for i, one in enumerate(table.fields) if one.name == name)
                    for name in names)
    chosen = [table.fields[place] for place in places]
    unusable = {one.name: one.native for one in chosen if one.type is None}
    if unusable:
        raise source.unusable(unusable)
    _check_size(table, chosen, source)
    values = _parse(source, number, places)
    _check_rows(table, len(values), source)
    arrays = [_array(values, key, one) for key, one in zip(values.dtype.names, chosen, strict=True)]
    table = pa.table(arrays, schema=pa.schema([one.field for one in chosen])).select(names)
    yield TableStream(table.schema, len(table), iter(table.to_batches(BATCH_ROWS)))


def describe(source: Source) -> Facts:
    """Say what the file declares; rows of unequal length are parsed to be counted."""
    number, table = _choose(source)
    rows = _declared_rows(table, source)
    if rows is None:
        rows = len(_parse(source, number, list(range(len(table.fields)))))
    return Facts(rows, tuple(one.facts for one in table.fields))


def _choose(source: Source) -> tuple[int, TableTag]:
    """The table to read and its place among all."""
    tables = Scan(source).read(_chunks(source))
    for number, table in enumerate(tables):
        if (source.table in table.names) if source.table else table.tags or table.digits:
            return number, _with_fields(table, tables, source)
    if source.table or not tables:
        names = sorted(name for table in tables for name in table.names)
        raise source.unsupported(
            f"{len(tables)} tables" + (f", of the names {', '.join(names)}" if names else ""),
            f"a TABLE `{source.table}`" if source.table else "a TABLE with rows",
            "name another, or none")
    raise source.empty(f"{len(tables)} tables without rows")


def _chunks(source: Source) -> Iterator[bytes]:
    with source.path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _with_fields(table: TableTag, tables: list[TableTag], source: Source) -> TableTag:
    """The table; one that refers to another has that one's columns."""
    if table.serialization not in ("TABLEDATA", "BINARY", "BINARY2"):
        raise source.unsupported(f"rows as {table.serialization or 'nothing'}",
                                 "TABLEDATA, BINARY or BINARY2", "save it with its rows inside")
    reference = table.attributes.get("ref")
    for other in tables:
        if reference and not table.fields and other.attributes.get("ID") == reference:
            table.fields = other.fields
    for one in table.fields:
        if one.datatype.type == pa.string() and "x" in one.size:
            raise source.unsupported(f"`{one.name}`: {one.native}, lists of texts",
                                     "texts, which are all that astropy parses",
                                     "save the table without that column")
    return table


def _declared_rows(table: TableTag, source: Source) -> int | None:
    """Rows that the tags, or the length of the stream, tell; None where only reading does."""
    if table.serialization == "TABLEDATA":
        return table.tags
    if table.row_bytes is None:
        return None
    if not table.row_bytes:
        raise source.damaged("rows of no bytes")
    rows, rest = divmod(table.stream_bytes, table.row_bytes)
    if rest:
        raise source.damaged(f"a stream of {table.stream_bytes} bytes for rows of "
                             f"{table.row_bytes} bytes")
    return rows


def _check_size(table: TableTag, chosen: list[FieldTag], source: Source) -> None:
    """Refuse before anything is allocated: astropy takes texts at four bytes a character."""
    rows = _declared_rows(table, source)
    least = sum(one.stream_bytes or 0 for one in table.fields)
    rows = table.stream_bytes // max(least, 1) if rows is None else rows
    told_rows = table.attributes.get("nrows", "").strip()
    if told_rows and int(told_rows) > rows:
        raise source.damaged(f"{rows} rows where nrows says {told_rows}")
    width = sum(4 * one.count if one.type == pa.string() else one.datatype.bytes for one in chosen)
    source.check_size(rows, width)


def _check_rows(table: TableTag, rows: int, source: Source) -> None:
    """Refuse a stream whose last row was cut, which astropy leaves out without a word."""
    declared = _declared_rows(table, source)
    told_rows = table.attributes.get("nrows", "").strip()
    expected = declared if declared is not None else int(told_rows or rows)
    if rows != expected:
        raise source.damaged(f"{rows} whole rows of {expected}")


def _parse(source: Source, number: int, places: list[int]) -> Any:
    """The values of the columns at these places, as numpy's masked records."""
    with warnings.catch_warnings(), source.path.open("rb") as file:
        warnings.simplefilter("ignore")
        for loss in LOSSES:
            warnings.simplefilter("error", loss)
        # Some archives write a missing float as the word null.
        warnings.filterwarnings("ignore", ".*'null'", told.W30)
        document = votable.parse(file, columns=places, table_number=number, verify="warn",
                                 filename=source.where)
    return list(document.iter_tables())[number].array


def _array(values: Any, key: str, one: FieldTag) -> pa.Array:
    """A column of the records; an empty text stays a text, as the format has no other word."""
    raw = np.ma.getdata(values[key])
    if one.type == pa.string():
        return pa.array([text if isinstance(text, str) else bytes(text).decode() for text in raw],
                        pa.string())
    return numbers(raw.reshape(len(raw)), np.ma.getmaskarray(values[key]).reshape(len(raw)))
