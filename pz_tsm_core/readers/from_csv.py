"""CSV and TSV files: every value is read as text first, and typed by the whole column."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.readers.source import Source

#: What stands for a missing value.
NULLS = ("", "null", "NULL", "nan", "NaN", "NAN", "NA", "N/A", "none", "None", "--")

#: Longer lines are refused.
BLOCK_BYTES = 16 * 2**20

_WHOLE = r"^-?(?:0|[1-9][0-9]*)$"
#: Digits that a float would not keep: leading zeros, or more than it holds.
_FRAGILE = r"^-?(?:0[0-9]+|[0-9]{16,})$"
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def read_commas(source: Source) -> pa.Table:
    """Read a comma-separated file with one line of column names."""
    return _read(source, ",")


def read_tabs(source: Source) -> pa.Table:
    """Read a tab-separated file with one line of column names."""
    return _read(source, "\t")


def _read(source: Source, delimiter: str) -> pa.Table:
    try:
        names = source.select(_open(source, delimiter).schema.names)
        batches, taken, rows = [], 0, 0
        for batch in _open(source, delimiter, names):
            taken, rows = taken + batch.nbytes, rows + len(batch)
            source.check_memory(taken)
            batches.append(batch)
    except pa.ArrowInvalid as error:
        raise _refusal(source, " ".join(str(error).split())) from None
    source.check_size(rows, 1)
    table = pa.Table.from_batches(batches)
    columns = [_typed(table[name]) for name in names]
    return pa.table(columns, names=names)


def _open(
    source: Source, delimiter: str, names: list[str] | None = None
) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        source.path,
        pacsv.ReadOptions(block_size=BLOCK_BYTES),
        pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        pacsv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names or (), pa.string()),
            null_values=list(NULLS),
            strings_can_be_null=True,
        ),
    )


def _refusal(source: Source, message: str) -> Exception:
    if "Empty CSV file" in message:
        return source.empty("no line of column names")
    return refuse(Code.FILE_DAMAGED, f"{source.path}", found=message,
                  expected="UTF-8 text: one line of names, then rows, divided by commas (.csv) or "
                  "tabs (.tsv)",
                  remedy="convert it: no comment lines, no other separator or encoding")


def _typed(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in the narrowest type that loses nothing."""
    if text.null_count == len(text):
        return pa.chunked_array([pa.nulls(len(text))])
    trimmed = pc.utf8_trim_whitespace(text)
    if _all(pc.match_substring_regex(trimmed, _WHOLE)):
        return _first_cast(trimmed, pa.int64(), pa.uint64()) or text
    if _all(pc.is_in(trimmed, pa.array(list(_TRUTH)), skip_nulls=True), trimmed):
        return pc.equal(pc.utf8_lower(trimmed), "true")
    if pc.any(pc.match_substring_regex(trimmed, _FRAGILE)).as_py():
        return text
    return _first_cast(trimmed, pa.float64()) or text


def _all(holds: pa.ChunkedArray, values: pa.ChunkedArray | None = None) -> bool:
    if values is not None:
        holds = pc.or_(holds, pc.is_null(values))
    return bool(pc.all(holds).as_py())


def _first_cast(text: pa.ChunkedArray, *types: pa.DataType) -> pa.ChunkedArray | None:
    for type_ in types:
        try:
            return text.cast(type_)
        except pa.ArrowInvalid:
            continue
    return None
