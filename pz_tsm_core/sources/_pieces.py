"""A table too long for one reply, cut along its columns into pieces that are not.

A piece is a range of a column between multiples of a power of two. Numbers are scaled by that
without rounding, so that a service counts, by FLOOR, exactly the rows that it will give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pz_tsm_core.sources._adql import Column, number, select

#: Gives the rows of a query.
Ask = Callable[[str], Sequence[Mapping[str, Any]]]

#: Cells in which rows are counted at a time, and how often a full cell is divided.
_CELLS, _DEPTH = 2**9, 3
#: What is beyond is taken as if it were there; single precision still has it.
_HUGE = 1e30
#: A column that varies by less is not divided.
_NARROW = 2.0**-20


@dataclass(frozen=True)
class Slice:
    """The rows that meet conditions, and how many there are."""

    conditions: tuple[str, ...]
    rows: int


@dataclass(frozen=True, order=True)
class _Cell:
    """Rows from a number on, up to the next cell; not a number where the column has none."""

    start: float
    rows: int


def cut(
    whole: Slice, clause: str, columns: Sequence[Column], most: int, ask: Ask
) -> list[Slice]:
    """Cut rows into slices of no more than `most`, as far as the columns tell them apart.

    Every row is in one slice, also where a column is null or not a number.

    Parameters
    ----------
    clause : what stands after FROM
    columns : of floating-point numbers; where one does not tell rows apart, the next may
    """
    if whole.rows <= most or not columns:
        return [whole]
    slices = _Cut(whole, clause, columns[0].adql, most, ask).slices()
    return [part for one in slices for part in cut(one, clause, columns[1:], most, ask)]


@dataclass(frozen=True)
class _Cut:
    """The cutting of rows along one column."""

    whole: Slice
    clause: str
    column: str
    most: int
    ask: Ask

    def slices(self) -> list[Slice]:
        """Ranges of the column, then the rows in which it is null."""
        cells = list(self._cells(self._width(), (), _DEPTH))
        blank = sum(cell.rows for cell in cells if math.isnan(cell.start))
        null = self._null() if blank else 0
        # What is not a number, yet not null, is to databases larger than all numbers.
        placed = [cell for cell in cells if not math.isnan(cell.start)]
        ranges = self._ranges(sorted([*placed, _Cell(_HUGE, blank - null)]))
        return [one for one in (*ranges, self._slice((f"{self.column} IS NULL",), null))
                if one.rows]

    def _width(self) -> float:
        """Of the first cells: a power of two that divides the column into some hundreds."""
        what = (f"MIN({self.column}) AS low", f"MAX({self.column}) AS high")
        finite = f"{self.column} BETWEEN {number(-_HUGE)} AND {number(_HUGE)}"
        [row] = self.ask(select(what, self.clause, (*self.whole.conditions, finite)))
        extent = (row["high"] or 0.0) - (row["low"] or 0.0)
        return 2.0 ** math.ceil(math.log2(max(extent, _NARROW) / _CELLS))

    def _cells(self, width: float, within: tuple[str, ...], depth: int) -> Iterator[_Cell]:
        """Count the rows in cells; where one holds too many, in smaller ones."""
        cell = f"FLOOR({self.column} * {number(1 / width)}) AS cell"
        rows = select((cell,), self.clause, (*self.whole.conditions, *within))
        for row in self.ask(select(("cell", "COUNT(*) AS n"), f"({rows}) AS cells GROUP BY cell")):
            start = math.nan if row["cell"] is None else float(row["cell"]) * width
            divisible = depth and -_HUGE < start < start + width < _HUGE
            if divisible and int(row["n"]) > self.most:
                limits = self._between(start, start + width)
                yield from self._cells(width / _CELLS, limits, depth - 1)
            else:
                yield _Cell(min(max(start, -_HUGE), _HUGE), int(row["n"]))

    def _null(self) -> int:
        conditions = (*self.whole.conditions, f"{self.column} IS NULL")
        [row] = self.ask(select(("COUNT(*) AS n",), self.clause, conditions))
        return int(row["n"])

    def _ranges(self, cells: Iterable[_Cell]) -> Iterator[Slice]:
        """Join cells, in the order of the column, up to the most rows; both ends are open."""
        starts: list[float | None] = [None]
        rows, before = [0], math.nan
        for cell in cells:
            if rows[-1] and rows[-1] + cell.rows > self.most and cell.start != before:
                starts.append(cell.start)
                rows.append(0)
            rows[-1] += cell.rows
            before = cell.start
        for (low, high), count in zip(pairwise([*starts, None]), rows, strict=True):
            yield self._slice(self._between(low, high), count)

    def _between(self, low: float | None, high: float | None) -> tuple[str, ...]:
        limits = ((">=", low), ("<", high))
        said = tuple(f"{self.column} {sign} {number(limit)}"
                     for sign, limit in limits if limit is not None)
        return said or (f"{self.column} IS NOT NULL",)

    def _slice(self, conditions: tuple[str, ...], rows: int) -> Slice:
        return Slice((*self.whole.conditions, *conditions), rows)
