"""The canonical text and bytes of native values, on which ids rest (docs/reference/ids.md)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse

#: Whole numbers up to here are exact in a float64.
EXACT = 2**53

#: Fixed-width text is padded with it; no other white space is removed.
BLANK = " "

_NULL, _INTEGER, _LARGE, _FLOAT, _TEXT, _TRUTH = b"\x00", b"i", b"u", b"f", b"s", b"b"


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


def row_bytes(table: pa.Table) -> list[bytes]:
    """Canonical bytes of every row: its values in the order of the column names.

    A null or NaN is 00; a whole number, of whatever type, `i` and 8 bytes (two's complement), or
    `u` from 2**63 on; another number `f` and the 8 bytes of its float64; true or false `b` and
    01 or 00; text without blanks at its end `s`, 4 bytes of length and UTF-8. All little-endian.
    """
    names = sorted(table.column_names, key=str.encode)
    columns = [_value_bytes(_plain(table[name]), name) for name in names]
    return [b"".join(values) for values in zip(*columns, strict=True)]


def _value_bytes(values: pa.Array, name: str) -> list[bytes]:
    type_ = values.type
    if pa.types.is_null(type_):
        return [_NULL] * len(values)
    if pa.types.is_string(type_):
        text = pc.utf8_rtrim(values, BLANK).to_pylist()
        return [_NULL if t is None else _text_bytes(t) for t in text]
    if pa.types.is_boolean(type_):
        return [_NULL if b is None else _TRUTH + bytes([b]) for b in values.to_pylist()]
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return _number_bytes(values)
    raise refuse(Code.TABLE_COLUMN_TYPE, f"column {name}", found=f"values of type {type_}",
                 expected="numbers, text, true or false", remedy="convert the column")


def _text_bytes(text: str) -> bytes:
    data = text.encode()
    return _TEXT + len(data).to_bytes(4, "little") + data


def _number_bytes(values: pa.Array) -> list[bytes]:
    unknown = pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False)
    filled = pc.if_else(pa.array(unknown), pa.scalar(0, values.type), values)
    numbers = filled.to_numpy(zero_copy_only=False)
    if numbers.dtype.kind == "f":
        numbers = numbers.astype("<f8")
        whole = (numbers == np.trunc(numbers)) & (np.abs(numbers) <= EXACT)
        words = np.where(whole, numbers, 0).astype("<i8").view("V8")
        words = np.where(whole, words, numbers.view("V8"))
        tags = np.where(whole, _INTEGER, _FLOAT)
    else:
        large = numbers >= 2**63 if numbers.dtype == np.uint64 else np.zeros(len(numbers), bool)
        words = numbers.astype("<u8" if numbers.dtype == np.uint64 else "<i8").view("V8")
        tags = np.where(large, _LARGE, _INTEGER)
    return [_NULL if u else t + w for u, t, w in
            zip(unknown.tolist(), tags.tolist(), words.tolist(), strict=True)]


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One contiguous array of a type that has no second spelling."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
