"""Pairs and groups on the sphere, against brute force and astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation

from pz_tsm_core.errors import TsmError
from pz_tsm_core.ops.associate import components, pairs_within, separation_arcsec, unit_vectors


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
