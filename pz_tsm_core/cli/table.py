"""Tables for people: drawn on a terminal, in plain aligned columns elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import typer

from pz_tsm_core.errors import printable


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
