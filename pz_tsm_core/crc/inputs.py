"""A catalogue from its file, with the columns that its rules and the product need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core import tables
from pz_tsm_core.crc.headers import is_product, mapped
from pz_tsm_core.crc.plan import Input, Plan
from pz_tsm_core.crc.settings import Settings
from pz_tsm_core.errors import Problems
from pz_tsm_core.existing.headers import TEXT, Header, check_columns, is_text_file, read_header
from pz_tsm_core.legacy import RuleFile
from pz_tsm_core.legacy.columns import GIVEN, MORE_NUMBERS, MORE_TEXTS, NUMBERS, TEXTS
from pz_tsm_core.legacy.text import is_text

#: Formats that the existing pipeline holds in plain numpy types; others in nullable ones.
_PLAIN = ("parquet", "hats")
#: What stands for nothing in texts of files that are not in Parquet.
_NOTHING = ("", "na", "nan", "null", "none", "<na>")

@dataclass(frozen=True)
class Catalog:
    """A catalogue as it was read.

    Parameters
    ----------
    columns : standard name -> native name
    nullable : whether the existing pipeline would hold its numbers in nullable types
    product : whether it is an earlier product
    """

    table: pa.Table
    columns: Mapping[str, str | None]
    nullable: bool
    product: bool


def read_catalog(source: Input, plan: Plan) -> Catalog:
    """Read a catalogue: its mapped columns and what else is asked of it.

    Raises
    ------
    TsmError
        as `tables.read`; with every mapped column that is not there.
    """
    if is_text_file(source.path):  # only its values tell what its columns are: it is read once
        with tables.stream(source.path, format=TEXT) as rows:
            table = rows.read_all()
        header = Header(TEXT, tuple(table.column_names))
    else:
        table, header = None, read_header(source.path)
    columns, problems = mapped(source.columns, header.names), Problems()
    check_columns(columns, header.names, plan.document, source.where, problems)
    problems.raise_if_any()
    wanted = _wanted(columns, header.names, plan.rules, plan.settings)
    table = table.select(wanted) if table else tables.read(source.path, wanted)
    nullable = header.format not in _PLAIN
    return Catalog(_plain(table) if nullable else table, columns, nullable,
                   is_product(header.names))


def _wanted(
    columns: Mapping[str, str | None], names: Iterable[str], rules: RuleFile, settings: Settings
) -> list[str]:
    """Columns that are read: a catalogue may have hundreds that nobody asks for."""
    asked = {
        *(native for native in columns.values() if native), *NUMBERS, *TEXTS, *MORE_NUMBERS,
        *MORE_TEXTS, *GIVEN.values(), *settings.own_priority,
        *(column.source for column in settings.extra), *(column.name for column in settings.extra),
        *rule_columns(rules),
    }
    # A column whose name another one takes is known to rules as `name__orig`, `name__orig1` ...
    return [name for name in names
            if name in asked or any(one.startswith(f"{name}__orig") for one in asked)]


def rule_columns(rules: RuleFile) -> frozenset[str]:
    """Every column that any rule reads."""
    return frozenset().union(*(block.columns for blocks in rules.rules.values()
                               for block in blocks.values()))


def _plain(table: pa.Table) -> pa.Table:
    """Texts as the existing pipeline reads them: nothing is null, `true` and `false` are truths."""
    for index, name in enumerate(table.column_names):
        if is_text(table[name].type):
            table = table.set_column(index, name, _read_text(table[name]))
    return table


def _read_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    plain = pc.utf8_trim_whitespace(values.cast(pa.string()))
    lower = pc.utf8_lower(plain)
    nothing = pc.is_in(lower, pa.array(_NOTHING))
    plain = pc.if_else(nothing, pa.scalar(None, pa.string()), plain)
    known = lower.filter(pc.invert(pc.or_kleene(nothing, pc.is_null(lower))))
    if len(known) and pc.all(pc.is_in(known, pa.array(["true", "false"]))).as_py():
        return pc.equal(pc.utf8_lower(plain), "true")
    return plain
