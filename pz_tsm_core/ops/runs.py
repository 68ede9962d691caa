"""Runs of equal values in a sorted array: the ground on which groups are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def run_starts(values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Index of the first element of each run of equal values, shape (number of runs,)."""
    first = np.ones(len(values), dtype=bool)
    first[1:] = values[1:] != values[:-1]
    return np.flatnonzero(first)


def run_lengths(starts: npt.NDArray[np.intp], n: int) -> npt.NDArray[np.intp]:
    """Length of each run that begins at `starts` in an array of `n` elements."""
    return np.diff(np.append(starts, n))
