"""Catalogues into one table, with who is near whom and what became of each measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pz_tsm_core.crc.columns import product_columns, without_empty
from pz_tsm_core.crc.groups import Groups, grouped
from pz_tsm_core.crc.plan import Plan
from pz_tsm_core.crc.prepare import Prepared, prepare
from pz_tsm_core.errors import Code, Problems, TsmError, refuse
from pz_tsm_core.ops.crd import compared_to, group_ids
from pz_tsm_core.ops.footprints import in_dp1_fields, in_lsst_footprint
from pz_tsm_core.ops.ties import Codes, Tie
from pz_tsm_core.sphere import Floats

#: Told of each step: the phase, and a line on it; warnings besides.
Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Combined:
    """A product, and how it came about.

    Parameters
    ----------
    table : in the order of the configuration, and there in that of the catalogues
    ties : rows by what became of them, before duplicates were removed; empty for `concatenate`
    pairs, groups : how many were found
    """

    table: pa.Table
    catalogs: tuple[Prepared, ...]
    ties: dict[Tie, int]
    pairs: int = 0
    groups: int = 0


def combine(plan: Plan, tell: Tell, warn: Tell) -> Combined:
    """Carry out a plan in memory.

    Raises
    ------
    TsmError
        with every mistake of every catalogue; `table.empty` when no row is left.
    """
    for remark in plan.remarks:
        warn("init", remark)
    catalogs = _prepared(plan, tell, warn)
    rows = pa.concat_tables([each.table for each in catalogs if each.table],
                            promote_options="permissive")
    ra, dec = rows["ra"].to_numpy(), rows["dec"].to_numpy()
    rows = _with_footprints(rows, ra, dec, plan)
    if not plan.settings.matches:
        tell("crossmatch", "not asked for: catalogues are only put together")
        rows = rows.append_column("compared_to", pa.nulls(len(rows), pa.string()))
        return Combined(_finished(rows, plan, tell), catalogs, {})
    _refuse_nothing_to_rank(rows, plan)
    found = grouped(rows, ra, dec, plan.settings)
    counts = np.bincount(found.codes, minlength=len(Tie))
    ties = {tie: int(counts[tie]) for tie in Tie}
    tell("crossmatch", f"{found.pairs:,} pairs within {plan.settings.radius_arcsec:g} arcsec")
    tell("deduplication", f"{found.count:,} groups; tie_result "
         + ", ".join(f"{tie.value}: {ties[tie]:,}" for tie in Tie))
    table = _finished(_marked(rows, found, plan), plan, tell)
    return Combined(table, catalogs, ties, found.pairs, found.count)


def _prepared(plan: Plan, tell: Tell, warn: Tell) -> tuple[Prepared, ...]:
    """All catalogues, and all that is wrong with any of them."""
    problems, catalogs = Problems(), list[Prepared]()
    for source in plan.inputs:
        try:
            done = prepare(source, plan)
        except TsmError as error:
            problems.extend(error.problems)
            continue
        catalogs.append(done)
        left = "".join(f"; {rows:,} {why}" for why, rows in done.dropped.items())
        tell("preparation", f"{done.name}: {done.kept:,} of {done.rows:,} rows{left}")
        for line in done.told:
            tell("preparation", f"{done.name}: {line}")
        if not done.kept:
            warn("preparation", f"{done.name}: no row is left; the catalogue is excluded")
    problems.raise_if_any()
    if not any(each.kept for each in catalogs):
        raise refuse(Code.TABLE_EMPTY, plan.document.where(("inputs", "specz")),
                     found="no catalogue with a row that is left", expected="one at least",
                     remedy="lower z_flag_homogenized_value_to_cut, or filter less")
    return tuple(catalogs)


def _refuse_nothing_to_rank(rows: pa.Table, plan: Plan) -> None:
    """Refuse ties decided by a column that no row of any catalogue has."""
    problems = Problems()
    for name in plan.settings.priority:
        if rows[name].null_count == len(rows):
            problems.add(Code.VALUE_RANGE, f"{plan.rules.name}: tiebreaking_priority: {name}",
                         found="no row of any catalogue with a value",
                         expected="one at least: ties are decided by it",
                         remedy="take it out of tiebreaking_priority, or check the rules")
    problems.raise_if_any()


def _with_footprints(rows: pa.Table, ra: Floats, dec: Floats, plan: Plan) -> pa.Table:
    if plan.settings.dp1_fields:
        rows = rows.append_column("is_in_DP1_fields",
                                  pa.array(in_dp1_fields(ra, dec).astype(np.int64)))
    if plan.settings.lsst_footprint:
        rows = rows.append_column("is_in_rubin_footprint",
                                  pa.array(in_lsst_footprint(ra, dec).astype(np.int64)))
    return rows


def _marked(rows: pa.Table, found: Groups, plan: Plan) -> pa.Table:
    """Rows with what was found, without duplicates if they are to be removed."""
    codes = found.codes
    if plan.settings.removes and plan.settings.ties == "draw_one":
        codes = _drawn(found)
    rows = (rows.append_column("tie_result", pa.array(codes))
            .append_column("compared_to", compared_to(found.company))
            .append_column("group_id", pa.array(group_ids(found.company))))
    if not plan.settings.removes:
        return rows
    kept = (Tie.WON, Tie.TIED) if plan.settings.ties == "keep_all" else (Tie.WON,)
    return rows.filter(pa.array(np.isin(codes, kept)))


def _drawn(found: Groups) -> Codes:
    """In groups that are tied the smallest CRD_ID wins."""
    tied = np.flatnonzero(found.codes == Tie.TIED)
    group, order = found.company.group, found.company.order
    tied = tied[np.lexsort((order[tied], group[tied]))]
    _, first = np.unique(group[tied], return_index=True)
    codes = found.codes.copy()
    codes[tied] = Tie.LOST
    codes[tied[first]] = Tie.WON
    return codes


def _finished(rows: pa.Table, plan: Plan, tell: Tell) -> pa.Table:
    """The columns of the product in their order; June's code leaves out empty ones."""
    if not rows.num_rows:
        raise refuse(Code.TABLE_EMPTY, plan.document.where(("param",)),
                     found="no row that is left after duplicates were removed",
                     expected="one at least",
                     remedy="look at combine_type and tie_treatment_option; stars are never kept")
    table = rows.select(product_columns(rows, plan.settings))
    if plan.settings.newer:
        return table
    kept, empty = without_empty(table)
    if empty:
        tell("consolidation", "columns without any value are left out: " + ", ".join(empty))
    return kept
