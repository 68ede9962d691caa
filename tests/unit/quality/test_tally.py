"""Histograms that take batches, against numpy over all values at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pz_tsm_core.quality.tally import Axis, Grid, Labels, Tally, coarser, median, quantile

AXIS = Axis(-0.5, 0.25, 10)

values_on_and_off = arrays(np.float64, st.integers(0, 60), elements=st.one_of(
    st.floats(-3, 5), st.sampled_from([-0.5, -0.25, 0.0, 1.75, 2.0, np.nan, np.inf])))


def labels(names) -> Labels:
    return Labels.of(pa.array(names, pa.string()))


@given(values_on_and_off)
def test_bins_are_those_of_numpy(values) -> None:
    tally = Tally(AXIS)
    tally.add(values, labels(["a"] * len(values)))
    known = values[np.isfinite(values)]
    inside, _ = np.histogram(known, AXIS.edges)
    assert tally.total[1:-1].tolist() == inside.tolist()
    assert tally.total[0] == (known < AXIS.edges[0]).sum()
    assert tally.total[-1] == (known > AXIS.edges[-1]).sum()
    assert tally.total.sum() == len(known)


@given(values_on_and_off, st.lists(st.integers(0, 60), max_size=4))
def test_batches_make_no_difference(values, cuts) -> None:
    names = np.array(["a", "b", "c"])[np.arange(len(values)) % 3]
    whole, parts = Tally(AXIS), Tally(AXIS)
    whole.add(values, labels(names.tolist()))
    for rows in np.split(np.arange(len(values)), sorted(min(cut, len(values)) for cut in cuts)):
        parts.add(values[rows], labels(names[rows].tolist()))
    assert {name: counts.tolist() for name, counts in whole.counts.items()} == {
        name: counts.tolist() for name, counts in parts.counts.items()}
    assert np.array_equal([whole.lowest, whole.highest], [parts.lowest, parts.highest],
                          equal_nan=True)


def test_every_label_has_its_own_histogram() -> None:
    tally = Tally(AXIS)
    tally.add(np.array([0.1, 0.6, 0.1]), labels(["x", "y", "y"]))
    assert (tally.rows("x"), tally.rows("y"), tally.rows("z")) == (1, 2, 0)
    assert (tally.lowest, tally.highest) == (0.1, 0.6)


@given(st.lists(st.floats(-0.5, 2.0), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_quantile_is_right_to_the_width_of_a_bin(values, share) -> None:
    tally = Tally(AXIS)
    tally.add(np.array(values), labels(["a"] * len(values)))
    ours = quantile(AXIS, tally.total, share)
    low, high = (np.quantile(values, share, method=method) for method in ("lower", "higher"))
    assert low - AXIS.step - 1e-9 <= ours <= high + AXIS.step + 1e-9


def test_there_is_no_median_of_nothing_and_none_beyond_the_axis() -> None:
    nothing = np.zeros(AXIS.bins + 2, dtype=np.int64)
    assert np.isnan(median(AXIS, nothing))
    above, below = nothing.copy(), nothing.copy()
    above[-1], below[0] = 3, 3
    assert (median(AXIS, above), median(AXIS, below)) == (2.0, -0.5)


def test_a_grid_is_the_histogram_of_numpy_in_two_dimensions() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(0.5, 1, 5000), rng.normal(20, 3, 5000)
    x[:7] = np.nan
    other = Axis(14.0, 0.5, 20)
    grid = Grid(AXIS, other)
    for rows in np.array_split(np.arange(5000), 7):
        grid.add(x[rows], y[rows])
    expected, _, _ = np.histogram2d(x[7:], y[7:], (AXIS.edges, other.edges))
    assert np.array_equal(grid.counts[1:-1, 1:-1], expected)
    assert grid.counts.sum() == 4993


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_wider_bins_hold_the_rows_of_the_narrow_ones(factor) -> None:
    counts = np.arange(10)
    assert coarser(counts, factor).tolist() == counts.reshape(-1, factor).sum(axis=1).tolist()


@given(st.floats(-0.5, 1.99), st.integers(1, 5))
def test_the_median_of_equal_values_is_that_value(value, rows) -> None:
    tally = Tally(AXIS)
    tally.add(np.full(rows, value), labels(["a"] * rows))
    assert tally.median() == tally.median("a") == value


def test_there_is_no_median_of_nothing() -> None:
    assert np.isnan(Tally(AXIS).median())
