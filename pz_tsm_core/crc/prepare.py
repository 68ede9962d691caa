"""One catalogue made ready: its columns, ids and flags, without the rows that are filtered out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.crc.extra import KINDS, ExtraColumn, as_kind, nothing
from pz_tsm_core.crc.inputs import Catalog, read_catalog, rule_columns
from pz_tsm_core.crc.plan import Input, Plan
from pz_tsm_core.crc.settings import INSTRUMENTS, OBJECTS, UNCLASSIFIED, Settings
from pz_tsm_core.errors import Code, Problem, TsmError, refuse
from pz_tsm_core.existing.positions import check_positions
from pz_tsm_core.legacy import Homogenized, Output, Route, homogenize
from pz_tsm_core.legacy.text import is_text, numbers_in

#: Columns of every product, in their order, before those that are made of all catalogues.
BASE = ("id", "ra", "dec", "z", "z_flag", "z_err", "instrument_type", "survey")

#: Mistakes of one catalogue that are told.
MAX_PROBLEMS = 8


@dataclass(frozen=True)
class Prepared:
    """A catalogue made ready.

    Parameters
    ----------
    table : `CRD_ID`, `BASE`, `source`, the homogenized columns, those of the catalogues that decide
        ties, those of expressions, `extra_columns`; None where no row was left
    rows : how many it had
    dropped : rows that were left out, by the reason
    told : what else there is to know
    """

    name: str
    table: pa.Table | None
    rows: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        """Rows that are left."""
        return self.table.num_rows if self.table else 0


def prepare(source: Input, plan: Plan) -> Prepared:
    """Read a catalogue and bring it to the columns of the product.

    Raises
    ------
    TsmError
        with every mistake of the catalogue, each under its place in the configuration.
    """
    try:
        return _prepared(source, plan)
    except TsmError as error:
        if error.codes == (Code.TABLE_EMPTY,):
            return Prepared(source.name, None, 0, told=(error.problems[0].found,))
        here = f"{plan.document.where(source.where)} ({source.name})"
        raise TsmError(*_placed(error.problems, here, plan.document.name)) from None


def _placed(problems: Sequence[Problem], here: str, file: str) -> Iterator[Problem]:
    """Problems under the catalogue that has them, unless they name a line of the file themselves.

    A wrong column can break a thousand rules; the first of them tell it.
    """
    for problem in problems[:MAX_PROBLEMS]:
        told = problem.where.startswith(f"{file} line")
        yield problem if told else replace(problem, where=f"{here}: {problem.where}")
    if (left := len(problems) - MAX_PROBLEMS) > 0:
        yield Problem(problems[-1].code, here, f"{left:,} more mistakes", "none",
                      "correct the first ones: the others may go with them")


def _prepared(source: Input, plan: Plan) -> Prepared:
    settings = plan.settings
    catalog = read_catalog(source, plan)
    done = _homogenized(catalog, source, plan)
    _require(done, settings)
    columns = _columns(source, catalog, done, plan)
    kept, dropped = _filter(columns, settings)
    told = (*_told(done), *(("an earlier product: its ids are made anew",)
                            if catalog.product else ()))
    if not kept.num_rows:
        return Prepared(source.name, None, len(columns), dropped, told)
    check_positions(kept, "ra", "dec", kept["CRD_ID"])
    return Prepared(source.name, kept, len(columns), dropped, told)


def _homogenized(catalog: Catalog, source: Input, plan: Plan) -> Homogenized:
    """The catalogue with its homogenized columns."""
    table, standard = catalog.table, Output.OBJECT_TYPE.value
    if plan.settings.newer and standard not in (*table.column_names, *catalog.columns):
        # Rules of July read it unless they name another column.
        table = table.append_column(standard, nothing(len(table), "str"))
    try:
        return homogenize(table, catalog.columns, plan.rules, nullable=catalog.nullable)
    except TsmError as error:
        if catalog.columns.get("survey") or "survey" in table.column_names:
            raise
        reason = Problem(Code.TABLE_MISSING_COLUMN,
                         plan.document.where((*source.where, "columns", "survey")),
                         "no column", "the survey of every row: rules are chosen by it",
                         "map a column to `survey`")
        raise TsmError(reason, *error.problems) from None


def _require(done: Homogenized, settings: Settings) -> None:
    """Refuse a column that filters rows and could not be made."""
    if any(account.route is Route.SKIPPED and settings.uses(output)
           for output, account in done.accounts.items()):
        raise TsmError(*done.skipped)


def _told(done: Homogenized) -> Iterator[str]:
    """How homogenized columns came about, and what was not understood."""
    for output, account in done.accounts.items():
        yield f"{output.column}: {account.route}"
        for survey in account.surveys:
            values = ", ".join(f"{value} ({n:,})" for value, n in survey.unmentioned.items())
            if values:
                yield f"{output.column}: no rule of {survey.survey} for {values}"
    for problem in done.skipped:
        yield f"{problem.where}: {problem.found}"
    for flag, n in done.unread.items():
        yield f"z_flag: {flag} is no number ({n:,})"


def _columns(source: Input, catalog: Catalog, done: Homogenized, plan: Plan) -> pa.Table:
    """The columns of the product, one row for each of the catalogue."""
    table, rows = done.table, len(done.table)
    numbers = pa.array(np.arange(1, rows + 1)).cast(pa.string())
    arrays: dict[str, Any] = {
        "CRD_ID": pc.binary_join_element_wise(f"CRD{source.prefix}_", numbers, ""),
        **{name: table[name] for name in BASE},
        "source": pa.repeat(pa.scalar(source.name), rows),
    }
    for output in _outputs(plan.settings):
        empty = nothing(rows, "float" if output is Output.Z_FLAG else "str")
        arrays[output.column] = (
            table[output.column] if output.column in table.column_names else empty)
    arrays |= {name: _rank(table, name) for name in plan.settings.own_priority}
    if plan.settings.expression_columns:
        arrays |= _of_expressions(table, plan, taken=arrays)
    for column in plan.settings.extra:
        arrays[column.name] = _extra(catalog, table, column)
    return pa.table(arrays)


def _outputs(settings: Settings) -> list[Output]:
    return [output for output in Output if settings.newer or output is not Output.OBJECT_TYPE]


def _rank(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of the catalogue by which ties are decided."""
    if name not in table.column_names:
        raise refuse(Code.TABLE_MISSING_COLUMN, f"tiebreaking_priority: {name}",
                     found="no such column", expected="one in every catalogue: ties are decided "
                     "by it", remedy="take it out of tiebreaking_priority, or map a column to it")
    numbers = as_kind(table[name], "float")
    if numbers.null_count == len(numbers):
        raise refuse(Code.TABLE_COLUMN_TYPE, f"tiebreaking_priority: {name}",
                     found="a column without any number", expected="numbers",
                     remedy="take it out of tiebreaking_priority, or map another column to it")
    return numbers


def _of_expressions(
    table: pa.Table, plan: Plan, *, taken: Mapping[str, Any]
) -> dict[str, pa.ChunkedArray]:
    """Columns that rules read, in the types that the rule file gives them."""
    kinds = plan.rules.parameters.expr_column_schema or {}
    arrays = {}
    for name in sorted(rule_columns(plan.rules) - set(taken)):
        if name in table.column_names:
            values = table[name]
            words = is_text(values.type) and numbers_in(values).null_count > values.null_count
            arrays[name] = as_kind(values, KINDS[kinds.get(name) or ("str" if words else "float")])
    return arrays


def _extra(catalog: Catalog, table: pa.Table, column: ExtraColumn) -> Any:
    """A column as it was in the catalogue, or as it is called after mapping."""
    renamed = column.name if column.name == column.source else ""
    for where, called in ((catalog.table, column.source), (table, renamed)):
        if called in where.column_names:
            return as_kind(where[called], column.kind)
    return nothing(len(table), column.kind)


def _filter(table: pa.Table, settings: Settings) -> tuple[pa.Table, dict[str, int]]:
    """Rows that quality, instrument and object type let through, and how many each left out."""
    dropped: dict[str, int] = {}
    quality = Output.Z_FLAG.column
    if settings.cut is not None:
        good = pc.fill_null(pc.greater_equal(table[quality], settings.cut), fill_value=False)
        table = _keep(table, good, f"{quality} below {settings.cut:g}", dropped)
    for kinds, words, output in (
        (settings.instruments, INSTRUMENTS, Output.INSTRUMENT_TYPE),
        (settings.objects, OBJECTS, Output.OBJECT_TYPE),
    ):
        if kinds is None or output.column not in table.column_names:
            continue
        wanted = pa.array([word for kind, word in words.items() if kind in kinds], pa.string())
        good = pc.is_in(table[output.column], wanted)
        if UNCLASSIFIED in kinds:
            good = pc.or_(good, pc.is_null(table[output.column]))
        table = _keep(table, good, f"{output.column} filtered", dropped)
    return table, dropped


def _keep(table: pa.Table, good: Any, why: str, dropped: dict[str, int]) -> pa.Table:
    kept = table.filter(good)
    if left := len(table) - len(kept):
        dropped[why] = left
    return kept
