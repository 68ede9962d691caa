"""Combining finds on small hard skies what looking at every pair and sorting every group finds."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.ops.associate import components, pairs_within
from pz_tsm_core.ops.combine import Combined, combine
from pz_tsm_core.store.digest import table_digest
from tests.property.brute_force import UNDECIDED, Truth, brute_force, groups_of
from tests.property.skies import LARGEST_RA, policy_of, sky

#: Skies of the suite; a thousand more are for `make prove`.
FEW = range(50)
SEEDS = [*FEW, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(50, 1050))]


@dataclass(frozen=True)
class Case:
    """A sky, what was made of it, and what is true of it."""

    table: pa.Table
    policy: CombinePolicy
    done: Combined
    truth: Truth


@pytest.fixture(scope="module", params=SEEDS)
def case(request):
    table, policy = sky(request.param), policy_of(request.param)
    done = combine(table, policy)
    return Case(table, policy, done, brute_force(table, policy, separations(done.pairs).keys()))


def separations(pairs):
    first, second, separation = (column.to_pylist() for column in pairs.columns)
    return dict(zip(zip(first, second, strict=True), separation, strict=True))


def by_row(table, name):
    return dict(zip(table["row_id"].to_pylist(), table[name].to_pylist(), strict=True))


def digests(done):
    return [table_digest(table) for table in (done.measurements, done.galaxies, done.pairs)]


def shuffled(table, seed):
    return table.take(pa.array(np.random.default_rng(seed).permutation(len(table))))


def test_pairs_are_all_that_there_are_each_once(case):
    """Those between measurements that are both crowded are counted."""
    found = separations(case.done.pairs)
    assert found.keys() <= case.truth.pairs.keys()
    assert len(found) == len(case.done.pairs) == case.done.counts["pairs"]
    more = len(found) + case.done.counts["pairs not listed"] - len(case.truth.pairs)
    assert 0 <= more <= case.truth.undecided
    errors = [abs(apart - case.truth.pairs[pair]) for pair, apart in found.items()]
    assert max(errors, default=0) <= UNDECIDED


def test_groups_are_the_components_of_the_pairs(case):
    groups = defaultdict(set)
    for row, galaxy in by_row(case.done.measurements, "galaxy_id").items():
        groups[galaxy].add(row)
    assert set(map(frozenset, groups.values())) == case.truth.groups


def test_galaxies_are_named_by_the_smallest_member(case):
    assert by_row(case.done.measurements, "galaxy_id") == case.truth.galaxy_ids


def test_every_row_wins_or_loses_for_the_first_ground_there_is(case):
    assert by_row(case.done.measurements, "reason") == case.truth.reasons


def test_galaxies_are_the_winners_with_the_figures_of_their_groups(case):
    names = ("row_id", "galaxy_id", "n_measurements", "n_eligible", "n_agreeing", "z_spread",
             "extent", "z_conflict", "class_conflict")
    found = {row: figures for row, *figures in
             zip(*(case.done.galaxies[name].to_pylist() for name in names), strict=True)}
    assert found.keys() == case.truth.galaxies.keys()
    for row, (galaxy, *figures) in found.items():
        name, *expected = case.truth.galaxies[row]
        assert galaxy == name
        assert figures == pytest.approx(expected, rel=0, abs=UNDECIDED), row


def test_every_row_is_accounted_for(case):
    rows, reasons = case.done.rows, Counter(case.truth.reasons.values())
    assert rows.taken == len(case.table)
    assert rows.given == len(case.truth.galaxies)
    assert rows.dropped == {reason.name.lower(): count for reason, count in reasons.items()
                            if not reason.winner}


def test_nothing_of_a_measurement_changes(case):
    kept = case.done.measurements.select(case.table.column_names)
    assert table_digest(kept) == table_digest(case.table)


def test_the_order_of_rows_changes_nothing(case):
    again = combine(shuffled(case.table, len(case.table)), case.policy)
    assert digests(again) == digests(case.done)
    assert again.rows == case.done.rows


def test_rows_that_come_again_are_counted_and_change_nothing(case):
    again = case.table.slice(0, len(case.table) // 3)
    done = combine(shuffled(pa.concat_tables([case.table, again]), 1), case.policy)
    assert digests(done) == digests(case.done)
    assert done.rows.dropped.get("repeated_row", 0) == len(again)


def test_an_error_that_is_nan_is_one_that_is_not_known():
    for seed in FEW:
        table, policy = sky(seed), policy_of(seed)
        place = table.schema.get_field_index("z_err")
        odd = [np.nan if error is None and row % 2 else error
               for row, error in enumerate(table["z_err"].to_pylist())]
        blurred = table.set_column(place, table.schema.field(place), pa.array(odd, pa.float64()))
        reasons = [by_row(combine(each, policy).measurements, "reason")
                   for each in (table, blurred)]
        assert reasons[0] == reasons[1]


@pytest.mark.parametrize("seed", FEW)
def test_components_are_those_of_union_find(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 60))
    first, second = rng.integers(0, max(n, 1), (2, int(rng.integers(0, 60)) if n else 0))
    labels = components(n, first, second)
    nodes = [{"row_id": node} for node in range(n)]
    groups = groups_of(nodes, zip(first.tolist(), second.tolist(), strict=True))
    found = defaultdict(set)
    for node, label in enumerate(labels.tolist()):
        found[label].add(node)
    assert sorted(found) == list(range(len(groups)))
    assert set(map(frozenset, found.values())) == {
        frozenset(node["row_id"] for node in group) for group in groups}


def test_the_skies_are_as_hard_as_they_should_be():
    """What would prove nothing if it were not there."""
    tables = [sky(seed) for seed in FEW]
    assert [len(table) for table in tables[:2]] == [0, 1]
    seen = Counter()
    for seed, table in zip(FEW, tables, strict=True):
        seen.update(hard_things(table, policy_of(seed).radius_arcsec))
    assert min(seen.values()) >= 5, seen


def hard_things(table, radius):
    """How often there is what is easily got wrong."""
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    first, second, separation = pairs_within(ra, dec, radius * (1 + 1e-6))
    base = lonlat_to_healpix(Longitude(ra, u.deg), Latitude(dec, u.deg), 0)
    fine = lonlat_to_healpix(Longitude(ra, u.deg), Latitude(dec, u.deg), 10)
    off = np.abs(separation - radius)
    return {
        "north pole": int((dec == 90).sum()), "south pole": int((dec == -90).sum()),
        "across RA 0": int((np.abs(ra[first] - ra[second]) > 359).sum()),
        "largest RA": int((ra == LARGEST_RA).sum()),
        "across base pixels": int((base[first] != base[second]).sum()),
        "across pixels": int((fine[first] != fine[second]).sum()),
        "at the radius": int((off <= UNDECIDED).sum()),
        "beside the radius": int(((off > UNDECIDED) & (off < 3e-7 * radius)).sum()),
        "one position": int((separation == 0).sum()),
    }
