"""Types as the digest of a table knows them: by what they hold, not by how it is laid out."""

from __future__ import annotations

import pyarrow as pa


def logical(kind: pa.DataType) -> str:
    """Name of a type, equal for all layouts that hold the same values."""
    if pa.types.is_dictionary(kind):
        return logical(kind.value_type)
    if is_list(kind):
        return f"list<{logical(kind.value_type)}>"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return "string"
    return "binary" if is_text(kind) else str(kind)


def is_text(kind: pa.DataType) -> bool:
    """Whether values are text or bytes."""
    views = kind in (pa.string_view(), pa.binary_view())
    plain = pa.types.is_string(kind) or pa.types.is_binary(kind)
    large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    return bool(views or plain or large or pa.types.is_fixed_size_binary(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether values are lists."""
    variable = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(variable or pa.types.is_fixed_size_list(kind))


def is_known(kind: pa.DataType) -> bool:
    """Whether the specification says how values of the type are hashed."""
    if pa.types.is_dictionary(kind) or is_list(kind):
        return is_known(kind.value_type)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    # Intervals of months and days have no one integer.
    time = pa.types.is_temporal(kind) and not pa.types.is_interval(kind)
    return bool(number or time or is_text(kind) or pa.types.is_null(kind))
