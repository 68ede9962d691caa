"""Which measurement speaks for its galaxy, with a reason for every other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.model.combining import CombinePolicy, Criterion
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.ops.conflicts import clusters
from pz_tsm_core.ops.rank import Mask, Ranking, excluded_class
from pz_tsm_core.ops.runs import run_starts

Codes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

#: The reason of whoever is behind in a criterion and equal in all before it.
LOST: Mapping[Criterion, Reason] = {
    "quality": Reason.LOST_QUALITY, "instrument_type": Reason.LOST_INSTRUMENT,
    "survey_rank": Reason.LOST_SURVEY_RANK, "z_err": Reason.LOST_Z_ERR,
    "year": Reason.LOST_YEAR, "snr": Reason.LOST_SNR, "separation": Reason.LOST_SEPARATION,
}


@dataclass(frozen=True)
class Resolved:
    """Reasons of measurements.

    Parameters
    ----------
    reason : `Reason` of each, shape (n,)
    conflict : whether the group of each has measurements of the highest rank whose redshifts do
        not agree, shape (n,); nowhere where the policy picks one of them
    """

    reason: Codes
    conflict: Mask


def resolve(table: pa.Table, ranking: Ranking, policy: CombinePolicy) -> Resolved:
    """Choose the best of every group among those that may speak for it.

    Parameters
    ----------
    table : standard columns
    ranking : of the rows of `table` in their groups
    """
    reason = ineligible(table, policy)
    able = ranking.among(reason[ranking.rows] == Reason.ALONE)
    contested = able.among(np.repeat(able.sizes > 1, able.sizes))
    reason[contested.rows] = _behind(contested, contested.best, policy)
    reason[contested.rows[contested.starts]] = Reason.WON
    conflict = np.zeros(len(table), dtype=bool)
    if policy.agreement and len(contested.rows):
        _settle_conflicts(table, contested, policy, reason, conflict)
    return Resolved(reason, conflict)


def ineligible(table: pa.Table, policy: CombinePolicy) -> Codes:
    """Why measurements may not speak, and `Reason.ALONE` for those that may."""
    reason = np.full(len(table), Reason.ALONE, dtype=np.int8)
    reason[table["quality"].to_numpy() < policy.min_quality] = Reason.LOW_QUALITY
    reason[excluded_class(table, policy)] = Reason.EXCLUDED_CLASS
    return reason


def _behind(ranking: Ranking, winner: Ints, policy: CombinePolicy) -> Codes:
    """In what each measurement is behind the winner, a place in the ranking of each."""
    reason = np.full(len(ranking.rows), Reason.LOST_ID, dtype=np.int8)
    # From the weakest to the strongest ground for losing, so that the strongest stands.
    for name in reversed((*policy.prefer, *policy.among_equals)):
        reason[ranking.costs[name] > ranking.costs[name][winner]] = LOST[name]
    return reason


def _settle_conflicts(
    table: pa.Table, ranking: Ranking, policy: CombinePolicy, reason: Codes, conflict: Mask
) -> None:
    """Say of measurements of the highest rank what follows where their redshifts disagree."""
    assert policy.agreement is not None  # noqa: S101 - the caller asks
    best = ranking.best
    highest = np.ones(len(best), dtype=bool)
    for name in policy.prefer:
        highest &= ranking.costs[name] == ranking.costs[name][best]
    top = ranking.among(highest)
    group = top.best
    cluster = clusters(group, table["z"].to_numpy()[top.rows], policy.agreement)
    disputed = np.isin(group, group[cluster > 0])
    speakers = _first_of_each(group, cluster)
    if policy.disagreement != "pick":
        conflict[ranking.rows] = np.isin(best, np.flatnonzero(highest)[group[disputed]])
    if policy.disagreement in ("flag", "pick"):
        reason[top.rows[cluster > 0]] = Reason.LOST_CONFLICT
        return
    reason[top.rows[disputed]] = _behind(top, speakers, policy)[disputed]
    speaks = disputed & (speakers == np.arange(len(speakers)))
    kept = policy.disagreement == "keep_all"
    reason[top.rows[speaks]] = Reason.TIED if kept else Reason.CONFLICT


def _first_of_each(group: Ints, cluster: Ints) -> Ints:
    """For each measurement the place of the best of its cluster."""
    order = np.lexsort((np.arange(len(group)), cluster, group))
    key = group[order] * (cluster.max(initial=0) + 1) + cluster[order]
    starts = run_starts(key)
    first = np.empty(len(order), dtype=np.int64)
    first[order] = np.repeat(order[starts], np.diff(np.append(starts, len(order))))
    return first
