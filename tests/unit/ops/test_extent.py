"""Long chains are cut around their best members."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.ops.extent import split_by_reach
from pz_tsm_core.sphere import separation_arcsec

STEP = 0.5 / 3600
RADIUS = 1.0


def split(group, place, ra):
    ra = np.array(ra, dtype=float)
    return split_by_reach(np.array(group), np.array(place), ra, np.zeros(len(ra)), RADIUS)


def test_the_existing_pipelines_chain_loses_its_far_end():
    """Its test: four in a row, half an arcsec apart, ranked from one end; the last is alone."""
    pieces = split([0, 0, 0, 0], [0, 1, 2, 3], [10 + STEP * n for n in range(4)]).tolist()
    assert len(set(pieces[:3])) == 1
    assert pieces[3] != pieces[0]


def test_the_best_member_decides_where_the_cut_is():
    pieces = split([0, 0, 0, 0], [1, 0, 2, 3], [10 + STEP * n for n in range(4)]).tolist()
    assert len(set(pieces)) == 1


def one_by_one(group, place, ra):
    """The same by plain Python: who is with whom."""
    pieces, left = [], set(range(len(group)))
    while left:
        best = min(left, key=lambda row: (group[row], place[row]))
        near = {row for row in left if group[row] == group[best] and separation_arcsec(
            np.array([ra[best]]), np.zeros(1), np.array([ra[row]]), np.zeros(1))[0]
            <= RADIUS + 1e-9}
        pieces.append(frozenset(near))
        left -= near
    return set(pieces)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), min_size=1, max_size=15),
       st.randoms(use_true_random=False))
def test_pieces_are_those_of_plain_python(rows, order):
    place = list(range(len(rows)))
    order.shuffle(place)
    group, ra = [g for g, _ in rows], [10 + STEP * n for _, n in rows]
    found = split(group, place, ra)
    pieces = {frozenset(np.flatnonzero(found == piece).tolist()) for piece in found}
    assert pieces == one_by_one(group, place, ra)
