"""Trees over many rows at once, in Kleene's logic.

NaN counts as null everywhere. A comparison with null is null, `and`, `or`, `not` follow Kleene,
and whoever asks for a mask turns null into false once, at the very end.

Whole numbers are compared exactly, 64-bit ids included; arithmetic, `abs` and `trunc` and every
comparison with a fraction work in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
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
_SEARCH: dict[str, Callable[..., Datum]] = {
    "contains": pc.match_substring, "starts with": pc.starts_with, "ends with": pc.ends_with,
}


#: Rows that are evaluated together: what they need stays in the processor's cache.
BATCH_ROWS = 65_536


class Batch:
    """Some rows of a table, over which every part of the rules is evaluated once at most.

    Parameters
    ----------
    table : a table that the rules fit
    rows : which of its rows
    numbers : of every node by its identity; nodes that say the same have the same number

    Attributes
    ----------
    rows : which rows of the table
    """

    def __init__(self, table: pa.Table, rows: slice, numbers: Mapping[int, int]) -> None:
        self.rows = rows
        self._table, self._numbers = table, numbers
        self._known: dict[int, Datum] = {}

    def value(self, node: Node) -> Datum:
        """Value of a checked tree for every row; null where it is not known."""
        number = self._numbers[id(node)]
        if number not in self._known:
            self._known[number] = self._evaluate(node)
        return self._known[number]

    def mask(self, node: Node) -> npt.NDArray[np.bool_]:
        """Whether a condition holds, for every row; null is false."""
        value = self.value(node)
        length = self.rows.stop - self.rows.start
        if isinstance(value, pa.Scalar):
            return np.full(length, value.as_py() is True)
        if pa.types.is_null(value.type):
            return np.zeros(length, dtype=bool)
        filled = pc.fill_null(value, fill_value=False)
        return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=bool)

    def _evaluate(self, node: Node) -> Datum:
        match node:
            case Column(name=name):
                length = self.rows.stop - self.rows.start
                return _column(self._table[name].slice(self.rows.start, length))
            case Literal(value=value):
                return pa.scalar(value)
        return _combine(node, *map(self.value, node.children))


def batches(table: pa.Table, trees: Iterable[Node]) -> Iterator[Batch]:
    """The rows of a table in order, some at a time, for these trees."""
    seen: dict[Node, int] = {}
    kept = tuple(trees)  # a number goes by identity: the nodes must live as long as the batches
    numbers = {id(node): seen.setdefault(node, len(seen)) for tree in kept for node in tree.walk()}
    for start in range(0, len(table), BATCH_ROWS):
        yield Batch(table, slice(start, min(start + BATCH_ROWS, len(table))), numbers)


def _combine(node: Node, *parts: Datum) -> Datum:  # noqa: PLR0911 - one for each kind of node
    match node:
        case Compute(operator=operator):
            return _nan_to_null(_ARITHMETIC[operator](*map(_float, parts)))
        case Call(function=function):
            return _FUNCTION[function](*parts)
        case Digit(position=position):
            return _digit(parts[0], position)
        case Compare(operator=operator):
            return _compare(operator, *parts)
        case Is(test="null"):
            return pc.is_null(*parts)
        case Is():
            return pc.fill_null(pc.is_finite(*map(_float, parts)), fill_value=False)
        case Find(how=how, text=text):
            return _SEARCH[how](*map(_text, parts), pattern=text)
    return _logic(node, *map(_truth, parts))


def _logic(node: Node, *parts: Datum) -> Datum:
    match node:
        case Not():
            return pc.invert(*parts)
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
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return _nan_to_null(array) if pa.types.is_floating(array.type) else array


def _nan_to_null(value: Datum) -> Datum:
    unknown = pc.is_nan(value)
    # Most batches have no NaN, and a look costs less than a copy.
    if not (pc.any(unknown) if isinstance(value, pa.Array) else unknown).as_py():
        return value
    return pc.if_else(unknown, pa.scalar(None, value.type), value)


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
