"""Pages and tables for people: drawn on a terminal, in plain aligned columns elsewhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import typer

from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.display.page import Page


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> None:
    """Print rows under headings.

    Parameters
    ----------
    right : headings of columns of numbers, which are aligned to the right
    """
    from rich.console import Console

    from pz_tsm_core.display.page import aligned

    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        lines = [[printable(cell) for cell in row] for row in rows]
        console.print(_drawn(headings, lines, right))
    else:
        for line in aligned(headings, rows, right):
            typer.echo(line)


def _drawn(
    headings: Sequence[str], lines: Sequence[Sequence[str]], right: Collection[str]
) -> object:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in right else "left")
    for line in lines:
        table.add_row(*line)
    return table


def print_page(page: Page, as_json: bool) -> None:  # noqa: FBT001 - an option handed on
    """A page as lines and tables, nothing in it that a terminal would obey; or as JSON."""
    if as_json:
        typer.echo(json.dumps(page.to_json(), allow_nan=False))
        return
    typer.echo(printable(page.title))
    for name, text in page.said.items():
        typer.echo(printable(f"{name:<17}{text}"))
    for grid in page.grids.values():
        typer.echo()
        if grid.title:
            typer.echo(printable(grid.title))
        print_table(grid.headings, grid.texts, right=grid.right)
