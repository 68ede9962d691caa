"""Which redshifts agree, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.model.combining import Agreement
from pz_tsm_core.ops.conflicts import agree, clusters

GROUPS = st.lists(st.lists(st.integers(0, 40).map(lambda step: step / 1000 + 0.5), min_size=1,
                           max_size=7), min_size=1, max_size=5)


def _flat(groups: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    label = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return label, np.array([z for group in groups for z in group])


@given(GROUPS, st.sampled_from([0.0, 0.0035, 0.0105]), st.booleans())
def test_nobody_is_farther_than_the_agreement_from_the_best_of_the_cluster(groups, dz, scaled):
    agreement = Agreement(dz=dz, scaled=scaled)
    label, z = _flat(groups)
    expected = []
    for group in groups:
        best: list[float] = []
        for value in group:
            for number, reference in enumerate(best):
                if abs(value - reference) <= dz * (1 + reference if scaled else 1):
                    expected.append(number)
                    break
            else:
                expected.append(len(best))
                best.append(value)
    assert clusters(label, z, agreement).tolist() == expected


@given(GROUPS, st.sampled_from([0.0, 0.0035, 0.0105]))
def test_chains_join_whatever_a_small_step_joins(groups, dz):
    label, z = _flat(groups)
    expected = []
    for group in groups:
        ordered = sorted(range(len(group)), key=lambda place: (group[place], place))
        chain = {}
        for before, here in zip([None, *ordered], ordered, strict=False):
            near = before is not None and abs(group[here] - group[before]) <= dz
            chain[here] = chain[before] if near else len(set(chain.values()))
        numbers = {}
        expected += [numbers.setdefault(chain[place], len(numbers)) for place in range(len(group))]
    agreement = Agreement(dz=dz, scaled=False, chained=True)
    assert clusters(label, z, agreement).tolist() == expected


def test_a_chain_longer_than_the_agreement_is_one_only_where_chains_are_asked_for() -> None:
    z, label = np.array([0.5, 0.5009, 0.5018, 0.5027]), np.zeros(4, dtype=np.int64)
    assert clusters(label, z, Agreement(dz=0.001, scaled=False, chained=True)).tolist() == [0] * 4
    assert clusters(label, z, Agreement(dz=0.001, scaled=False)).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("scaled", "expected"), [(True, True), (False, False)])
def test_agreement_scales_with_one_plus_z_of_the_reference(scaled: bool, expected: bool) -> None:
    agreement = Agreement(dz=0.01, scaled=scaled)
    assert agree(np.array([3.03]), np.array([3.0]), agreement).tolist() == [expected]
