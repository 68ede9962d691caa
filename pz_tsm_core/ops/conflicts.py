"""Measurements of one rank, and whether their redshifts agree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pz_tsm_core.model.combining import Agreement
from pz_tsm_core.ops.runs import run_starts
from pz_tsm_core.sphere import Floats

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def agree(z: Floats, reference: Floats, agreement: Agreement) -> Mask:
    """Whether redshifts are those of a reference, elementwise."""
    scale = 1 + reference if agreement.scaled else 1.0
    return np.asarray(np.abs(z - reference) <= agreement.dz * scale)


def clusters(group: Ints, z: Floats, agreement: Agreement) -> Ints:
    """Number, from 0 within each group, of the redshift that each measurement gives.

    Parameters
    ----------
    group : shape (m,), sorted; within a group the best measurement comes first
    z : redshifts, shape (m,)

    Returns
    -------
    0 for the best of a group and what agrees with it; of what is left the best begins the next,
    so that nobody is farther than the agreement from the best of its cluster. With
    `agreement.chained` neighbours in redshift join, however far the ends of a chain are apart.
    """
    if agreement.chained:
        return _chained(group, z, agreement)
    cluster = np.zeros(len(group), dtype=np.int64)
    left, number = np.arange(len(group)), 0
    while len(left):
        starts = run_starts(group[left])
        sizes = np.diff(np.append(starts, len(left)))
        best = np.repeat(z[left[starts]], sizes)
        cluster[left] = number
        left, number = left[~agree(z[left], best, agreement)], number + 1
    return cluster


def _chained(group: Ints, z: Floats, agreement: Agreement) -> Ints:
    order = np.lexsort((z, group))
    begins = np.zeros(len(order), dtype=bool)
    if len(order):
        below, above = order[:-1], order[1:]
        begins[0] = True
        begins[1:] = (group[above] != group[below]) | ~agree(z[above], z[below], agreement)
    chain = np.empty(len(order), dtype=np.int64)
    chain[order] = np.cumsum(begins)
    return _numbered(group, chain)


def _numbered(group: Ints, chain: Ints) -> Ints:
    """Chains numbered from 0 within their groups, by their best measurement."""
    _, first, of = np.unique(chain, return_index=True, return_inverse=True)
    by_best = np.argsort(first, kind="stable")
    groups = group[first[by_best]]
    starts = run_starts(groups)
    place = np.arange(len(by_best)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
    number = np.empty(len(by_best), dtype=np.int64)
    number[by_best] = place
    return number[of]
