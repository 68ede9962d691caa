"""Which columns rules compare with single values, and which they measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pz_tsm_core.rules.tree import Column, Compare, Compute, Is, Node


def tested_values(trees: Iterable[Node]) -> tuple[frozenset[str], frozenset[str]]:
    """Columns that rules compare with single values, and those that they measure.

    A flag is `4`, starts with `A` or is true; a measurement lies below a limit, enters a
    computation, or is finite. A column may be both.

    Examples
    --------
    >>> from pz_tsm_core.rules import parse
    >>> single, measured = tested_values([parse("Q in (3, 4) and z < 0.1 * zerr").tree])
    >>> sorted(single), sorted(measured)
    (['Q'], ['z', 'zerr'])
    """
    single: set[str] = set()
    measured: set[str] = set()
    for tree in trees:
        for name, is_measured in _columns(tree, measuring=False):
            (measured if is_measured else single).add(name)
    return frozenset(single), frozenset(measured)


def _columns(node: Node, *, measuring: bool) -> Iterator[tuple[str, bool]]:
    """Columns below a node; whether it, or a node above them, measures."""
    if isinstance(node, Column):
        yield node.name, measuring
    below = measuring or _measures(node)
    for child in node.children:
        yield from _columns(child, measuring=below)


def _measures(node: Node) -> bool:
    limit = isinstance(node, Compare) and node.operator not in ("==", "!=")
    finite = isinstance(node, Is) and node.test == "finite"
    return limit or finite or isinstance(node, Compute)
