"""Counting in one pass: histograms that take batch after batch and never hold a row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """Equal bins: `bins` of width `step` from `start` on, the last one closed on both sides."""

    start: float
    step: float
    bins: int

    @property
    def edges(self) -> Floats:
        """Borders of the bins, shape (bins + 1,)."""
        return np.asarray(self.start + self.step * np.arange(self.bins + 1), dtype=np.float64)

    def place(self, values: Floats) -> Ints:
        """Bin of each value: 0 for below the axis, 1 .. bins on it, bins + 1 for above."""
        edges = self.edges
        place = np.searchsorted(edges, values, side="right")
        return np.asarray(np.where(values == edges[-1], self.bins, place), dtype=np.int64)


@dataclass(frozen=True)
class Labels:
    """A text column as whole numbers: `names[codes]` is the column."""

    names: list[str]
    codes: Ints

    @classmethod
    def of(cls, column: pa.Array) -> Labels:
        """Encode a column without nulls."""
        encoded = column.dictionary_encode()
        return cls(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))


@dataclass
class Tally:
    """A histogram for every label.

    Parameters
    ----------
    counts : by label, shape (axis.bins + 2,): what is below the axis, its bins, what is above
    lowest, highest : of all values, NaN while there are none
    """

    axis: Axis
    counts: dict[str, Ints] = field(default_factory=dict)
    lowest: float = np.nan
    highest: float = np.nan

    def add(self, values: Floats, labels: Labels) -> None:
        """Count values, each under its label; NaN is no value."""
        known = np.isfinite(values)
        if known.any():
            self.lowest = float(np.fmin(self.lowest, values[known].min()))
            self.highest = float(np.fmax(self.highest, values[known].max()))
        width = self.axis.bins + 2
        flat = labels.codes[known] * width + self.axis.place(values[known])
        table = np.bincount(flat, minlength=width * len(labels.names))
        for name, row in zip(labels.names, table.reshape(-1, width), strict=True):
            if row.any():
                self.counts[name] = self.counts.get(name, 0) + row

    @property
    def total(self) -> Ints:
        """Counts of all labels together."""
        nothing = np.zeros(self.axis.bins + 2, dtype=np.int64)
        return np.asarray(sum(self.counts.values(), nothing), dtype=np.int64)

    def median(self, label: str | None = None) -> float:
        """The value in the middle, of one label or of all; NaN when there are none.

        Exact to the width of a bin, and never beyond what was seen.
        """
        counts = self.total if label is None else self.counts[label]
        return float(np.clip(median(self.axis, counts), self.lowest, self.highest))

    def rows(self, label: str) -> int:
        """How many values were counted under a label."""
        return int(self.counts[label].sum()) if label in self.counts else 0


@dataclass
class Grid:
    """A histogram over two axes.

    Parameters
    ----------
    counts : shape (x.bins + 2, y.bins + 2): the outermost rows and columns are beyond the axes
    """

    x: Axis
    y: Axis
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.x.bins + 2, self.y.bins + 2), dtype=np.int64)

    def add(self, x: Floats, y: Floats) -> None:
        """Count pairs of values; NaN in either is no pair."""
        known = np.isfinite(x) & np.isfinite(y)
        flat = self.x.place(x[known]) * (self.y.bins + 2) + self.y.place(y[known])
        self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)


def quantile(axis: Axis, counts: Ints, share: float) -> float:
    """Value below which a share of the counted rows lies, NaN when there are none.

    Exact to the width of a bin: rows are taken as spread evenly within theirs. Rows beyond the axis
    count as lying at its end.

    Parameters
    ----------
    counts : shape (axis.bins + 2,), as `Tally` keeps them
    """
    total = int(counts.sum())
    if not total:
        return float("nan")
    cumulative = np.cumsum(counts[:-1])  # rows below each edge
    target = share * total
    at = int(np.searchsorted(cumulative, target, side="left"))
    if at == 0:
        return axis.start
    if at > axis.bins:
        return float(axis.edges[-1])
    inside = (target - cumulative[at - 1]) / counts[at]
    return float(axis.start + axis.step * (at - 1 + inside))


def median(axis: Axis, counts: Ints) -> float:
    """The value in the middle; as `quantile`."""
    return quantile(axis, counts, 0.5)


def coarser(counts: Ints, factor: int) -> Ints:
    """Counts of the bins of an axis, `factor` of them taken together along the first axis.

    Parameters
    ----------
    counts : shape (bins, ...), without what is beyond the axis; a last bin may be narrower
    """
    starts = np.arange(0, len(counts), factor)
    return np.asarray(np.add.reduceat(counts, starts, axis=0), dtype=np.int64)

def floats(batch: pa.RecordBatch, name: str) -> Floats:
    """A column as float64, null as NaN, shape (n,)."""
    return np.asarray(batch[name].to_numpy(zero_copy_only=False), dtype=np.float64)
