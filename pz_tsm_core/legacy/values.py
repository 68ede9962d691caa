"""What a part of an old expression stands for.

The older pipeline holds a table in pandas, where a missing value is of two kinds. In columns that
it converts (`z`, `z_flag`, texts ...) it is NA: a comparison with NA is NA, and NA counts as false
at the very end. In other numbers and truth values, read from Parquet, it is NaN: a comparison is
false, and `!=` is true. Here every condition is therefore held twice, as what must hold for it to
be true and as what must hold for it to be false, so that `not` has nothing to guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal as Choice

from pz_tsm_core.rules.tree import Call, Column, Every, Is, Literal, Node, Not, Some

End = Choice["starts with", "ends with"]


class Missing(IntEnum):
    """How the older pipeline holds what is missing; the larger wins where two are combined."""

    NAN = 0  # plain numpy: `!=` is true of it
    ARROW = 1  # NA, until a function of numpy makes NaN of it
    NULLABLE = 2  # NA throughout


@dataclass(frozen=True)
class Truth:
    """A condition.

    Parameters
    ----------
    holds, fails : when it is true, when it is false; where neither holds, it is NA
    column : the column of truth values that it is, if it is one
    missing : of that column
    """

    holds: Node
    fails: Node
    column: Column | None = None
    missing: Missing = Missing.NAN

    @property
    def literal(self) -> bool | None:
        """True or False where it holds for all rows or for none."""
        return {ALWAYS: True, NEVER: False}.get(self.holds)


@dataclass(frozen=True)
class Number:
    """A number.

    Parameters
    ----------
    known : what must hold besides for it to be known
    whole : whether it is the outcome of int()
    single : whether it is a column of 32-bit floats, which are compared as such
    """

    node: Node
    missing: Missing = Missing.NAN
    known: tuple[Node, ...] = ()
    whole: bool = False
    single: bool = False

    @property
    def literal(self) -> float | None:
        """Its value where it stands in the text itself."""
        if isinstance(self.node, Literal) and isinstance(self.node.value, int | float):
            return self.node.value
        return None


@dataclass(frozen=True)
class Text:
    """A text, or with `upper` the text in capitals.

    Parameters
    ----------
    number : what it was before, in a column of numbers that was made text
    """

    node: Node
    upper: bool = False
    missing: Missing = Missing.ARROW
    number: Number | None = None

    @property
    def literal(self) -> str | None:
        """Its value where it stands in the text itself."""
        if isinstance(self.node, Literal) and isinstance(self.node.value, str):
            return self.node.value
        return None


@dataclass(frozen=True)
class Part:
    """The first or last characters of a text; with `index` one of them, NA in an empty text."""

    text: Text
    end: End
    length: int
    index: bool = False


@dataclass(frozen=True)
class Numeral:
    """A whole number as text: `str(int(x))`; with `digit` its n-th character from the right."""

    number: Number
    digit: int | None = None


@dataclass(frozen=True)
class NumeralLength:
    """How many characters a whole number has, the minus sign included."""

    number: Number


@dataclass(frozen=True)
class Unknown:
    """A column of a table that is not known yet."""

    node: Column


Value = Truth | Number | Text | Part | Numeral | NumeralLength | Unknown


class Mismatch(Exception):  # noqa: N818 - told where the place is known
    """Values that cannot be combined; the reason, as a sentence goes on after the part itself."""


ALWAYS: Node = Literal(1, value=True)
NEVER: Node = Literal(1, value=False)


def every(*nodes: Node) -> Node:
    """All of them, without those that always hold."""
    flat = (part for node in nodes for part in (node.parts if isinstance(node, Every) else (node,)))
    parts = tuple(dict.fromkeys(part for part in flat if part != ALWAYS))
    if NEVER in parts:
        return NEVER
    return Every(parts[0].place, parts) if len(parts) > 1 else (*parts, ALWAYS)[0]


def some(*nodes: Node) -> Node:
    """One of them, without those that never hold."""
    flat = (part for node in nodes for part in (node.parts if isinstance(node, Some) else (node,)))
    parts = tuple(dict.fromkeys(part for part in flat if part != NEVER))
    if ALWAYS in parts:
        return ALWAYS
    return Some(parts[0].place, parts) if len(parts) > 1 else (*parts, NEVER)[0]


def opposite(node: Node) -> Node:
    """The opposite of what is true or false for every row."""
    if node in (ALWAYS, NEVER):
        return NEVER if node == ALWAYS else ALWAYS
    return node.argument if isinstance(node, Not) else Not(node.place, node)


def constant(value: object) -> Truth:
    """A condition that holds for all rows or for none."""
    return Truth(ALWAYS, NEVER) if value else Truth(NEVER, ALWAYS)


def truth_column(column: Column, missing: Missing) -> Truth:
    """A column of truth values by itself."""
    fails: Node = Not(column.place, column)
    if missing is Missing.NAN:  # among plain truth values, None counts as false
        fails = some(fails, is_null(column))
    return Truth(column, fails, column, missing)


def negated(truth: Truth) -> Truth:
    """The opposite; NA stays NA."""
    return Truth(truth.fails, truth.holds)


def conjunction(parts: list[Truth]) -> Truth:
    """All of them, in Kleene's logic."""
    return Truth(every(*(p.holds for p in parts)), some(*(p.fails for p in parts)))


def disjunction(parts: list[Truth]) -> Truth:
    """One of them, in Kleene's logic."""
    return Truth(some(*(p.holds for p in parts)), every(*(p.fails for p in parts)))


def is_null(node: Node) -> Node:
    """Whether a value is missing; a literal never is."""
    return NEVER if isinstance(node, Literal) else Is(node.place, "null", node)


def is_known(node: Node) -> Node:
    """Whether a value is there."""
    return opposite(is_null(node))


def without_trunc(node: Node) -> Node:
    """What is truncated; the node itself where nothing is."""
    return node.argument if isinstance(node, Call) and node.function == "trunc" else node
