"""`tsm inspect`: what something is, and what is in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.options import PrincipalOption, RightOption, StoreOption, opened
from pz_tsm_core.cli.table import print_table
from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.inspection import ColumnSummary, Inspection, TableSummary

#: Longer values are cut, in the middle of a table as everywhere.
_LONGEST = 80


@app.command(**shown("inspect"))
def inspect(  # noqa: PLR0917 - typer calls it by keywords
    what: Annotated[str, typer.Argument(
        help="A table file, a HATS folder, a recipe, a product (NAME or NAME@2), or the address of "
             "an artifact.", autocompletion=completion.anything, show_default=False)],
    rows: Annotated[int, typer.Option(min=0, help="First rows to show.")] = 3,
    columns: Annotated[str | None, typer.Option(
        help="Columns to look at, divided by commas. (default: all)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Say what a table, catalogue, recipe or product holds.

    Columns with their units, UCDs, counts and ranges, and the first rows; of a result of the store
    also its balance of rows, its inputs and who may see it.
    """
    from pz_tsm_core import inspection

    wanted = tuple(columns.split(",")) if columns else None
    seen = inspection.inspect(what, lambda: opened(store, principal, right),
                              inspection.Wish(rows, wanted))
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(seen), allow_nan=False))
    else:
        _print(seen)


def _print(seen: Inspection) -> None:
    """Facts as lines, tables as tables; nothing that a terminal would obey."""
    typer.echo(f"{printable(seen.name)}: {seen.kind}")
    for line in _lines(seen.facts, ""):
        typer.echo(line)
    for table in seen.tables:
        typer.echo(f"\n{_heading(table)}")
        _print_columns(table)
        if any(column.first for column in table.columns):
            typer.echo()
            _print_first_rows(table)


def _lines(facts: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in facts.items():
        name = f"{indent}{printable(str(key))}"
        below = _numbered(value)
        if isinstance(below, dict) and below:
            yield name
            yield from _lines(below, f"{indent}  ")
        elif value not in ("", [], {}, None):
            told = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{name:<20}  {_short(told)}"


def _numbered(value: Any) -> Any:
    """A list of mappings as one mapping, from 1; anything else as it is."""
    several = isinstance(value, list) and any(isinstance(item, dict) for item in value)
    return dict(enumerate(value, start=1)) if several else value


def _heading(table: TableSummary) -> str:
    told = {0: "none", table.rows: "all"}.get(table.looked_at, f"the first {table.looked_at:,}")
    return f"{printable(table.name)}: {table.rows:,} rows; values of {told}"


def _print_columns(table: TableSummary) -> None:
    """One line a column; what no column has is left out."""
    texts = {heading: [text(column) for column in table.columns]
             for heading, text in _TOLD.items()}
    kept = {heading: lines for heading, lines in texts.items() if any(lines)}
    print_table(tuple(kept), list(zip(*kept.values(), strict=True)), right=_NUMBERS)


def _print_first_rows(table: TableSummary) -> None:
    """The first rows, one a column: tables are wider than terminals."""
    rows = max(len(column.first) for column in table.columns)
    print_table(("first rows", *map(str, range(rows))), [
        (_short(column.name), *map(_short, column.first), *[""] * (rows - len(column.first)))
        for column in table.columns])


def _short(value: Any) -> str:
    text = printable("" if value is None else str(value))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}" if isinstance(value, float) else str(value)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _name(column: ColumnSummary) -> str:
    return _short(column.name)


_NUMBERS = ("empty", "different", "smallest", "largest")
_TOLD: dict[str, Callable[[ColumnSummary], str]] = {
    "column": _name,
    "type": lambda column: _short(column.type),
    "unit": lambda column: _short(column.unit),
    "UCD": lambda column: _short(column.ucd),
    "empty": lambda column: _count(column.empty),
    "different": lambda column: _count(column.distinct),
    "smallest": lambda column: _number(column.smallest),
    "largest": lambda column: _number(column.largest),
    "description": lambda column: _short(column.description),
}
