"""A page of facts and tables, and its forms: plain text, HTML for notebooks, JSON, pandas."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    import pandas as pd

#: What a cell may hold; lists are told with commas between.
Cell = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class Grid:
    """A table of a page.

    Parameters
    ----------
    title : what it shows; empty where the page's own says it
    headings : of the columns
    rows : cells of each row, in the order of the headings
    right : headings of numbers that are aligned to the right, with thousands divided
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[str] = frozenset()

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """Every cell as people read it."""
        counted = [heading in self.right for heading in self.headings]
        return [tuple(map(told, row, counted)) for row in self.rows]

    @property
    def records(self) -> list[dict[str, Cell]]:
        """Every row by heading."""
        return [dict(zip(self.headings, row, strict=True)) for row in self.rows]

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a table."""
        import pandas as pd

        return pd.DataFrame(self.records, columns=list(self.headings))


@dataclass(frozen=True)
class Page:
    """Facts and tables under a title.

    Parameters
    ----------
    facts : what there is to say beside the tables; what is empty is not shown
    grids : tables, by a short name for programs
    """

    title: str
    facts: Mapping[str, Cell] = field(default_factory=dict)
    grids: Mapping[str, Grid] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, str]:
        """The facts that are not empty, as people read them."""
        texts = {name: told(value) for name, value in self.facts.items()}
        return {name: text for name, text in texts.items() if text}

    def to_pandas(self, name: str | None = None) -> pd.DataFrame:
        """A table of the page by its short name, by default the first."""
        return self.grids[next(iter(self.grids)) if name is None else name].to_pandas()

    def to_json(self) -> dict[str, Any]:
        """Everything, plain enough for JSON."""
        tables = {name: grid.records for name, grid in self.grids.items()}
        return {"title": self.title, **self.facts, **tables}

    def __str__(self) -> str:
        lines = [self.title, *(f"{name:<16}{text}" for name, text in self.said.items())]
        for grid in self.grids.values():
            lines += ["", *([grid.title] if grid.title else []),
                      *aligned(grid.headings, grid.texts, grid.right)]
        return "\n".join(map(printable, lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For notebooks: nothing of what others wrote can be markup."""
        return str(_template().render(page=self))


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pz_tsm_core.display", "."), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["printable"] = printable
    return environment.get_template("page.html")


def told(value: Cell, counted: bool = False) -> str:  # noqa: FBT001, FBT002 - mapped over cells
    """A cell as people read it."""
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if counted and isinstance(value, int) else str(value)


def aligned(
    headings: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()
) -> Iterator[str]:
    """Lines of a table in plain columns.

    Parameters
    ----------
    right : headings of columns that are aligned to the right
    """
    every = [[printable(cell) for cell in line] for line in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    for line in every:
        cells = (cell.rjust(width) if heading in right else cell.ljust(width)
                 for heading, cell, width in zip(headings, line, widths, strict=True))
        yield "  ".join(cells).rstrip()
