"""What can be said of a table without handing out its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class ColumnFacts:
    """One column as the file declares it.

    Parameters
    ----------
    type : Arrow's name of the type that `read_table` gives; of an unusable column, the file's own
    unit, ucd, description : empty where the file says nothing
    usable : whether a row holds one value that `read_table` can read
    """

    name: str
    type: str
    unit: str = ""
    ucd: str = ""
    description: str = ""
    usable: bool = True


@dataclass(frozen=True)
class Facts:
    """Rows and columns of one table."""

    rows: int
    columns: tuple[ColumnFacts, ...]


@dataclass(frozen=True)
class TableFacts(Facts):
    """What a table file holds; `format` is a key of `FORMATS`, or `hats`."""

    format: str


def described_field(
    name: str, kind: pa.DataType, unit: str = "", ucd: str = "", description: str = ""
) -> pa.Field:
    """An Arrow field that carries what the file says of its column, and no empty words."""
    told = {"unit": unit, "ucd": ucd, "description": description}
    return pa.field(name, kind, metadata={key: text for key, text in told.items() if text} or None)


def column_facts(field: pa.Field, *, usable: bool = True) -> ColumnFacts:
    """The facts that an Arrow field carries."""
    told = {key.decode(): text.decode() for key, text in (field.metadata or {}).items()}
    return ColumnFacts(field.name, str(field.type), told.get("unit", ""), told.get("ucd", ""),
                       told.get("description", ""), usable)


def facts_of(rows: int, fields: Iterable[pa.Field]) -> Facts:
    """Facts of a table all of whose columns are usable."""
    return Facts(rows, tuple(column_facts(field) for field in fields))
