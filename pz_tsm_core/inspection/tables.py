"""A table of somebody else, whatever holds it: what can be read of it, and what is in that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pz_tsm_core.inspection.summary import TableSummary, chosen, declared, summarised
from pz_tsm_core.readers import TableFacts
from pz_tsm_core.tables import read

#: Values that are looked at: some seconds, and less than 1 GB.
_MANY = 30_000_000


def usable_names(facts: TableFacts) -> list[str]:
    """Columns that can be read: of one value a row, each under a printable name of its own."""
    often = Counter(one.name for one in facts.columns)
    return [one.name for one in facts.columns
            if one.usable and one.name and one.name.isprintable() and often[one.name] == 1]


def summary_of(
    path: Path, facts: TableFacts, *, first: int, columns: Sequence[str] | None = None
) -> TableSummary:
    """Columns of a table, with what is in them; of a large one, in its first rows.

    Parameters
    ----------
    first : rows to show
    columns : those to look at; by default all

    Raises
    ------
    TsmError
        as `tables.read`; `table.missing-column`
    """
    names = set(chosen([one.name for one in facts.columns], columns, str(path)))
    wanted = [one for one in facts.columns if one.name in names]
    usable = [name for name in usable_names(facts) if name in names]
    if not usable:
        return TableSummary(path.name, facts.rows, 0, declared(wanted))
    rows = read(path, usable, first=max(first, _MANY // len(usable), 1))
    seen = summarised(path.name, facts.rows, rows, first=first)
    by_name = {one.name: one for one in seen.columns}
    both = (by_name.get(one.name) or declared([one])[0] for one in wanted)
    return TableSummary(seen.name, seen.rows, seen.looked_at, tuple(both))
