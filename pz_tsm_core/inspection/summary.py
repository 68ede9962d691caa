"""A table in a few lines: its columns, what is in them, and its first rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pz_tsm_core.errors import Code, Problems, nearest
from pz_tsm_core.inspection.column import Column


@dataclass(frozen=True)
class ColumnSummary:
    """What a column is, and what is in it.

    Parameters
    ----------
    unit, ucd, description : as the file says; empty where it is silent
    empty, distinct : rows without a value, and different values; None where nobody looked
    smallest, largest : of the finite numbers
    first : values of the first rows
    """

    name: str
    type: str
    unit: str = ""
    ucd: str = ""
    description: str = ""
    empty: int | None = None
    distinct: int | None = None
    smallest: float | int | None = None
    largest: float | int | None = None
    first: tuple[Any, ...] = ()


@dataclass(frozen=True)
class TableSummary:
    """A table by its columns.

    Parameters
    ----------
    looked_at : rows whose values were looked at, from the first on; `rows` when all were
    """

    name: str
    rows: int
    looked_at: int
    columns: tuple[ColumnSummary, ...]


def summarised(name: str, rows: int, table: pa.Table, *, first: int) -> TableSummary:
    """Summary of a table, or of its first rows.

    Parameters
    ----------
    rows : of the whole table, of which `table` may be the beginning
    first : rows to show
    """
    columns = tuple(_summary(Column(place, field, table.column(place)), first)
                    for place, field in enumerate(table.schema))
    return TableSummary(name, rows, len(table), columns)


def declared(fields: Iterable[Any]) -> tuple[ColumnSummary, ...]:
    """Columns whose values nobody looked at; `fields` say name, type, unit, ucd, description."""
    return tuple(ColumnSummary(one.name, one.type, one.unit, one.ucd, one.description)
                 for one in fields)


def chosen(available: Sequence[str], wanted: Sequence[str] | None, where: str) -> list[str]:
    """The columns that somebody wants to see, all by default.

    Raises
    ------
    TsmError
        `table.missing-column` for every one that is not there
    """
    problems = Problems()
    for name in wanted or ():
        if name not in available:
            problems.add(Code.TABLE_MISSING_COLUMN, where, found=f"no column `{name}`",
                         expected="a column of the table", remedy=nearest(name, available))
    problems.raise_if_any()
    return list(wanted or available)


def _summary(column: Column, first: int) -> ColumnSummary:
    low, high = column.bounds or (None, None)
    return ColumnSummary(
        column.name, str(column.field.type), column.told("unit"), column.told("ucd"),
        column.told("description"), column.empty, column.distinct if column.kind else None,
        low, high, tuple(map(_plain, column.values.slice(0, first).to_pylist())),
    )


def _plain(value: Any) -> Any:
    """A value as JSON has it: NaN and infinities as text, bytes and times, too."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
