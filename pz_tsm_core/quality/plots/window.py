"""The part of an axis that a plot shows, and bins that are wide enough to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pz_tsm_core.quality.tally import Axis, Floats, Ints, coarser, quantile

#: Share of the rows at either end that a plot may leave out, for the rest to be legible.
LEFT_OUT = 0.0005


@dataclass(frozen=True)
class Window:
    """Bins `first` to `last` (not included) of an axis, `factor` of them taken together."""

    axis: Axis
    factor: int
    first: int
    last: int

    @property
    def width(self) -> float:
        """Width of a bin that is shown."""
        return round(self.axis.step * self.factor, 9)

    @property
    def edges(self) -> Floats:
        """Borders of the bins that are shown, shape (n + 1,)."""
        number = (self.last - self.first) // self.factor
        start = self.axis.start + self.axis.step * self.first
        return np.asarray(start + self.width * np.arange(number + 1), dtype=np.float64)

    def of(self, counts: Ints, dimension: int = 0) -> Ints:
        """Counts (with what is beyond the axis) in the bins that are shown, along a dimension."""
        along = np.moveaxis(counts, dimension, 0)[1 + self.first:1 + self.last]
        return np.moveaxis(coarser(along, self.factor), 0, dimension)


def window(axis: Axis, counts: Ints, factors: Sequence[int], most: int) -> Window:
    """The window that shows all but 0.05 % of the rows at either end in at most `most` bins.

    Parameters
    ----------
    counts : shape (axis.bins + 2,)
    factors : that may be taken together, rising; all divide `axis.bins`
    """
    ends = (quantile(axis, counts, share) for share in (LEFT_OUT, 1 - LEFT_OUT))
    low, high = ((end - axis.start) / axis.step if np.isfinite(end) else 0.0 for end in ends)
    wanted = max(1.0, high - low)
    factor = next((each for each in factors if wanted / each <= most - 2), factors[-1])
    first = int(low // factor) * factor
    last = min(axis.bins, max(first + factor, int(-(-high // factor)) * factor))
    return Window(axis, factor, min(first, last - factor), last)
