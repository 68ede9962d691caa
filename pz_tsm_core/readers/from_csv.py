"""CSV, TSV and other delimited files: values are read as text first, typed by the whole column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.csv as pacsv

from pz_tsm_core.readers.facts import Facts, facts_of
from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.stream import TableStream
from pz_tsm_core.readers.types_of_text import Possible, cast

#: What stands for a missing value.
NULLS = ("", "null", "NULL", "nan", "NaN", "NAN", "NA", "N/A", "none", "None", "--")

#: Longer lines are refused.
BLOCK_BYTES = 2 * 2**20

_BOM = b"\xef\xbb\xbf"
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Layout:
    """How a text file is divided.

    Parameters
    ----------
    delimiter : character between two values
    skip : lines before the line of names
    nulls : what stands for a missing value
    names : of the columns, where no line names them; empty where one does
    """

    delimiter: str
    skip: int = 0
    nulls: tuple[str, ...] = NULLS
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delimited:
    """The reader of files whose values are divided by one character: comments, names, rows.

    Parameters
    ----------
    delimiter : None for the one that stands most often in the first line; columns of a file whose
        first line is of numbers are then called `col_0`, `col_1` ...
    """

    delimiter: str | None

    @contextmanager
    def stream(self, source: Source) -> Iterator[TableStream]:
        """Stream every column in the narrowest type that loses nothing of it."""
        layout, types, rows = self._types(source)
        schema = pa.schema(types.items())
        text = text_batches(source, layout, schema.names)
        yield TableStream(schema, rows, _typed(text, schema, source))

    def describe(self, source: Source) -> Facts:
        """Read the file for what its columns are: only their values tell."""
        _, types, rows = self._types(source)
        return facts_of(rows, pa.schema(types.items()))

    def _types(self, source: Source) -> tuple[Layout, dict[str, pa.DataType], int]:
        """How the file is divided, the types of the wanted columns, and how many rows there are."""
        layout = self._layout(source)
        available = column_names(source, layout)
        if self.delimiter is not None:
            _check_names(source, layout, available)
        columns = {name: Possible() for name in source.select(available)}
        rows = 0
        for batch in text_batches(source, layout, list(columns)):
            rows += len(batch)
            for possible, text in zip(columns.values(), batch.columns, strict=True):
                possible.see(text)
        return layout, {name: possible.type for name, possible in columns.items()}, rows

    def _layout(self, source: Source) -> Layout:
        """The given separator, or the one that the first line shows."""
        skip = _comment_lines(source)
        if self.delimiter is not None:
            return Layout(self.delimiter, skip)
        with source.path.open("rb") as file:
            file.seek(_start(source, skip))
            line = file.readline(BLOCK_BYTES).removeprefix(_BOM).decode("utf-8", "replace")
        delimiter = max(_SEPARATORS, key=line.count)
        layout = Layout(delimiter, skip)
        _check_width(source, layout)
        cells = line.rstrip("\r\n").split(delimiter)
        return layout if _are_names(cells) else replace(
            layout, names=tuple(f"col_{index}" for index in range(len(cells))))


def _are_names(cells: Sequence[str]) -> bool:
    """Whether half of the cells of a first line are no numbers."""
    return 2 * sum(not _NUMBER.fullmatch(cell) for cell in cells) >= len(cells)


def _comment_lines(source: Source) -> int:
    """Lines before the names: they begin with # or are blank."""
    lines = 0
    with source.path.open("rb") as file:
        while line := file.readline(BLOCK_BYTES):
            if line.removeprefix(_BOM).strip() and not line.removeprefix(_BOM).startswith(b"#"):
                return lines
            lines += 1
    raise source.empty("no line of column names")


def _check_names(source: Source, layout: Layout, names: Sequence[str]) -> None:
    """Refuse what was divided wrongly, and rows that would be taken for names."""
    used = _SEPARATORS[layout.delimiter]
    remedy = f"save it divided by {used}, with one line of column names"
    others = [word for mark, word in _SEPARATORS.items() if mark in names[0]]
    if len(names) == 1 and others:
        raise source.unsupported(
            f"the one column name `{names[0]}`, divided by {others[0]}", f"{used} between names",
            remedy)
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    if 2 * len(numbers) >= len(names):
        raise source.unsupported(
            f"the number {numbers[0].strip()} as a column name: a row of data",
            "a line of column names before the rows", "add the line of names; no # before it")


def column_names(source: Source, layout: Layout) -> list[str]:
    """Names of the columns, in their order, as they stand there.

    Raises
    ------
    TsmError
        `table.empty` without a line of names, `file.limit` for too many, `file.damaged`.
    """
    _check_width(source, layout)
    try:
        return list(_open(source, layout).schema.names)
    except ValueError as error:  # ArrowInvalid, or a name that is no UTF-8
        raise _refusal(source, str(error)) from None


def _check_width(source: Source, layout: Layout) -> None:
    """Refuse too many columns by the line of names: to open a million takes half a minute."""
    with source.path.open("rb") as file:
        file.seek(_start(source, layout.skip))
        count = file.readline(BLOCK_BYTES).count(layout.delimiter.encode()) + 1
    if count > source.limits.max_columns:
        raise source.too_large(f"{count} columns", f"{source.limits.max_columns}")


def _start(source: Source, skip: int) -> int:
    """Bytes before the line of names: those of so many lines."""
    with source.path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        return file.tell()


def text_batches(
    source: Source, layout: Layout, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Read columns as text, in the order asked for, batch by batch.

    Raises
    ------
    TsmError
        `file.damaged` for rows of unequal length or bytes that are no UTF-8, `file.limit`,
        `table.empty`.
    """
    taken, rows = 0, 0
    try:
        for batch in _open(source, layout, names):
            taken, rows = taken + batch.nbytes, rows + len(batch)
            source.check_memory(taken)
            yield batch
    except ValueError as error:  # ArrowInvalid, or a name that is no UTF-8
        raise _refusal(source, str(error)) from None
    source.check_size(rows, 1)


def _open(
    source: Source, layout: Layout, names: Sequence[str] = ()
) -> pacsv.CSVStreamingReader:
    file = pa.OSFile(str(source.path))
    file.seek(_start(source, layout.skip))  # for Arrow skips no lines beyond the first block
    return pacsv.open_csv(
        file,
        pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES,
                          column_names=list(layout.names)),
        pacsv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
        pacsv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(layout.nulls),
            strings_can_be_null=True,
        ),
    )


def _refusal(source: Source, message: str) -> Exception:
    if "Empty CSV file" in message:
        return source.empty("no line of column names")
    return source.damaged(
        message, expected="UTF-8 text: one line of names, then rows, divided by commas (.csv) or "
        "tabs (.tsv)", remedy="convert it: no comments below the names, no other separator or "
        "encoding")


def _typed(
    text: Iterable[pa.RecordBatch], schema: pa.Schema, source: Source
) -> Iterator[pa.RecordBatch]:
    """The values in their types."""
    for batch in text:
        try:
            yield pa.RecordBatch.from_arrays(
                [cast(column, one.type) for column, one in zip(batch.columns, schema, strict=True)],
                schema=schema)
        except pa.ArrowInvalid as error:
            raise source.damaged(f"other values than a moment ago: {error}") from None
