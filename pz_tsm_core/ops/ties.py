"""Ties among measurements of one galaxy, as the existing pipeline breaks them.

In a group the largest rank wins, key by key. Among equals, redshifts that agree are one
measurement, of which one stands for all. What is left over disagrees at equal rank: a tie that
nobody can break. Both rules of agreement of that pipeline are here; docs/adr/017 tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from pz_tsm_core.ops.associate import Ints
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sphere import Floats

Codes = npt.NDArray[np.int8]
Truths = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]


class Tie(IntEnum):
    """What became of a measurement."""

    LOST = 0
    WON = 1
    TIED = 2
    EXCLUDED = 3


def decide_ties(
    group: Ints,
    keys: Sequence[Floats],
    z: Floats,
    order: Ints,
    *,
    delta_z: float,
    chained: bool,
    excluded: Truths | None = None,
) -> Codes:
    """Decide each measurement of each group.

    Parameters
    ----------
    group : number of the group of each measurement, from 0, shape (n,)
    keys : ranks, the most important first; larger is better, NaN is the lowest
    z : redshifts, NaN where there is none
    order : place of each measurement's id among the ids of its group; the smallest stands for
        measurements that agree
    delta_z : redshifts this close agree; 0 for none
    chained : whether agreement is handed on from each redshift to the next, in their order, and a
        missing redshift is one of its own. Otherwise what is at least `delta_z` above the last that
        was kept is kept, and a missing redshift loses against any other
    excluded : what takes no part; each must be alone in its group

    Returns
    -------
    Values of `Tie`, shape (n,): in every group either one WON or several TIED.

    Examples
    --------
    >>> group, order = np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0])
    >>> quality, z = np.array([4.0, 4.0, 3.0, 1.0]), np.array([0.5, 0.7, 0.5, 0.1])
    >>> decide_ties(group, [quality], z, order, delta_z=0.001, chained=False).tolist()
    [2, 2, 0, 1]
    """
    codes = np.full(len(group), Tie.WON, dtype=np.int8)
    rows = _in_company(group)
    if rows.size:
        starts = run_starts(group[rows])
        best = _best(rows, starts, keys)
        if delta_z > 0:
            among = _Measured(group[rows], z[rows], order[rows])
            best = _one_of_each(among, best, delta_z, chained=chained)
        left = np.repeat(np.add.reduceat(best, starts, dtype=np.int64),
                         run_lengths(starts, len(rows)))
        codes[rows] = np.where(best, np.where(left == 1, Tie.WON, Tie.TIED), Tie.LOST)
    if excluded is not None:
        codes[excluded] = Tie.EXCLUDED
    return codes


def _in_company(group: Ints) -> Places:
    """Measurements in groups of more than one, group by group."""
    rows = np.flatnonzero(np.bincount(group)[group] > 1) if len(group) else np.empty(0, np.intp)
    return rows[np.argsort(group[rows], kind="stable")]


def _best(rows: Places, starts: Places, keys: Sequence[Floats]) -> Truths:
    """Which of the rows have the largest ranks of their groups."""
    best = np.ones(len(rows), dtype=bool)
    lengths = run_lengths(starts, len(rows))
    for key in keys:
        rank = key[rows]
        rank = np.where(best & ~np.isnan(rank), rank, -np.inf)
        best &= rank == np.repeat(np.maximum.reduceat(rank, starts), lengths)
    return best


@dataclass(frozen=True)
class _Measured:
    """Measurements in groups of more than one, in any order."""

    group: Ints
    z: Floats
    order: Ints


def _one_of_each(among: _Measured, best: Truths, delta_z: float, *, chained: bool) -> Truths:
    """The best, of which one stands for all whose redshifts agree."""
    unknown = np.isnan(among.z)
    known = np.flatnonzero(best & ~unknown)
    if not known.size:
        return best
    known = known[np.lexsort((among.order[known], among.z[known], among.group[known]))]
    group, z = among.group[known], among.z[known]
    kept = best.copy()
    if chained:
        kept[known] = _chained(group, z, among.order[known], delta_z)
    else:
        somewhere = np.zeros(int(among.group.max()) + 1, dtype=bool)
        somewhere[group] = True
        kept &= ~(unknown & somewhere[among.group])
        kept[known] = _apart(run_starts(group), z, delta_z)
    return kept


def _chained(group: Ints, z: Floats, order: Ints, delta_z: float) -> Truths:
    """Which of the redshifts, ascending in each group, has the smallest id of its chain."""
    breaks = np.ones(len(z), dtype=bool)
    with np.errstate(invalid="ignore"):  # infinite redshifts have no difference
        breaks[1:] = (group[1:] != group[:-1]) | (np.abs(np.diff(z)) > delta_z)
    starts = np.flatnonzero(breaks)
    smallest = np.minimum.reduceat(order, starts)
    return np.asarray(order == np.repeat(smallest, run_lengths(starts, len(z))))


def _apart(starts: Places, z: Floats, delta_z: float) -> Truths:
    """Which of the redshifts, ascending in each run, are `delta_z` above the last that was kept."""
    lengths = run_lengths(starts, len(z))
    kept = np.zeros(len(z), dtype=bool)
    kept[starts] = True
    second = starts[lengths == 2] + 1
    with np.errstate(invalid="ignore"):
        kept[second] = z[second] - z[second - 1] >= delta_z
    longer = lengths > 2
    for start, length in zip(starts[longer].tolist(), lengths[longer].tolist(), strict=True):
        last = z[start].item()
        for place, value in enumerate(z[start + 1:start + length].tolist(), start + 1):
            if value - last >= delta_z:
                kept[place], last = True, value
    return kept
