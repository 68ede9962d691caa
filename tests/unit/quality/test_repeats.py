"""sigma_NMAD of repeats, against the definition read aloud over every pair."""

from __future__ import annotations

import math
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from scipy.stats import norm

from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.quality.repeats import NMAD, Repeats

#: Exact to a bin of the histogram, of 0.001 in log10.
EXACT = 10**0.001 - 1 + 1e-9


def table(rows):
    galaxy, z, reason = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table({"galaxy_id": pa.array(galaxy, pa.int64()), "z": pa.array(z, pa.float64()),
                     "reason": pa.array(reason, pa.int8())})


def repeats(rows, size=1000):
    told = Repeats()
    for batch in table(rows).to_batches(size):
        told.add(batch)
    return told


def by_definition(rows):
    """Both orders of every pair, their median taken off, the median of what is left."""
    good = [(galaxy, z) for galaxy, z, reason in rows if Reason(reason).eligible]
    d = [(two - one) / (1 + (one + two) / 2)
         for (galaxy, one), (other, two) in pairwise(good) if galaxy == other and one != two]
    both = np.array([*d, *(-each for each in d)])
    return len(d), 1.4826 * float(np.median(np.abs(both - np.median(both)))) if d else math.nan


ROWS = st.lists(st.tuples(
    st.integers(0, 5), st.sampled_from([0.0, 0.1, 0.1002, 0.11, 0.5, 2.0, 1.0001]),
    st.sampled_from([int(reason) for reason in Reason])), max_size=40)


@given(ROWS, st.integers(1, 7))
def test_whatever_the_batches_it_is_what_the_definition_says(rows, size):
    rows.sort(key=lambda row: row[0])
    told, (pairs, sigma) = repeats(rows, size), by_definition(rows)
    assert told.pairs == pairs
    # Half the pairs may lie on either side of an even number's middle: any between is a median.
    if pairs % 2 or not pairs:
        assert told.sigma == pytest.approx(sigma, rel=EXACT, nan_ok=True)


def test_of_normal_errors_it_is_their_standard_deviation():
    rng = np.random.default_rng(1)
    z, n = rng.uniform(0.1, 2, 40_000), 40_000
    rows = [(number, z[number] + error * (1 + z[number]), Reason.WON)
            for number in range(n) for error in rng.normal(0, 0.001, 2)]
    # The difference of two is wider than one by the square root of two.
    assert repeats(rows).sigma == pytest.approx(0.001 * math.sqrt(2), rel=0.02)
    assert pytest.approx(1 / norm.ppf(0.75), rel=1e-4) == NMAD


def test_the_order_of_two_measurements_says_nothing():
    forth = [(1, 0.5, 0), (1, 0.501, 1), (2, 1.0, 0), (2, 1.01, 1), (3, 0.2, 0), (3, 0.2003, 4)]
    back = [row for galaxy in (1, 2, 3) for row in reversed([r for r in forth if r[0] == galaxy])]
    assert repeats(forth).sigma == repeats(back).sigma


def test_copies_of_a_spectrum_and_what_may_not_speak_tell_nothing():
    rows = [(1, 0.5, Reason.WON), (1, 0.5, Reason.LOST_ID), (2, 0.5, Reason.ALONE),
            (2, 0.9, Reason.LOW_QUALITY), (3, 0.1, Reason.EXCLUDED_CLASS)]
    told = repeats(rows)
    assert (told.pairs, math.isnan(told.sigma)) == (0, True)


def test_one_wrong_redshift_in_ten_does_not_move_it():
    good = [(number, 0.5 + d, 0) for number in range(100) for d in (0.0, 0.0015)]
    bad = [(number, z, 0) for number in range(100, 110) for z in (0.5, 3.0)]
    assert repeats(good + bad).sigma == pytest.approx(repeats(good).sigma, rel=2 * EXACT)
