"""Groups that reach too far, cut around their best measurements."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.ops.rank import Ranking, rank
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sphere import Floats, Int64s, separation_arcsec

#: What the existing pipeline grants to rounding, in arcsec.
_SLACK_ARCSEC = 1e-9


def split_by_reach(
    group: Int64s, place: Int64s, ra: Floats, dec: Floats, radius_arcsec: float
) -> Int64s:
    """Number of the new group of each measurement, from 0 to n - 1, shape (n,).

    The best measurement of a group takes all within the radius around it; of what is left the
    best does so again, until nothing is left.

    Parameters
    ----------
    group : number of the group before, from 0
    place : of each measurement in the order of ranks, the best first; no two alike in a group
    ra, dec : degrees, finite
    """
    new = np.arange(len(group), dtype=np.int64)
    left = np.lexsort((place, group))
    while left.size:
        starts = run_starts(group[left])
        best = np.repeat(left[starts], run_lengths(starts, len(left)))
        reach = separation_arcsec(ra[left], dec[left], ra[best], dec[best])
        near = reach <= radius_arcsec + _SLACK_ARCSEC
        new[left[near]] = best[near]
        left = left[~near]
    return new


def split_chains(table: pa.Table, group: Int64s, policy: CombinePolicy) -> tuple[Int64s, Ranking]:
    """Groups of which no member is farther than the policy's extent from the best, and their ranks.

    Parameters
    ----------
    table : standard columns
    group : label 0 .. k-1 of the group of each row before, shape (n,)
    """
    ranking = rank(table, group, policy)
    place = np.zeros(len(group), dtype=np.int64)
    place[ranking.rows] = np.arange(len(ranking.rows))
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    heads = split_by_reach(group, place, ra, dec, policy.extent_arcsec)
    _, group = np.unique(heads, return_inverse=True)
    return group, rank(table, group, policy)
