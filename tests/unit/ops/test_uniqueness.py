"""One galaxy an object: against a choice made one galaxy at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.ops.uniqueness import choose_counterparts

# Few objects and separations, so that ties and rivals are common.
NEAREST = st.dictionaries(
    st.integers(-5, 5), st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.1, 0.5])))


def _one_at_a_time(nearest: dict[int, tuple[int, float]]) -> dict[int, int]:
    owner: dict[int, tuple[float, int]] = {}
    for galaxy, (found, separation) in nearest.items():
        owner[found] = min(owner.get(found, (9.0, 0)), (separation, galaxy))
    return {galaxy: found for found, (_, galaxy) in owner.items()}


@given(NEAREST, st.randoms())
def test_the_choice_is_that_made_one_galaxy_at_a_time(nearest, random) -> None:
    """In whatever order the galaxies come."""
    galaxies = random.sample(sorted(nearest), len(nearest))
    galaxy = np.array(galaxies, dtype=np.int64)
    found = np.array([nearest[each][0] for each in galaxies], dtype=np.int64)
    separation = np.array([nearest[each][1] for each in galaxies])
    kept = choose_counterparts(galaxy, found, separation)
    assert kept.tolist() == sorted(kept.tolist())
    assert dict(zip(galaxy[kept].tolist(), found[kept].tolist(), strict=True)) == \
        _one_at_a_time(nearest)
