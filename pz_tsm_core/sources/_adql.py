"""Words of ADQL 2.0, which every TAP service understands: names, conditions, queries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pz_tsm_core.model.retrieval import ColumnSaid
from pz_tsm_core.sources._votable import KINDS
from pz_tsm_core.surveys.enclosing import Box

#: TAP 1.0, section 2.5, beside the words of VOTable, which TAP 1.1 has instead.
_KINDS: Mapping[str, str] = MappingProxyType({
    **{name.lower(): kind for name, kind in KINDS.items()},
    "smallint": "int", "integer": "int", "bigint": "int", "real": "float",
    "varchar": "text", "clob": "text", "timestamp": "text",
})

_REGULAR = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_REGULAR_TABLE = re.compile(rf"{_REGULAR.pattern}(\.{_REGULAR.pattern})*")
_JOIN = re.compile(r"\sJOIN\s", re.IGNORECASE)
_JOINED = re.compile(
    r"""(?:^|\bJOIN\b)\s*
        (?P<table>(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))*)
        (?:\s+(?:AS\s+)?(?!(?:NATURAL|INNER|LEFT|RIGHT|FULL|JOIN|ON|USING)\b)(?P<alias>\w+))?""",
    re.IGNORECASE | re.VERBOSE)

#: What TAP says of the columns of tables.
_SCHEMA = "SELECT table_name, column_name, datatype, unit, indexed FROM TAP_SCHEMA.columns"

#: Its rows.
Schema = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Column:
    """A column of a table at a service.

    Parameters
    ----------
    adql : as queries spell it
    """

    name: str
    adql: str
    said: ColumnSaid
    indexed: bool


class Tables:
    """Where the rows of a query come from: a table, or several that are joined.

    Parameters
    ----------
    text : the name of a table as people know it, without the quotes that it may need; or a FROM
        clause with JOIN, in the words of ADQL
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self.joined = _JOIN.search(self.text) is not None
        #: Name of each table, and by which name the clause calls it.
        self.tables = {_bare(one["table"]): one["alias"] or one["table"]
                       for one in _JOINED.finditer(self.text)} if self.joined else {
                           _bare(self.text): ""}

    @property
    def schema_query(self) -> str:
        """The query for the columns of its tables."""
        # TAP 1.1 gives names with the quotes that they need, TAP 1.0 does not say.
        names = [spelt for table in self.tables for spelt in (table, f'"{table}"')]
        return f"{_SCHEMA} WHERE table_name IN ({', '.join(map(_text, names))})"

    def missing(self, schema: Schema) -> list[str]:
        """Tables that the service does not have."""
        there = {_bare(row["table_name"]) for row in schema}
        return [table for table in self.tables if table not in there]

    def clause(self, schema: Schema) -> str:
        """What stands after FROM."""
        if self.joined:
            return self.text
        return _table(schema[0]["table_name"])

    def columns(self, schema: Schema) -> dict[str, Column]:
        """The columns by name; of those that several tables have, the first table's."""
        columns: dict[str, Column] = {}
        for table, called in self.tables.items():
            own = [row for row in schema if _bare(row["table_name"]) == table]
            for column in _columns(own, f"{called}." if called else ""):
                columns.setdefault(column.name, column)
        return columns


def find(columns: Mapping[str, Column], name: str) -> Column | None:
    """The column of that name; in other letters, if there is only one so."""
    if name in columns:
        return columns[name]
    alike = [one for key, one in columns.items() if key.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def select(
    what: Iterable[str], clause: str, conditions: Iterable[str] = (), top: int | None = None
) -> str:
    """Put a query together: of all rows that meet the conditions, or of so many of them."""
    words = ["SELECT", *([f"TOP {top}"] if top else []), ", ".join(what), "FROM", clause]
    if where := " AND ".join(conditions):
        words += ["WHERE", where]
    return " ".join(words)


def in_box(box: Box, ra: Column, dec: Column) -> Iterator[str]:
    """Yield the conditions for a position in a box; geometry is what services lack most often."""
    yield f"{dec.adql} BETWEEN {number(box.dec[0])} AND {number(box.dec[1])}"
    ranges = [f"{ra.adql} BETWEEN {number(low)} AND {number(high)}" for low, high in box.ra]
    if not box.all_ra:
        yield ranges[0] if len(ranges) == 1 else f"({' OR '.join(ranges)})"


def number(value: float) -> str:
    """The number, such that whoever reads it gets the same."""
    return repr(float(value))


def _columns(rows: Schema, prefix: str) -> Iterator[Column]:
    spelt = [row["column_name"] for row in rows]
    alike = Counter(_bare(name).lower() for name in spelt)
    for name, row in zip(spelt, rows, strict=True):
        plain = _REGULAR.fullmatch(name) and alike[name.lower()] == 1
        kind = (row["datatype"] or "").lower().removeprefix("adql:").partition("(")[0].strip()
        yield Column(
            _bare(name), prefix + (name if plain or name.startswith('"') else _quoted(name)),
            ColumnSaid.model_validate({"kind": _KINDS.get(kind, ""),
                                       "unit": (row["unit"] or "").strip()}),
            indexed=row["indexed"] == 1)


def _table(name: str) -> str:
    """The name of a table as a query spells it."""
    return name if '"' in name or _REGULAR_TABLE.fullmatch(name) else _quoted(name)


def _bare(name: str) -> str:
    return name.replace('"', "")


def _quoted(name: str) -> str:
    return f'"{_bare(name)}"'


def _text(value: str) -> str:
    quote = "'"
    return f"'{value.replace(quote, 2 * quote)}'"
