"""The canonical text and bytes of native values, on which ids rest (docs/reference/ids.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse

#: Whole numbers up to here are exact in a float64.
EXACT = 2**53

#: Fixed-width text is padded with it; no other white space is removed.
BLANK = " "

#: First byte of a value in the bytes of a row.
_NULL, _INTEGER, _LARGE, _FLOAT, _TEXT, _TRUTH = b"\0iufsb"

#: Rows of which bytes and Python objects stand in memory together.
BATCH_ROWS = 65_536

Octets = npt.NDArray[np.uint8]


def key_text(table: pa.Table, columns: Sequence[str]) -> pa.Array:
    """The key of every row as the survey declares it: parts joined by `/`, null when one is.

    Text without the blanks around it (empty is null), whole numbers in decimal.

    Raises
    ------
    TsmError
        `table.column-type` for a column whose values have no exact text.
    """
    parts = [_part(table[name], name) for name in columns]
    return pc.binary_join_element_wise(*parts, "/") if len(parts) > 1 else parts[0]


def _part(column: pa.ChunkedArray, name: str) -> pa.Array:
    values = _plain(column)
    type_ = values.type
    if pa.types.is_string(type_):
        text = pc.utf8_trim(values, BLANK)
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if pa.types.is_integer(type_):
        return values.cast(pa.string())
    if pa.types.is_floating(type_):
        return _whole(values, name).cast(pa.string())
    if pa.types.is_null(type_):
        return values.cast(pa.string())
    raise refuse(Code.TABLE_COLUMN_TYPE, f"column {name}", found=f"an id of type {type_}",
                 expected="whole numbers or text", remedy="correct `columns.id` of the survey")


def _whole(values: pa.Array, name: str) -> pa.Array:
    """Ids that some tool made floats: harmless while they are whole and exact."""
    known = values.filter(pc.is_finite(values)).to_numpy(zero_copy_only=False)
    if np.any(known != np.trunc(known)) or np.any(np.abs(known) > EXACT):
        raise refuse(Code.TABLE_COLUMN_TYPE, f"column {name}",
                     found="ids that are fractions or too long for a float",
                     expected="whole numbers or text",
                     remedy="store the ids as int64 or text; a float has lost their last digits")
    return pc.if_else(pc.is_finite(values), values, None).cast(pa.int64())


def native_text(column: pa.ChunkedArray) -> pa.Array:
    """A native flag as text: whole numbers in decimal, text without the blanks around it."""
    values = _plain(column)
    if pa.types.is_string(values.type):
        return pc.utf8_trim(values, BLANK)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values.cast(pa.string())


def row_bytes(table: pa.Table) -> pa.ChunkedArray:
    """Canonical bytes of every row: its values in the order of the column names.

    A null or NaN is 00; a whole number, of whatever type, `i` and 8 bytes (two's complement), or
    `u` from 2**63 on; another number `f` and the 8 bytes of its float64; true or false `b` and
    01 or 00; text without blanks at its end `s`, 4 bytes of length and UTF-8. All little-endian.
    """
    names = sorted(table.column_names, key=str.encode)
    rows = pa.table([_plain(table[name]) for name in names], names=names)
    return pa.chunked_array(map(_joined, rows.to_batches(max_chunksize=BATCH_ROWS)), pa.binary())


def _joined(batch: pa.RecordBatch) -> pa.Array:
    parts = [part for name, values in zip(batch.schema.names, batch.columns, strict=True)
             for part in _value_bytes(values, name)]
    return pc.binary_join_element_wise(*parts, b"")


def _value_bytes(values: pa.Array, name: str) -> Iterator[pa.Array]:
    """Bytes of every value, in one or two parts."""
    type_ = values.type
    unknown = np.asarray(pc.is_null(values, nan_is_null=True))
    if pa.types.is_null(type_):
        yield _tagged(unknown, 0, np.zeros((len(values), 0), np.uint8))
    elif pa.types.is_string(type_):
        text = pc.fill_null(pc.utf8_rtrim(values, BLANK), "").cast(pa.binary())
        yield _tagged(unknown, _TEXT, _octets(np.asarray(pc.binary_length(text)).astype("<u4")))
        yield text
    elif pa.types.is_boolean(type_):
        truth = np.asarray(pc.fill_null(values, fill_value=False))
        yield _tagged(unknown, _TRUTH, _octets(truth.astype(np.uint8)))
    elif pa.types.is_integer(type_) or pa.types.is_floating(type_):
        filled = pc.if_else(pa.array(unknown), pa.scalar(0, type_), values)
        yield _tagged(unknown, *_number(filled.to_numpy(zero_copy_only=False)))
    else:
        raise refuse(Code.TABLE_COLUMN_TYPE, f"column {name}", found=f"values of type {type_}",
                     expected="numbers, text, true or false", remedy="convert the column")


def _number(numbers: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], Octets]:
    """Tag and bytes of each of some numbers, none of them NaN."""
    if numbers.dtype.kind == "f":
        numbers = numbers.astype("<f8")
        whole = (numbers == np.trunc(numbers)) & (np.abs(numbers) <= EXACT)
        integers = np.where(whole, numbers, 0).astype("<i8")
        words = np.where(whole, integers.view("<u8"), numbers.view("<u8"))
        return np.where(whole, _INTEGER, _FLOAT), _octets(words)
    if numbers.dtype == np.uint64:
        return np.where(numbers >= 2**63, _LARGE, _INTEGER), _octets(numbers.astype("<u8"))
    return np.full(len(numbers), _INTEGER), _octets(numbers.astype("<i8"))


def _octets(numbers: npt.NDArray[Any]) -> Octets:
    """Bytes of numbers, a line each."""
    width = numbers.dtype.itemsize
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), width)


def _tagged(unknown: npt.NDArray[np.bool_], tag: npt.ArrayLike, octets: Octets) -> pa.Array:
    """A tag and the bytes of every value behind it; for an unknown value only the tag of null."""
    lines = np.column_stack([np.where(unknown, _NULL, tag).astype(np.uint8), octets])
    offsets = np.zeros(len(lines) + 1, np.int32)
    np.cumsum(np.where(unknown, 1, lines.shape[1]), out=offsets[1:])
    if unknown.any():
        kept = np.ones(lines.shape, dtype=bool)
        kept[unknown, 1:] = False
        lines = lines[kept]
    return pa.Array.from_buffers(pa.binary(), len(unknown),
                                 [None, pa.py_buffer(offsets), pa.py_buffer(lines.ravel())])


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One contiguous array of a type that has no second spelling."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
