"""Which of several measurements of a galaxy is better, criterion by criterion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.model.combining import CombinePolicy, Criterion
from pz_tsm_core.model.quality import InstrumentType
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sphere import ARCSEC_PER_RADIAN, Floats, unit_vectors

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_KINDS = pa.array([kind.value for kind in InstrumentType])

#: A survey that a recipe trusts goes before whatever rank another's definition gives it.
_TRUSTED = -1e6

#: In arcsec; no position of a redshift is known better.
_SEPARATION_STEP = 1e-3


@dataclass(frozen=True)
class Ranking:
    """Measurements of groups of two and more, group by group, the best first.

    Parameters
    ----------
    rows : their places in the table, shape (m,)
    starts, sizes : of the groups in `rows`
    costs : by criterion, in the order of `rows`; smaller is better
    """

    rows: Ints
    starts: Ints
    sizes: Ints
    costs: Mapping[Criterion, Floats]

    @property
    def best(self) -> Ints:
        """For every element of `rows` the place in `rows` of the best of its group."""
        return np.repeat(self.starts, self.sizes)

    def among(self, kept: Mask) -> Ranking:
        """The ranking of some measurements among each other; `kept` in the order of `rows`."""
        group = np.repeat(np.arange(len(self.starts)), self.sizes)[kept]
        starts = run_starts(group)
        return Ranking(self.rows[kept], starts, run_lengths(starts, len(group)),
                       {name: values[kept] for name, values in self.costs.items()})


def rank(table: pa.Table, group: Ints, policy: CombinePolicy) -> Ranking:
    """Rank the measurements within each group; what is of an excluded class comes last.

    Parameters
    ----------
    table : standard columns
    group : label 0 .. k-1 of the group of each row, shape (n,)
    """
    shared = np.flatnonzero(np.bincount(group)[group] > 1)
    members, label = table.take(pa.array(shared)), group[shared]
    excluded = excluded_class(members, policy)
    criteria = (*policy.prefer, *policy.among_equals)
    costs = {name: cost(name, members, label, policy) for name in criteria}
    row_id = members["row_id"].to_numpy()
    keys = [row_id, *(costs[name] for name in reversed(criteria)), excluded, label]
    # What all have in common orders nothing, and a sort takes its time all the same.
    order = np.lexsort([key for key in keys if len(key) and key.min() < key.max()] or [label])
    starts = run_starts(label[order])
    return Ranking(shared[order], starts, run_lengths(starts, len(order)),
                   {name: values[order] for name, values in costs.items()})


def cost(name: Criterion, table: pa.Table, label: Ints, policy: CombinePolicy) -> Floats:
    """How far behind the best each measurement may be by one criterion; smaller is better.

    Parameters
    ----------
    label : of the group of each row, shape (n,)
    """
    return _COSTS[name](table, label, policy)


def excluded_class(table: pa.Table, policy: CombinePolicy) -> Mask:
    """Which measurements are of a class that may not speak for a galaxy."""
    classes = pa.array(sorted(policy.exclude_classes), pa.string())
    return np.asarray(pc.is_in(table["object_class"], classes))


def _quality(table: pa.Table, _label: Ints, _policy: CombinePolicy) -> Floats:
    return np.asarray(-table["quality"].to_numpy(), dtype=np.float64)


def _instrument_type(table: pa.Table, _label: Ints, _policy: CombinePolicy) -> Floats:
    place = pc.index_in(table["instrument_type"], _KINDS)
    return np.asarray(place.to_numpy(), dtype=np.float64)


def _survey_rank(table: pa.Table, _label: Ints, policy: CombinePolicy) -> Floats:
    declared = np.asarray(-pc.fill_null(table["survey_rank"], 0).to_numpy(), dtype=np.float64)
    if not policy.survey_rank:
        return declared
    place = pc.index_in(table["survey"], pa.array(policy.survey_rank, pa.string()))
    trusted = pc.fill_null(place, -1).to_numpy()
    return np.where(trusted >= 0, trusted + _TRUSTED, declared)


def _z_err(table: pa.Table, _label: Ints, _policy: CombinePolicy) -> Floats:
    return _known(table["z_err"])


def _year(table: pa.Table, _label: Ints, _policy: CombinePolicy) -> Floats:
    return _known(pc.negate(table["year"]))


def _snr(table: pa.Table, _label: Ints, _policy: CombinePolicy) -> Floats:
    return _known(pc.negate(table["snr"]))


def _separation(table: pa.Table, label: Ints, _policy: CombinePolicy) -> Floats:
    """Distance from the middle of the group in `_SEPARATION_STEP`; two are as far from theirs."""
    distance = np.zeros(len(label))
    several = np.flatnonzero(np.bincount(label)[label] > 2)
    ra, dec = table["ra"].to_numpy()[several], table["dec"].to_numpy()[several]
    # Summed in an order that follows from the values alone: sums of floats depend on it.
    order = np.lexsort((ra, dec, label[several]))
    starts = run_starts(label[several][order])
    sizes = run_lengths(starts, len(order))
    vectors = unit_vectors(ra[order], dec[order])
    middle = np.add.reduceat(vectors, starts) / sizes[:, None] if len(order) else vectors
    away = np.sqrt(((vectors - np.repeat(middle, sizes, axis=0)) ** 2).sum(axis=1))
    distance[several[order]] = np.round(away * ARCSEC_PER_RADIAN / _SEPARATION_STEP)
    return distance


def _known(values: pa.ChunkedArray) -> Floats:
    """What is not known, null or NaN, is worst."""
    known = pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy()
    return np.where(np.isnan(known), np.inf, known)


_COSTS: Mapping[Criterion, Callable[[pa.Table, Ints, CombinePolicy], Floats]] = {
    "quality": _quality, "instrument_type": _instrument_type, "survey_rank": _survey_rank,
    "z_err": _z_err, "year": _year, "snr": _snr, "separation": _separation,
}
assert set(_COSTS) == set(get_args(Criterion))  # noqa: S101 - a criterion without its cost
