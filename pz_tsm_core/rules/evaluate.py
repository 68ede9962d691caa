"""A tree over a whole table at once, in Kleene's logic.

NaN counts as null everywhere. A comparison with null is null, `and`, `or`, `not` follow Kleene,
and whoever asks for a mask turns null into false once, at the very end.

Whole numbers are compared exactly, 64-bit ids included; arithmetic, `abs` and `trunc` and every
comparison with a fraction work in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.rules.tree import (
    Call,
    Column,
    Compare,
    Compute,
    Digit,
    Every,
    Find,
    Is,
    Literal,
    Node,
    Not,
    Some,
)

#: An Arrow array or, for a part without columns, a scalar.
Datum = Any

#: Wide enough for both int64 and uint64.
_EXACT = pa.decimal128(20, 0)

_ARITHMETIC: dict[str, Callable[..., Datum]] = {
    "+": pc.add, "-": pc.subtract, "*": pc.multiply, "/": pc.divide,
}
_COMPARISON: dict[str, Callable[..., Datum]] = {
    "==": pc.equal, "!=": pc.not_equal, "<": pc.less, "<=": pc.less_equal,
    ">": pc.greater, ">=": pc.greater_equal,
}
_FUNCTION: dict[str, Callable[..., Datum]] = {
    "abs": lambda x: pc.abs(_float(x)),
    "trunc": lambda x: pc.trunc(_float(x)),
    "length": lambda x: pc.cast(pc.utf8_length(_text(x)), pa.int64()),
    "lower": lambda x: pc.utf8_lower(_text(x)),
    "strip": lambda x: pc.utf8_trim_whitespace(_text(x)),
}


def evaluate(node: Node, table: pa.Table) -> Datum:  # noqa: PLR0911 - one for each kind of node
    """Value of a checked tree for every row; null where it is not known."""
    match node:
        case Column(name=name):
            return _column(table[name])
        case Literal(value=value):
            return pa.scalar(value)
        case Compute(operator=operator, left=left, right=right):
            values = (_float(evaluate(part, table)) for part in (left, right))
            return _nan_to_null(_ARITHMETIC[operator](*values))
        case Call(function=function, argument=argument):
            return _FUNCTION[function](evaluate(argument, table))
        case Digit(argument=argument, position=position):
            return _digit(evaluate(argument, table), position)
        case Compare(operator=operator, left=left, right=right):
            return _compare(operator, evaluate(left, table), evaluate(right, table))
        case Is(test="null", argument=argument):
            return pc.is_null(evaluate(argument, table))
        case Is(argument=argument):
            finite = pc.is_finite(_float(evaluate(argument, table)))
            return pc.fill_null(finite, fill_value=False)
        case Find(how=how, argument=argument, text=text):
            search = pc.match_substring if how == "contains" else pc.starts_with
            return search(_text(evaluate(argument, table)), pattern=text)
    return _logic(node, table)


def _logic(node: Node, table: pa.Table) -> Datum:
    parts = (_truth(evaluate(part, table)) for part in node.children)
    match node:
        case Not():
            return pc.invert(next(parts))
        case Every():
            return reduce(pc.and_kleene, parts)
        case Some():
            return reduce(pc.or_kleene, parts)
    raise TypeError(type(node).__name__)


def _column(column: pa.ChunkedArray) -> Datum:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    return _nan_to_null(column) if pa.types.is_floating(column.type) else column


def _nan_to_null(value: Datum) -> Datum:
    return pc.if_else(pc.is_nan(value), pa.scalar(None, value.type), value)


def _float(value: Datum) -> Datum:
    # Not safe: whole numbers beyond 2**53 are rounded, as the language says.
    return pc.cast(value, pa.float64(), safe=False)


def _text(value: Datum) -> Datum:
    return pc.cast(value, pa.string()) if pa.types.is_null(value.type) else value


def _truth(value: Datum) -> Datum:
    return pc.cast(value, pa.bool_()) if pa.types.is_null(value.type) else value


def _compare(operator: str, left: Datum, right: Datum) -> Datum:
    types = {left.type, right.type}
    if any(map(pa.types.is_null, types)):
        left, right = _as_null(left), _as_null(right)
    elif all(map(pa.types.is_integer, types)):
        if len(types) > 1:
            common = _EXACT if pa.uint64() in types else pa.int64()
            left, right = pc.cast(left, common), pc.cast(right, common)
    elif all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in types):
        left, right = _float(left), _float(right)
    return _COMPARISON[operator](left, right)


def _as_null(value: Datum) -> Datum:
    """Nothing known, in the shape of the value: a column of nulls may be of any kind."""
    nothing = pa.scalar(None, pa.bool_())
    if isinstance(value, pa.Scalar):
        return nothing
    return pc.if_else(pc.is_null(value), nothing, nothing)


def _digit(value: Datum, position: int) -> Datum:
    if isinstance(value, pa.Scalar):
        return _digit(pa.array([value.as_py()], value.type), position)[0]
    unknown = pc.is_null(value).to_numpy(zero_copy_only=False)
    if pa.types.is_null(value.type):
        return pa.nulls(len(value), pa.int64())
    numbers = pc.fill_null(value, pa.scalar(0, value.type)).to_numpy(zero_copy_only=False)
    if numbers.dtype.kind == "f":
        numbers = np.trunc(np.abs(numbers.astype(np.float64)))
        # From 2**63 on (and at infinity) a float says nothing about single digits.
        unknown = unknown | (numbers >= 2.0**63)
        numbers = np.where(unknown, 0, numbers)
    magnitude = np.abs(numbers).astype(np.uint64)
    digits = magnitude // np.uint64(10**position) % np.uint64(10)
    return pa.array(digits.astype(np.int64), mask=unknown)
