"""Pairs and groups on the sphere, against brute force and astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation

from pz_tsm_core.errors import TsmError
from pz_tsm_core.ops import associate, crowd
from pz_tsm_core.ops.associate import components, links_within, pairs_within
from pz_tsm_core.ops.reach import Reach, one_radius
from pz_tsm_core.sphere import separation_arcsec, unit_vectors


def _generated_sky(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A small sky in one hard place: a pole, RA 0, a HEALPix corner, or anywhere, with repeats."""
    rng = np.random.default_rng(seed)
    centre = [(123.4, 90.0), (17.0, -90.0), (0.0, 0.0), (45.0, 41.8103149), (359.9999, -33.0),
              (rng.uniform(0, 360), rng.uniform(-90, 90))][seed % 6]
    n = int(rng.integers(0, 60))
    offset = rng.normal(scale=2.0 / 3600, size=(n, 2))
    dec = centre[1] + offset[:, 1]
    over = np.abs(dec) > 90
    dec = np.where(over, np.sign(dec) * 180 - dec, dec)
    squeeze = np.maximum(np.cos(np.radians(dec)), 1e-9)
    ra = (centre[0] + offset[:, 0] / squeeze + 180 * over) % 360
    again = rng.integers(0, n, size=n // 4) if n else np.empty(0, dtype=int)
    return np.concatenate([ra, ra[again]]), np.concatenate([dec, dec[again]])


def _brute_force(ra: np.ndarray, dec: np.ndarray, radius: float) -> set[tuple[int, int]]:
    lon, lat = np.radians(ra), np.radians(dec)
    found = set()
    for i in range(len(ra)):
        angle = angular_separation(lon[i], lat[i], lon[i + 1:], lat[i + 1:])
        near = np.flatnonzero(np.degrees(angle) * 3600 <= radius)
        found |= {(i, i + 1 + int(j)) for j in near}
    return found


@pytest.mark.parametrize("seed", range(60))
def test_pairs_are_those_of_brute_force(seed: int) -> None:
    ra, dec = _generated_sky(seed)
    first, second, separation = pairs_within(ra, dec, 0.75)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == _brute_force(ra, dec, 0.75)
    assert len(first) == len(set(zip(first.tolist(), second.tolist(), strict=True)))
    assert (first < second).all()
    assert (separation <= 0.75).all()


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(60, 1060))
def test_pairs_are_those_of_brute_force_on_a_thousand_skies(seed: int) -> None:
    ra, dec = _generated_sky(seed)
    first, second, _ = pairs_within(ra, dec, 0.75)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == _brute_force(ra, dec, 0.75)


def test_separation_is_that_of_astropy() -> None:
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 1000), np.degrees(np.arcsin(rng.uniform(-1, 1, 1000)))
    ra2, dec2 = ra + rng.normal(scale=1e-3, size=1000), np.clip(dec + 1e-4, -90, 90)
    expected = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg"))
    assert np.allclose(separation_arcsec(ra, dec, ra2, dec2), expected.to_value(u.arcsec),
                       rtol=1e-9, atol=1e-9)


def test_unit_vectors_are_those_of_astropy() -> None:
    ra, dec = np.array([0.0, 90.0, 217.3]), np.array([0.0, 90.0, -45.6])
    expected = SkyCoord(ra, dec, unit="deg").cartesian.xyz.T.value
    assert np.allclose(unit_vectors(ra, dec), expected, atol=1e-15)


def test_a_chain_is_one_group_whatever_the_distance_of_its_ends() -> None:
    dec = np.arange(6) * 0.7 / 3600
    first, second, _ = pairs_within(np.zeros(6), dec, 0.75)
    assert len(first) == 5  # neighbours only
    assert len(set(components(6, first, second))) == 1


def test_a_placeholder_position_of_thousands_of_rows_is_refused_before_memory_is_gone() -> None:
    with pytest.raises(TsmError, match="placeholder"):
        pairs_within(np.zeros(20_000), np.zeros(20_000), 0.75)


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_and_one_have_no_pairs(n: int) -> None:
    first, second, separation = pairs_within(np.zeros(n), np.zeros(n), 1.0)
    assert len(first) == len(second) == len(separation) == 0
    assert len(components(n, first, second)) == n


def _clumps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to a thousand positions in a few clumps, some thin and some dense, at a hard place."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 1000)), int(rng.integers(1, 6))
    centres = rng.uniform(-3, 3, (k, 2)) * rng.choice([1, 5])
    offset = centres[rng.integers(0, k, n)] + rng.normal(0, rng.uniform(0.1, 2), (n, 2))
    east, north = offset.T / 3600
    dec = rng.choice([-90.0, 0.0, 41.8103149, 89.98])
    if dec == -90:
        return np.degrees(np.arctan2(north, east)) % 360, dec + np.hypot(east, north)
    dec = dec + north
    return (east / np.cos(np.radians(dec))) % 360, dec


def _partition(label: np.ndarray) -> list[int]:
    """The first member of the group of each."""
    _, first, of = np.unique(label, return_index=True, return_inverse=True)
    return first[of].tolist()


@pytest.mark.parametrize("seed", range(30))
def test_neither_bands_nor_crowds_change_the_components(seed: int, monkeypatch) -> None:
    rng = np.random.default_rng(seed)
    ra, dec = _clumps(seed)
    first, second, _ = pairs_within(ra, dec, 0.75)
    expected = _partition(components(len(ra), first, second))
    listed = set()
    monkeypatch.setattr(crowd, "FULL", int(rng.integers(1, 16)))
    monkeypatch.setattr(crowd, "CROWD", int(rng.integers(1, 60)))
    for rows in (5, 50, 10_000):
        monkeypatch.setattr(associate, "BAND_ROWS", rows)
        monkeypatch.setattr(crowd, "BLOCK_PAIRS", 7 * rows)
        links = links_within(ra, dec, one_radius(0.75))
        assert _partition(links.components(len(ra))) == expected
        assert len(links.first) + links.unlisted == len(first)
        listed.add(tuple(sorted(zip(links.first.tolist(), links.second.tolist(), strict=True))))
    assert len(listed) == 1  # what is listed is no matter of bands either
    assert set(listed.pop()) <= set(zip(first.tolist(), second.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("joined", ["larger", "quadrature"])
def test_a_radius_for_every_pair_holds_in_crowds_too(seed: int, joined, monkeypatch) -> None:
    rng = np.random.default_rng(seed)
    ra, dec = _clumps(seed)
    own = rng.uniform(0.3, 1.0, len(ra))
    monkeypatch.setattr(crowd, "FULL", int(rng.integers(1, 16)))
    monkeypatch.setattr(crowd, "CROWD", int(rng.integers(1, 60)))
    first, second, separation = pairs_within(ra, dec, 1.0)
    if joined == "larger":
        near = separation <= np.maximum(own[first], own[second])
        reach = Reach(own.min(), own.max(), own, joined)
    else:
        limit = np.clip(np.sqrt(own[first] ** 2 + own[second] ** 2), 0.3, 1.0)
        near, reach = separation <= limit, Reach(0.3, 1.0, own, joined)
    expected = _partition(components(len(ra), first[near], second[near]))
    links = links_within(ra, dec, reach)
    assert _partition(links.components(len(ra))) == expected
    assert set(zip(links.first.tolist(), links.second.tolist(), strict=True)) <= set(
        zip(first[near].tolist(), second[near].tolist(), strict=True))


def test_ten_thousand_on_one_spot_are_one_group_without_a_list_of_their_pairs() -> None:
    rng = np.random.default_rng(1)
    dec = rng.uniform(0, 1e-9, 10_000)
    links = links_within(np.zeros(10_000), dec, one_radius(0.75))
    assert links.components(10_000).max() == 0
    assert (len(links.first), links.unlisted) == (0, 10_000 * 9_999 // 2)


def test_two_crowds_a_hair_apart_stay_two() -> None:
    rng = np.random.default_rng(1)
    ra = np.concatenate([rng.uniform(0, 0.1, 500), rng.uniform(0.851, 0.951, 500)]) / 3600
    dec = rng.uniform(0, 1e-9, 1000)
    label = links_within(ra, dec, one_radius(0.75)).components(1000)
    assert len(set(label[:500])) == len(set(label[500:])) == 1
    assert label[0] != label[500]


def test_a_hundred_visits_of_one_object_are_listed_all() -> None:
    links = links_within(np.zeros(100), np.arange(100) * 1e-7, one_radius(0.75))
    assert (len(links.first), links.unlisted) == (4950, 0)
