"""One object a galaxy, one galaxy an object: against a choice made one galaxy at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.ops.uniqueness import choose_counterparts

# Few ids and separations, so that ties and rivals are common.
PAIRS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.0, 0.1, 0.5])),
    unique_by=lambda pair: pair[:2],
)


def _one_at_a_time(pairs: list[tuple[int, int, float]]) -> dict[int, int]:
    nearest: dict[int, tuple[float, int]] = {}
    for galaxy, found, separation in pairs:
        nearest[galaxy] = min(nearest.get(galaxy, (9.0, 0)), (separation, found))
    owner: dict[int, tuple[float, int]] = {}
    for galaxy, (separation, found) in nearest.items():
        owner[found] = min(owner.get(found, (9.0, 0)), (separation, galaxy))
    return {galaxy: found for found, (_, galaxy) in owner.items()}


@given(PAIRS)
def test_the_choice_is_that_made_one_galaxy_at_a_time(pairs: list[tuple[int, int, float]]) -> None:
    galaxy, found, separation = _columns(pairs)
    chosen = choose_counterparts(galaxy, found, separation, unique=True)
    ours = dict(zip(galaxy[chosen.index].tolist(), found[chosen.index].tolist(), strict=True))
    assert ours == _one_at_a_time(pairs)
    assert len(chosen.index) + chosen.taken == len(set(galaxy.tolist()))


@given(PAIRS, st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_pairs(pairs, random) -> None:
    shuffled = random.sample(pairs, len(pairs))
    for unique in (True, False):
        results = []
        for order in (pairs, shuffled):
            galaxy, found, separation = _columns(order)
            chosen = choose_counterparts(galaxy, found, separation, unique=unique)
            results.append((galaxy[chosen.index].tolist(), found[chosen.index].tolist(),
                            chosen.candidates.tolist()))
        assert results[0] == results[1]


@given(PAIRS)
def test_every_galaxy_keeps_an_object_when_objects_may_be_shared(pairs) -> None:
    galaxy, found, separation = _columns(pairs)
    chosen = choose_counterparts(galaxy, found, separation, unique=False)
    assert galaxy[chosen.index].tolist() == sorted(set(galaxy.tolist()))
    counted = {g: sum(1 for pair in pairs if pair[0] == g) for g in set(galaxy.tolist())}
    assert chosen.candidates.tolist() == [counted[g] for g in sorted(counted)]


def _columns(pairs):
    return (np.array([p[0] for p in pairs], dtype=np.int64),
            np.array([p[1] for p in pairs], dtype=np.int64),
            np.array([p[2] for p in pairs], dtype=np.float64))
