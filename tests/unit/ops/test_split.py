"""The split: its byte-exact contract and what it must never do."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.policy import SplitPolicy
from pz_tsm_core.ops.split import assign_split, split_names, uniform_from_id

MASK = 2**64 - 1
THIRDS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def _splitmix64(x: int) -> int:
    """SplitMix64 in plain Python, from the paper."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def _side(galaxy_id: int, seed: int, fractions: dict[str, float]) -> str:
    u = (_splitmix64(seed ^ galaxy_id) >> 11) / 2**53
    edges = list(accumulate(fractions.values()))
    return next((name for name, edge in zip(fractions, edges, strict=True) if u < edge),
                list(fractions)[-1])


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1), st.integers(0, 2**63 - 1))
def test_the_side_is_the_published_hash_of_the_id(ids: list[int], seed: int) -> None:
    names = split_names(np.array(ids, dtype=np.int64), THIRDS, seed).to_pylist()
    assert names == [_side(galaxy_id, seed, THIRDS) for galaxy_id in ids]


def test_published_vectors() -> None:
    """The vectors of docs/reference/ids.md."""
    assert uniform_from_id(np.array([1, 2, 3], dtype=np.int64), 2026).tolist() == [
        0.34821245061182027, 0.6227655366461097, 0.030395045594533876
    ]


def test_added_rows_move_no_galaxy() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 2**63, 10_000)
    few = split_names(ids[:5000], THIRDS, 1).to_pylist()
    many = split_names(ids, THIRDS, 1).to_pylist()
    assert many[:5000] == few


def test_fractions_are_met_within_three_sigma() -> None:
    n = 200_000
    counts = Counter(split_names(np.arange(n), THIRDS, 2026).to_pylist())
    for name, fraction in THIRDS.items():
        assert abs(counts[name] - n * fraction) < 3 * np.sqrt(n * fraction * (1 - fraction))


def test_another_seed_is_another_split() -> None:
    ids = np.arange(10_000)
    half = {"a": 0.5, "b": 0.5}
    same = np.mean(np.array(split_names(ids, half, 1)) == np.array(split_names(ids, half, 2)))
    assert 0.48 < same < 0.52


def test_a_part_keeps_its_members_when_later_parts_are_renamed() -> None:
    ids = np.arange(1000)
    ours = np.array(split_names(ids, {"train": 0.7, "test": 0.3}, 5)) == "train"
    theirs = np.array(split_names(ids, THIRDS, 5)) == "train"
    assert (ours == theirs).all()


def test_the_table_keeps_its_rows_and_gains_one_column() -> None:
    table = pa.table({"galaxy_id": pa.array([5, 6], pa.int64()), "x": [1.0, 2.0]})
    divided = assign_split(table, SplitPolicy())
    assert divided.column_names == ["galaxy_id", "x", "split"]
    assert divided.drop_columns("split").equals(table)


@pytest.mark.parametrize(("table", "code"), [
    (pa.table({"x": [1]}), Code.TABLE_MISSING_COLUMN),
    (pa.table({"galaxy_id": [1.0]}), Code.TABLE_COLUMN_TYPE),
    (pa.table({"galaxy_id": pa.array([1, None])}), Code.TABLE_COLUMN_TYPE),
    (pa.table({"galaxy_id": [1], "split": ["train"]}), Code.TABLE_DUPLICATE_COLUMN),
])
def test_a_table_that_cannot_be_split_is_refused(table, code) -> None:
    with pytest.raises(TsmError) as refused:
        assign_split(table, SplitPolicy())
    assert refused.value.codes == (code,)


def test_fractions_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises((ValueError, TsmError), match="sum to 1"):
        SplitPolicy(fractions={"train": 0.5, "test": 0.4})
