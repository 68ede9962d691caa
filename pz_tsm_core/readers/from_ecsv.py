"""ECSV files: CSV with a header that declares every column (Astropy Proposal for Enhancement 6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.readers.astropy_header import Declared, Header, parse_header
from pz_tsm_core.readers.facts import Facts
from pz_tsm_core.readers.from_csv import Layout, column_names, text_batches
from pz_tsm_core.readers.source import BATCH_ROWS, Source
from pz_tsm_core.readers.stream import TableStream, cut

_DELIMITERS = (" ", ",")
#: What stands for a missing value: nothing, and in files of the Gaia archive a word.
_EMPTY, _GAIA_NULL = "", "null"


@contextmanager
def stream(source: Source) -> Iterator[TableStream]:
    """Stream the columns in the types that the header declares.

    Raises
    ------
    TsmError
        `file.damaged`, with row and line, for a value that is not of the declared type.
    """
    header, layout = _open(source)
    names = source.select(header.names)
    by_name = {column.name: column for column in header.columns}
    unusable = {name: by_name[name].facts.type for name in names if by_name[name].type is None}
    if unusable:
        raise source.unusable(unusable)
    columns = [by_name[name] for name in header.with_masks(names)]
    schema = pa.schema([column.field(column.type) for column in columns])
    rows = _typed(columns, schema, layout, source)
    yield TableStream(header.without_masks(schema), None, map(header.apply_masks, rows))


def describe(source: Source) -> Facts:
    """Say what the header declares, and count the rows."""
    header, layout = _open(source)
    rows = sum(map(len, text_batches(source, layout, header.names[:1])))
    wanted = set(header.names)
    return Facts(rows, tuple(column.facts for column in header.columns if column.name in wanted))


def _open(source: Source) -> tuple[Header, Layout]:
    """The header, and how the rows below it are divided."""
    yaml, lines = _header_text(source)
    header = parse_header(yaml, source)
    if header.delimiter not in _DELIMITERS:
        raise source.damaged(f"the delimiter {header.delimiter!r}", "a blank or a comma",
                             "write the file again, for example with astropy.table")
    layout = Layout(header.delimiter, lines, (_EMPTY,))
    stand, declared = column_names(source, layout), [column.name for column in header.columns]
    if stand != declared:
        wrong = next((pair for pair in zip(stand, declared, strict=False) if len({*pair}) > 1),
                     (f"{len(stand)} columns", f"{len(declared)} columns"))
        raise source.damaged(f"`{wrong[0]}` in the line of names, where the header declares "
                             f"`{wrong[1]}`")
    return header, layout


def _header_text(source: Source) -> tuple[str, int]:
    """The YAML, and how many lines it takes with its marks."""
    lines: list[str] = []
    with source.path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
        while (line := file.readline()).startswith("#"):
            lines.append(line.removeprefix("#").removeprefix(" "))
    return "".join(lines[1:]), len(lines)


def _typed(
    columns: list[Declared], schema: pa.Schema, layout: Layout, source: Source
) -> Iterator[pa.RecordBatch]:
    before = 0
    for text in text_batches(source, layout, schema.names):
        values = [_cast(values, column, before, layout, source)
                  for values, column in zip(text.columns, columns, strict=True)]
        before += len(text)
        yield pa.RecordBatch.from_arrays(values, schema=schema)


def _cast(
    values: pa.Array, column: Declared, before: int, layout: Layout, source: Source
) -> pa.Array:
    """The values in their type; `before` them stand so many rows."""
    if column.type == pa.string():
        return values
    values = pc.if_else(pc.equal(values, _GAIA_NULL), pa.scalar(None, pa.string()), values)
    try:
        return values.cast(column.type)
    except pa.ArrowInvalid:
        wrong = _first_wrong(values, column.type)
        row = before + wrong
        raise source.damaged(
            f"`{values[wrong]}` in column `{column.name}`, row {row + 1}, line "
            f"{_line(source, row, layout)}", f"values of the type {column.datatype}",
            "correct the value, or the type that the header declares") from None


def _first_wrong(values: pa.Array, kind: pa.DataType) -> int:
    """Number of the first value that is not of the type, by halves."""
    first, last = 0, len(values)
    while last - first > 1:
        middle = (first + last) // 2
        try:
            values.slice(first, middle - first).cast(kind)
        except pa.ArrowInvalid:
            last = middle
        else:
            first = middle
    return first


def _line(source: Source, row: int, layout: Layout) -> int:
    """Line of the file on which a row begins; texts before it may hold line breaks."""
    names = column_names(source, layout)
    breaks = sum(pc.sum(pc.count_substring(column, "\n")).as_py() or 0
                 for batch in cut(text_batches(source, layout, names), BATCH_ROWS, row)
                 for column in batch.columns)
    return layout.skip + 1 + row + 1 + breaks
