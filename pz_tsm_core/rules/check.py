"""Which kind of value each part of a rule gives, and what cannot be combined."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pyarrow as pa

from pz_tsm_core.errors import Code, Problems, nearest
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

#: A longer rule is not repeated in a message.
MAX_SHOWN = 200


class Kind(StrEnum):
    """The kinds of values; what is not known yet goes with every other."""

    NUMBER = "a number"
    TEXT = "a text"
    TRUTH = "true or false"
    UNKNOWN = "of unknown kind"


_TEXT_FUNCTIONS = frozenset({"length", "lower", "strip"})


class Checker:
    """Collects what is wrong with one rule.

    Parameters
    ----------
    text, where : the rule and what to call it in messages
    columns : kind of every column of the table; None before a table is known
    """

    def __init__(self, text: str, where: str, columns: Mapping[str, Kind] | None) -> None:
        self.where = f"{where} `{text}`" if len(text) <= MAX_SHOWN else where
        self.columns = columns
        self.problems = Problems()

    def require(self, node: Node, wanted: Kind) -> None:
        """Note a problem unless the node gives the wanted kind."""
        kind = self.kind(node)
        if Kind.UNKNOWN not in (kind, wanted) and kind != wanted:
            self._add(node, f"{kind}", f"{wanted}")

    def kind(self, node: Node) -> Kind:  # noqa: PLR0911 - one for each kind of node
        """The kind of value that a node gives, its parts checked on the way."""
        match node:
            case Column():
                return self._column(node)
            case Literal(value=value):
                return _literal_kind(value)
            case Compute(left=left, right=right):
                return self._all(Kind.NUMBER, (left, right), Kind.NUMBER)
            case Digit(argument=argument):
                return self._all(Kind.NUMBER, (argument,), Kind.NUMBER)
            case Call(function=function, argument=argument):
                return self._call(function, argument)
            case Compare():
                return self._compare(node)
            case Is(test=test, argument=argument):
                wanted = Kind.NUMBER if test == "finite" else Kind.UNKNOWN
                return self._all(wanted, (argument,), Kind.TRUTH)
            case Find(argument=argument):
                return self._all(Kind.TEXT, (argument,), Kind.TRUTH)
            case Not() | Every() | Some():
                return self._all(Kind.TRUTH, node.children, Kind.TRUTH)
        raise TypeError(type(node).__name__)

    def _all(self, wanted: Kind, parts: tuple[Node, ...], given: Kind) -> Kind:
        for part in parts:
            self.require(part, wanted)
        return given

    def _call(self, function: str, argument: Node) -> Kind:
        wanted = Kind.TEXT if function in _TEXT_FUNCTIONS else Kind.NUMBER
        given = Kind.NUMBER if function == "length" else wanted
        return self._all(wanted, (argument,), given)

    def _compare(self, node: Compare) -> Kind:
        if node.operator in ("==", "!="):
            self.require(node.right, self.kind(node.left))
            return Kind.TRUTH
        return self._all(Kind.NUMBER, node.children, Kind.TRUTH)

    def _column(self, node: Column) -> Kind:
        if self.columns is None:
            return Kind.UNKNOWN
        if node.name not in self.columns:
            self.problems.add(Code.RULE_COLUMN, f"{self.where}, character {node.place}",
                              found=f"the column `{node.name}`", expected="a column of the table",
                              remedy=nearest(node.name, self.columns))
            return Kind.UNKNOWN
        return self.columns[node.name]

    def _add(self, node: Node, found: str, expected: str) -> None:
        self.problems.add(Code.RULE_TYPE, f"{self.where}, character {node.place}",
                          found=found, expected=expected,
                          remedy="compare numbers with numbers, texts with quoted texts")


def _literal_kind(value: object) -> Kind:
    if isinstance(value, bool):
        return Kind.TRUTH
    return Kind.TEXT if isinstance(value, str) else Kind.NUMBER


def column_kinds(schema: pa.Schema) -> dict[str, Kind]:
    """Kind of every column of a table that a rule may read."""
    kinds = {field.name: _arrow_kind(field.type) for field in schema}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _arrow_kind(type_: pa.DataType) -> Kind | None:
    value = type_.value_type if pa.types.is_dictionary(type_) else type_
    if pa.types.is_integer(value) or pa.types.is_floating(value):
        return Kind.NUMBER
    if pa.types.is_string(value) or pa.types.is_large_string(value):
        return Kind.TEXT
    if pa.types.is_boolean(value):
        return Kind.TRUTH
    return Kind.UNKNOWN if pa.types.is_null(value) else None
