"""ECSV files: CSV with a header that declares every column (Astropy Proposal for Enhancement 6)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.readers.astropy_header import Declared, Header, parse_header
from pz_tsm_core.readers.facts import Facts
from pz_tsm_core.readers.from_csv import Layout, column_names, read_text
from pz_tsm_core.readers.source import Source

_DELIMITERS = (" ", ",")
#: What stands for a missing value: nothing, and in files of the Gaia archive a word.
_EMPTY, _GAIA_NULL = "", "null"


def read(source: Source) -> pa.Table:
    """Read the columns in the types that the header declares.

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
    text = read_text(source, layout, header.with_masks(names))
    columns = [_typed(text, by_name[name], layout, source) for name in text.column_names]
    fields = [by_name[name].field(column.type)
              for name, column in zip(text.column_names, columns, strict=True)]
    return header.apply_masks(pa.table(columns, schema=pa.schema(fields)))


def describe(source: Source) -> Facts:
    """Say what the header declares, and count the rows."""
    header, layout = _open(source)
    rows = len(read_text(source, layout, header.names[:1]))
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
    text: pa.Table, column: Declared, layout: Layout, source: Source
) -> pa.ChunkedArray:
    values = text[column.name]
    if column.type == pa.string():
        return values
    values = pc.if_else(pc.equal(values, _GAIA_NULL), pa.scalar(None, pa.string()), values)
    try:
        return values.cast(column.type)
    except pa.ArrowInvalid:
        row = _first_wrong(values, column.type)
        raise source.damaged(
            f"`{values[row]}` in column `{column.name}`, row {row + 1}, line "
            f"{_line(text, row, layout)}", f"values of the type {column.datatype}",
            "correct the value, or the type that the header declares") from None


def _first_wrong(values: pa.ChunkedArray, kind: pa.DataType) -> int:
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


def _line(text: pa.Table, row: int, layout: Layout) -> int:
    """Line of the file on which a row begins; texts before it may hold line breaks."""
    before = text.slice(0, row)
    breaks = sum(pc.sum(pc.count_substring(column, "\n")).as_py() or 0 for column in before.columns)
    return layout.skip + 1 + row + 1 + breaks
