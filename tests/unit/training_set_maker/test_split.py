"""What is for training: by what a row is, whatever is beside it."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.training_set_maker.split import SEED, is_training_set

ROWS = pa.table({"n": np.arange(100_000)})


def split(ids, fraction=0.7, seed=1, rows=None):
    return is_training_set(ids, ROWS if rows is None else rows, fraction, seed).to_numpy()


def in_plain_python(number, seed):
    """SplitMix64 (Steele, Lea & Flood 2014) of the number and the seed, as a fraction."""
    x = ((number ^ seed) + 0x9E3779B97F4A7C15) % 2**64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return ((x ^ (x >> 31)) >> 11) / 2**53


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.7, 0.95])
@pytest.mark.parametrize("by_id", [True, False])
def test_fractions_hold_within_binomial_scatter(fraction, by_id):
    ids = [ROWS["n"]] if by_id else []
    scatter = np.sqrt(fraction * (1 - fraction) / len(ROWS))
    assert split(ids, fraction).mean() == pytest.approx(fraction, abs=5 * scatter)


@pytest.mark.parametrize("seed", [SEED, -3, 2**70 + 5])
def test_whole_numbers_are_hashed_as_they_are(seed):
    ids = np.array([1, 2, 3, -4, 2**62], np.int64)
    expected = [in_plain_python(int(id_) % 2**64, seed % 2**64) < 0.5 for id_ in ids]
    got = split([pa.chunked_array([ids])], 0.5, seed, ROWS.slice(0, 5))
    assert got.tolist() == [int(one) for one in expected]


def test_the_largest_ids_are_not_rounded():
    ids = np.arange(2**64 - 5000, 2**64 - 1, dtype=np.uint64)
    expected = [in_plain_python(int(id_), 1) < 0.5 for id_ in ids]
    rows = ROWS.slice(0, len(ids))
    assert split([pa.chunked_array([ids])], 0.5, 1, rows).tolist() == [int(x) for x in expected]


def test_texts_are_hashed_by_blake2b():
    names = [f"object {n}" for n in range(200)]
    numbers = [int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") % 2**63
               for name in names]
    got = split([pa.chunked_array([names])], 0.5, 7, ROWS.slice(0, 200))
    assert got.tolist() == [int(in_plain_python(number, 7) < 0.5) for number in numbers]


def test_a_row_stays_where_it_is_whatever_is_beside_it():
    whole, order = split([]), np.random.default_rng(1).permutation(len(ROWS))
    assert (split([], rows=ROWS.take(pa.array(order))) == whole[order]).all()
    assert (split([], rows=ROWS.slice(500, 10)) == whole[500:510]).all()


def test_rows_of_one_object_are_never_on_two_sides():
    ids = pa.chunked_array([np.arange(len(ROWS)) // 10])
    sides = split([ids]).reshape(-1, 10)
    assert (sides == sides[:, :1]).all()


def test_a_row_without_an_id_is_known_by_the_next_and_then_by_its_content():
    one = pa.chunked_array([pa.array([1, None, None])])
    other = pa.chunked_array([pa.array([8, 9, None])])
    rows = pa.table({"n": [70, 71, 72]})
    for seed in range(50):
        got = split([one, other], 0.5, seed, rows).tolist()
        by_content = split([], 0.5, seed, rows.slice(2)).tolist()
        expected = [int(in_plain_python(1, seed) < 0.5), int(in_plain_python(9, seed) < 0.5)]
        assert got == expected + by_content


def test_a_missing_seed_is_a_fixed_one_that_process_yml_records(setup):
    import yaml

    first = setup.run("one").made.table["is_training_set"]
    assert setup.run("two").made.table["is_training_set"].equals(first)
    told = yaml.safe_load((setup.folder / "two" / "process.yml").read_text())
    assert told["random_seed"] == SEED == 2026
    setup.param["random_seed"] = SEED
    assert setup.run("three").made.table["is_training_set"].equals(first)


def test_the_split_does_not_depend_on_partitions_and_differs_between_them(sky):
    """The existing pipeline repeats one sequence in every partition."""
    made = sky.make().table.sort_by("ID")
    sky.catalog, sky.rows_per_partition = "other/mag/auto/sfd", 1_000_000
    sky.config["inputs"]["dataset"]["path"] = "other"
    again = sky.make().table.sort_by("ID")
    assert again["is_training_set"].equals(made["is_training_set"])
    assert made["is_training_set"].type == pa.int64()
    fraction = np.mean(made["is_training_set"].to_numpy())
    assert fraction == pytest.approx(0.7, abs=5 * np.sqrt(0.21 / len(made)))


def test_the_object_decides_and_without_it_the_redshift(setup):
    setup.param["crossmatch"]["radius_arcsec"] = 0.25  # b and c share an object
    for seed in range(30):
        setup.param["random_seed"] = seed
        rows = setup.rows()
        assert len({row["is_training_set"] for row in rows}) == 1
    setup.config["inputs"]["dataset"]["columns"]["id"] = "objectId"  # which is not there
    sides = set()
    for seed in range(30):
        setup.param["random_seed"] = seed
        sides.add(tuple(row["is_training_set"] for row in setup.rows()))
    assert len(sides) == 4
