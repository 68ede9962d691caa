"""Galaxies from resolved measurements: one row for each that speaks, with figures of its group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.model.combining import Agreement, CombinePolicy
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.schema import GALAXY_SCHEMA
from pz_tsm_core.ops.conflicts import agree
from pz_tsm_core.ops.rank import Mask
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sphere import Floats, separation_arcsec

Ints = npt.NDArray[np.int64]

WINNERS = [reason for reason in Reason if reason.winner]
ELIGIBLE = [reason for reason in Reason if reason.eligible]


@dataclass(frozen=True)
class Groups:
    """Resolved measurements group by group.

    Parameters
    ----------
    table : columns `model.schema.RESOLVED`, the members of a galaxy one after the other
    best : the place in `table` of the best that may speak for the group of each row, or, where
        there is none, of any member, shape (n,)
    z_conflict, class_conflict : of the group of each row, shape (n,)
    """

    table: pa.Table
    best: Ints
    z_conflict: Mask
    class_conflict: Mask

    @property
    def eligible(self) -> Mask:
        """Which measurements may speak for their galaxy."""
        return np.isin(self.table["reason"].to_numpy(), ELIGIBLE)

    @cached_property
    def from_best(self) -> Floats:
        """Separation of each measurement from the best of its group, arcsec, shape (n,)."""
        ra, dec = self.table["ra"].to_numpy(), self.table["dec"].to_numpy()
        rows = np.flatnonzero(self.best != np.arange(len(ra)))
        best = self.best[rows]
        separation = np.zeros(len(ra))
        separation[rows] = separation_arcsec(ra[rows], dec[rows], ra[best], dec[best])
        return separation

    def count(self, rows: Mask) -> int:
        """How many groups have one of these rows at least."""
        return len(run_starts(self.table["galaxy_id"].to_numpy()[rows]))


def galaxy_table(groups: Groups, policy: CombinePolicy) -> pa.Table:
    """Rows that stand for galaxies, in the order of the measurements: `model.schema.GALAXY`.

    Those that won, or, where nothing is removed, all that may speak.
    """
    reasons = WINNERS if policy.mode == "remove" else ELIGIBLE
    kept = np.flatnonzero(np.isin(groups.table["reason"].to_numpy(), reasons))
    table = groups.table.take(pa.array(kept))
    for name, values in _figures(groups, policy).items():
        table = table.append_column(name, pa.array(values[kept]))
    if policy.average and policy.agreement:  # never one without the other
        table = _averaged(table, groups, policy.agreement, kept)
    return table.select(GALAXY_SCHEMA.names).cast(GALAXY_SCHEMA)


def _figures(groups: Groups, policy: CombinePolicy) -> dict[str, np.ndarray[tuple[int], np.dtype]]:
    """What is told of the group of each row, shape (n,) each."""
    table, eligible = groups.table, groups.eligible
    starts = run_starts(table["galaxy_id"].to_numpy())
    sizes = run_lengths(starts, len(table))
    z, best_z = _of_best(groups, "z")
    agreeing = agree(z, best_z, policy.agreement) if policy.agreement else eligible
    highest, lowest = _reduced(np.maximum, z, eligible, starts), _reduced(np.minimum, z, eligible,
                                                                          starts)
    by_group = {
        "n_measurements": sizes,
        "n_eligible": _sum(eligible, starts),
        "n_agreeing": _sum(eligible & agreeing, starts),
        "z_spread": (highest - lowest) / (1 + best_z[starts]),
        "extent": _maximum(groups.from_best, starts),
    }
    return {**{name: np.repeat(values, sizes) for name, values in by_group.items()},
            "z_conflict": groups.z_conflict, "class_conflict": groups.class_conflict}


def _of_best(groups: Groups, name: str) -> tuple[Floats, Floats]:
    """A column, and its value of the best of each row's group."""
    values = groups.table[name].to_numpy()
    return values, values[groups.best]


def _reduced(reduce: np.ufunc, z: Floats, eligible: Mask, starts: Ints) -> Floats:
    """Extreme of the eligible redshifts of each group; of none, that is never looked at, 0."""
    worst = -np.inf if reduce is np.maximum else np.inf
    if not len(starts):
        return np.empty(0)
    found = reduce.reduceat(np.where(eligible, z, worst), starts)
    return np.asarray(np.where(np.isfinite(found), found, 0.0))


def _sum(flags: Mask, starts: Ints) -> Ints:
    return np.add.reduceat(flags.astype(np.int64), starts) if len(starts) else starts


def _maximum(values: Floats, starts: Ints) -> Floats:
    return np.maximum.reduceat(values, starts) if len(starts) else np.empty(0)


def _averaged(table: pa.Table, groups: Groups, agreement: Agreement, kept: Ints) -> pa.Table:
    """The table with the mean of the redshifts that agree, weighted by 1 / z_err^2.

    Only where the winner is alone to speak and states an error, as must all that count.
    """
    z, best_z = _of_best(groups, "z")
    error = pc.fill_null(groups.table["z_err"], np.nan).to_numpy()
    counted = groups.eligible & agree(z, best_z, agreement) & (error > 0)
    weight = np.where(counted, 1 / np.where(counted, error, 1) ** 2, 0.0)
    starts = run_starts(groups.table["galaxy_id"].to_numpy())
    sizes = run_lengths(starts, len(z))
    weights = np.repeat(np.add.reduceat(weight, starts), sizes) if len(starts) else weight
    # Differences to the best, whose sums keep their digits.
    moments = np.add.reduceat(weight * (z - best_z), starts) if len(starts) else weight
    moment = np.repeat(moments, sizes) if len(starts) else weight
    speaks = np.isin(groups.table["reason"].to_numpy(), [Reason.ALONE, Reason.WON])
    known = kept[(speaks & counted)[kept]]
    mean, mean_err = z.copy(), error.copy()
    mean[known] = best_z[known] + moment[known] / weights[known]
    mean_err[known] = 1 / np.sqrt(weights[known])
    columns = {"z": pa.array(mean[kept]),
               "z_err": pa.array(mean_err[kept], mask=np.isnan(mean_err[kept]))}
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table
