"""A table opened for a first look: whole, without the columns that no recipe can use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.files import expanded
from pz_tsm_core.inspection.tables import usable_names
from pz_tsm_core.propose.findings import Finding
from pz_tsm_core.store import Store
from pz_tsm_core.tables import describe, read, read_product


@dataclass(frozen=True)
class Origin:
    """Where a table is, as a recipe says it.

    Parameters
    ----------
    label : what people call it, for comments: the name of the file or product
    name : what a recipe may call it, before anything that it may not have in a name is replaced
    file : a file or HATS folder; None for a product
    """

    label: str
    name: str
    file: Path | None


@dataclass(frozen=True)
class Seen:
    """The usable columns of a table, and what was left out."""

    table: pa.Table
    findings: tuple[Finding, ...]


def look(path: Path) -> Seen:
    """Read the columns that hold one value a row, each under a name of its own.

    Raises
    ------
    TsmError
        as `read`, and for a table without columns
    """
    names, findings = readable(path)
    return Seen(read(path, names), findings)


def readable(path: Path, table: str | None = None) -> tuple[list[str], tuple[Finding, ...]]:
    """The columns that `look` reads, and what it leaves alone.

    Parameters
    ----------
    table : of a file that holds several
    """
    facts = describe(path, table=table)
    usable = usable_names(facts)
    left = sorted({column.name for column in facts.columns} - set(usable))
    return usable, tuple(_told(left))


def find(table: str | Path, store: Store | None) -> tuple[Origin, Seen]:
    """A table by its path or, where there is no such table, by the product that it names.

    Raises
    ------
    TsmError
        as `look` and `read_product`
    """
    product = read_product(table, store)
    if product is None:
        path = expanded(table).absolute()
        return Origin(path.name, path.name.partition(".")[0], path), look(path)
    version, rows = product
    return Origin(str(version), version.name, None), Seen(rows, ())


def _told(left: list[str]) -> Iterator[Finding]:
    if left:
        names = ", ".join(left[:8]) + (" ..." if len(left) > 8 else "")
        yield Finding("file", "left alone, for they hold lists, stand twice or cannot be "
                              f"printed: {names}")
