"""Rows by conditions over their columns, and columns computed from others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pz_tsm_core.errors import Code, Problem, Problems, TsmError, refuse
from pz_tsm_core.model.photometry import SelectPolicy
from pz_tsm_core.model.schema import SPLIT
from pz_tsm_core.rules import Expression, Kind, parse

#: Of a computed column, before its formula: the field of which it is the description.
_DESCRIPTION = b"description"


@dataclass
class Kept:
    """What a selection did: rows taken and given, and by every condition the rows that left."""

    taken: int = 0
    given: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Selection:
    """The expressions of a policy, parsed.

    Parameters
    ----------
    columns : name and formula of every computed column, in order
    cuts : conditions, in order
    """

    columns: tuple[tuple[str, Expression], ...]
    cuts: tuple[Expression, ...]

    @property
    def reads(self) -> frozenset[str]:
        """Columns that are read and not computed here."""
        named = (*(formula for _, formula in self.columns), *self.cuts)
        read: set[str] = set().union(*(each.columns for each in named))
        return frozenset(read - {name for name, _ in self.columns})


def parse_selection(policy: SelectPolicy) -> Selection:
    """Read the expressions of a policy.

    Raises
    ------
    TsmError
        `rule.syntax` and `rule.type`, with every mistake of every expression
    """
    problems = Problems()

    def parsed(text: str, where: str, kind: Kind) -> Expression | None:
        try:
            return parse(text, where, kind=kind)
        except TsmError as error:
            problems.extend(error.problems)
            return None

    columns = [(name, parsed(text, f"select.columns.{name}", Kind.NUMBER))
               for name, text in policy.columns.items()]
    cuts = [parsed(text, f"select.keep.{index}", Kind.TRUTH)
            for index, text in enumerate(policy.keep)]
    problems.raise_if_any()
    return Selection(tuple((name, formula) for name, formula in columns if formula),
                     tuple(cut for cut in cuts if cut))


def selection_problems(selection: Selection, schema: pa.Schema) -> tuple[Problem, ...]:
    """What keeps a selection from being made of a table of this schema."""
    problems = Problems()
    for name, formula in selection.columns:
        if name in (*schema.names, SPLIT.name):
            problems.add(Code.RECIPE_BAD_VALUE, f"select.columns.{name}",
                         found=f"a column `{name}` that the rows have already",
                         expected="a name of its own", remedy="call it something else")
            continue
        problems.extend(formula.problems(schema))
        schema = schema.append(pa.field(name, pa.float64()))
    for cut in selection.cuts:
        problems.extend(cut.problems(schema))
    return problems.found


def select_batches(
    batches: Iterable[pa.RecordBatch], policy: SelectPolicy, *, kept: Kept | None = None
) -> Iterator[pa.RecordBatch]:
    """Compute the columns and let the rows go of which a condition is not true.

    A condition over a missing value is not true. Each row is counted under the first condition
    that it fails.

    Parameters
    ----------
    kept : is added to

    Raises
    ------
    TsmError
        `rule.unknown-column` and others for what does not fit the rows; `select.empty`, at the
        end, when no row is left of some
    """
    selection, kept = parse_selection(policy), Kept() if kept is None else kept
    checked = False
    for batch in batches:
        table = pa.Table.from_batches([batch])
        if not checked:
            if problems := selection_problems(selection, table.schema):
                raise TsmError(*problems)
            checked = True
        selected = _select(table, selection, kept)
        yield from selected.to_batches() or [
            pa.RecordBatch.from_pylist([], schema=selected.schema)]
    require_rows("select.keep", kept.taken, kept.given, kept.dropped)


def _select(table: pa.Table, selection: Selection, kept: Kept) -> pa.Table:
    for name, formula in selection.columns:
        told = pa.field(name, pa.float64(), metadata={_DESCRIPTION: formula.text})
        table = table.append_column(told, formula.numbers(table))
    staying = np.ones(len(table), dtype=bool)
    for cut in selection.cuts:
        true = cut.mask(table)
        kept.dropped[cut.text] += int((staying & ~true).sum())
        staying &= true
    kept.taken += len(table)
    kept.given += int(staying.sum())
    return table if staying.all() else table.filter(pa.array(staying))


def require_rows(where: str, taken: int, given: int, dropped: Counter[str]) -> None:
    """Refuse a stage that was given rows and let every one of them go."""
    if taken and not given:
        told = ", ".join(f"{rows} by {reason}" for reason, rows in dropped.most_common())
        raise refuse(Code.SELECT_EMPTY, where, found=f"all {taken} rows dropped: {told}",
                     expected="at least one row that stays", remedy="relax what drops the most")
