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

    lines = [[printable(cell) for cell in row] for row in rows]
    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        console.print(_drawn(headings, lines, right))
    else:
        _print_plain(headings, lines, right)


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


def _print_plain(
    headings: Sequence[str], lines: Sequence[Sequence[str]], right: Collection[str]
) -> None:
    every = [list(headings), *lines]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    for line in every:
        cells = (cell.rjust(width) if heading in right else cell.ljust(width)
                 for heading, cell, width in zip(headings, line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
