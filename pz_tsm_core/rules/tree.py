"""What a rule is once it is parsed: a small tree of frozen nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Literal as Choice
from typing import TypeAlias

Arithmetic: TypeAlias = Choice["+", "-", "*", "/"]
Comparison: TypeAlias = Choice["==", "!=", "<", "<=", ">", ">="]
Function: TypeAlias = Choice["abs", "trunc", "length", "lower", "strip"]
Test: TypeAlias = Choice["null", "finite"]
Search: TypeAlias = Choice["contains", "starts with", "ends with"]
Scalar: TypeAlias = int | float | str | bool


@dataclass(frozen=True)
class Node:
    """A part of a rule.

    Parameters
    ----------
    place : character of the text, from 1, at which the part begins

    Attributes
    ----------
    depth : levels of the tree from here down, this one included
    """

    place: int = field(compare=False)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Known when built, so that a limit on it needs no walk down a tree of any depth.
        depth = 1 + max((child.depth for child in self.children), default=0)
        object.__setattr__(self, "depth", depth)

    @property
    def children(self) -> tuple[Node, ...]:
        """The parts that the node is made of."""
        values = [getattr(self, f.name) for f in fields(self) if f.name != "depth"]
        parts = (value if isinstance(value, tuple) else (value,) for value in values)
        return tuple(part for group in parts for part in group if isinstance(part, Node))

    def walk(self) -> Iterator[Node]:
        """The node and all below it."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children)


@dataclass(frozen=True)
class Column(Node):
    """The value of a native column."""

    name: str


@dataclass(frozen=True)
class Literal(Node):
    """A number, a text, true or false."""

    value: Scalar


@dataclass(frozen=True)
class Compute(Node):
    """Two numbers combined, in float64."""

    operator: Arithmetic
    left: Node
    right: Node


@dataclass(frozen=True)
class Call(Node):
    """A function of one value."""

    function: Function
    argument: Node


@dataclass(frozen=True)
class Digit(Node):
    """The `position`-th decimal digit of trunc(abs(x)) from the right; 0 is the last."""

    argument: Node
    position: int


@dataclass(frozen=True)
class Compare(Node):
    """Two values compared."""

    operator: Comparison
    left: Node
    right: Node


@dataclass(frozen=True)
class Is(Node):
    """A test that is true or false for every value, null included."""

    test: Test
    argument: Node


@dataclass(frozen=True)
class Find(Node):
    """A fixed text searched in a text."""

    how: Search
    argument: Node
    text: str


@dataclass(frozen=True)
class Not(Node):
    """The opposite of a condition."""

    argument: Node


@dataclass(frozen=True)
class Every(Node):
    """Conditions joined by `and`."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Some(Node):
    """Conditions joined by `or`."""

    parts: tuple[Node, ...]
