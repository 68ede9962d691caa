"""Which rule decided which rows of a table, for people."""

from __future__ import annotations

from collections.abc import Iterator

from pz_tsm_core.display.card import plain
from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.ops.decide import Values
from pz_tsm_core.ops.explain import Explained, Explanation

_SAID = ("gives", "rows", "first row")
_COUNTS = frozenset({"rows", "first row"})


def explained(explanation: Explanation, name: str) -> Page:
    """A page of an explanation.

    Parameters
    ----------
    name : what the table is called
    """
    rows, survey = explanation.rows, explanation.survey
    facts: dict[str, Cell] = {
        "rows": f"{rows.taken:,}", "measurements": f"{rows.given:,}",
        "left out": [f"{count:,} {reason}" for reason, count in rows.dropped.items() if count],
    }
    grids = dict(grid for each in explanation.quantities for grid in _grids(each))
    return Page(f"{name} as {survey.key}: {survey.name}", facts, grids)


def _grids(part: Explained) -> Iterator[tuple[str, Grid]]:
    yield part.quantity, Grid(
        f"{part.quantity}: rows that each rule decided", ("rule", "gives", "rows", "for example"),
        tuple((rule.when, plain(rule.gives), rule.rows, _example(rule.examples))
              for rule in part.rules), _COUNTS)
    if part.values:
        yield f"{part.quantity} by value", _by_value(part)
    if part.undecided:
        yield f"{part.quantity} undecided", Grid(
            f"{part.quantity}: values for which no rule holds, decided by otherwise",
            (*_named(part.undecided[0]), *_SAID),
            tuple((*each.native.values(), plain(part.rules[-1].gives), each.rows, each.first)
                  for each in part.undecided), _COUNTS)


def _by_value(part: Explained) -> Grid:
    return Grid(
        f"{part.quantity} by native value", (*_named(part.values[0]), *_SAID, "by rule"),
        tuple((*each.native.values(), plain(part.rules[each.rule].gives), each.rows, each.first,
               _rule(part, each)) for each in part.values), _COUNTS)


def _named(values: Values) -> Iterator[str]:
    """Headings of native columns, which may be called like ours."""
    yield from (f"native {column}" if column in (*_SAID, "by rule") else column
                for column in values.native)


def _rule(part: Explained, values: Values) -> str:
    """The rule by its place in the list, from 1."""
    return "otherwise" if values.rule == len(part.rules) - 1 else str(values.rule + 1)


def _example(examples: tuple[tuple[int, dict[str, str]], ...]) -> str:
    """The first rows, and what the rules read in the very first."""
    if not examples:
        return ""
    read = ", ".join(f"{column} {value}" for column, value in examples[0][1].items())
    rows = ", ".join(str(row) for row, _ in examples)
    return f"rows {rows}" + (f" ({read})" if read else "")
