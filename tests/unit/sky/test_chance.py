"""The estimate of wrong matches against skies of which it is known what belongs together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.sky.chance import AT_LEAST, AT_MOST, DIRECTIONS, shifted
from pz_tsm_core.sky.neighbors import find_neighbors
from pz_tsm_core.sky.objects import open_objects
from pz_tsm_core.sky.write import write_table_as_collection
from tests.unit.sky.test_match import PLAIN

#: Objects at random, in deg around (150, 0), beside those that are counterparts.
SIDE = 0.5
SIGMA = 0.15  # arcsec on each axis


def _square(rng, number, side=SIDE) -> tuple[np.ndarray, np.ndarray]:
    """On the equator a square is flat enough: 1e-5 of its area."""
    return 150 + rng.uniform(0, side, number), rng.uniform(0, side, number)


class Sky:
    """Objects at random; of some of them, and of nothing, redshifts."""

    def __init__(self, folder, *, seed, per_arcmin2, true, alone, beyond=0) -> None:
        rng = np.random.default_rng(seed)
        number = int(per_arcmin2 * (SIDE * 60) ** 2)
        self.ra, self.dec = _square(rng, number)
        self.counterpart = np.concatenate([rng.permutation(number)[:true],
                                           np.full(alone + beyond, -1)])
        lonely = _square(rng, alone)
        outside = _square(rng, beyond)
        error = rng.normal(0, SIGMA / 3600, (2, true))
        own = self.counterpart[:true]
        self.z_ra = np.concatenate([self.ra[own] + error[0], lonely[0], outside[0] + 5])
        self.z_dec = np.concatenate([self.dec[own] + error[1], lonely[1], outside[1]])
        objects = pa.table({"id": np.arange(number), "ra": self.ra, "dec": self.dec})
        write_table_as_collection(objects, folder / "objects", "objects", margin_arcsec=10.0)
        self.objects = open_objects(str(folder / "objects"))

    def match(self, **policy):
        row_id = np.arange(len(self.z_ra))
        table = pa.table({"row_id": row_id, "survey": ["s"] * len(row_id), "ra": self.z_ra,
                          "dec": self.z_dec})
        return find_neighbors(lambda names: iter([table.select(list(names))]), self.objects,
                              release=PLAIN, policy=MatchPolicy(**policy),
                              cluster=ClusterPolicy())

    def wrong(self, found) -> int:
        """How many are really wrong."""
        nearest = found.table.filter(pa.compute.equal(found.table["match_rank"], 1))
        return int((nearest["object_id"].to_numpy()
                    != self.counterpart[nearest["row_id"].to_numpy()]).sum())


def _within(estimate, real, *, sigmas=4.0) -> bool:
    """The truth scatters as a count does, and the estimate by no more than that."""
    return abs(estimate - real) < sigmas * np.sqrt(2 * max(real, 4))


@pytest.mark.parametrize(("per_arcmin2", "radius"), [(45, 1.0), (150, 1.0), (150, 2.0)])
def test_wrong_matches_are_as_many_as_there_are(tmp_path, per_arcmin2, radius) -> None:
    sky = Sky(tmp_path, seed=3, per_arcmin2=per_arcmin2, true=3600, alone=400)
    found = sky.match(radius_arcsec=radius)
    real = sky.wrong(found)
    assert real > 10
    assert _within(found.chance.wrong, real)
    assert found.chance.matched == len(set(found.table["row_id"].to_pylist()))
    assert found.chance.galaxies == 4000


def test_random_positions_have_an_object_as_often_as_poisson_says(tmp_path) -> None:
    sky = Sky(tmp_path, seed=4, per_arcmin2=150, true=0, alone=2400)
    chance = sky.match(radius_arcsec=1.0).chance
    p = 1 - np.exp(-np.pi * 150 / 3600)
    # Those shifted out of the square find nothing: 4 sides of 30 arcsec, one of four ways each.
    p *= 1 - 30 / (SIDE * 3600)
    assert chance.positions == 4 * 2400
    assert abs(chance.random - p) < 4 * np.sqrt(p * (1 - p) / chance.positions)


def test_galaxies_beyond_the_catalogue_are_not_exposed_to_chance(tmp_path) -> None:
    """By their share of all, they would make twice as many wrong matches of half as many."""
    sky = Sky(tmp_path, seed=5, per_arcmin2=150, true=1800, alone=200, beyond=4000)
    found = sky.match(radius_arcsec=1.0)
    real = sky.wrong(found)
    assert _within(found.chance.wrong, real)
    unheeding = 4200 * found.chance.random
    assert not _within(unheeding, real)


def test_without_galaxies_that_lack_an_object_only_nearer_ones_are_wrong(tmp_path) -> None:
    sky = Sky(tmp_path, seed=6, per_arcmin2=150, true=4000, alone=0)
    found = sky.match(radius_arcsec=1.0)
    analytic = 4000 * (1 - 1 / (1 + 2 * np.pi * 150 / 3600 * SIGMA**2))
    assert _within(found.chance.wrong, analytic)
    assert _within(found.chance.wrong, sky.wrong(found))


def test_pairs_are_those_of_the_galaxies_alone(tmp_path) -> None:
    sky = Sky(tmp_path, seed=7, per_arcmin2=45, true=300, alone=50)
    found = sky.match(radius_arcsec=1.0)
    theirs = SkyCoord(sky.ra, sky.dec, unit="deg")
    index, separation, _ = SkyCoord(sky.z_ra, sky.z_dec, unit="deg").match_to_catalog_sky(theirs)
    near = np.flatnonzero(separation < 1.0 * u.arcsec)
    assert dict(zip(found.table["row_id"].to_pylist(), found.table["object_id"].to_pylist(),
                    strict=True)) == dict(zip(near.tolist(), index[near].tolist(), strict=True))


@pytest.mark.parametrize("number", [100, 60_000, 1_200_000])
def test_so_many_are_shifted_and_they_are_the_same_in_any_order(number) -> None:
    rng = np.random.default_rng(8)
    row_id = rng.permutation(2**40 + np.arange(number))
    ra, dec = rng.uniform(0, 360, number), rng.uniform(-80, 80, number)
    positions = shifted(row_id, ra, dec, 1.0)
    sampled = set(row_id[positions.galaxy[positions.is_shifted]].tolist())
    assert len(sampled) == positions.is_shifted.sum() / len(DIRECTIONS)
    expected = min(number, max(number / 40, AT_LEAST), AT_MOST)
    assert abs(len(sampled) - expected) <= 5 * np.sqrt(expected) * (number > AT_LEAST)
    order = rng.permutation(number)
    again = shifted(row_id[order], ra[order], dec[order], 1.0)
    assert sampled == set(row_id[order][again.galaxy[again.is_shifted]].tolist())


def test_shifted_positions_are_thirty_arcsec_away_in_four_ways() -> None:
    row_id, ra, dec = np.arange(3), np.array([0.0, 10.0, 200.0]), np.array([89.999, -90.0, 0.0])
    positions = shifted(row_id, ra, dec, 1.0)
    assert positions.galaxy.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    centres = SkyCoord(ra[positions.galaxy], dec[positions.galaxy], unit="deg")
    there = SkyCoord(positions.ra, positions.dec, unit="deg")
    assert centres.separation(there).arcsec == pytest.approx([0, 30, 30, 30, 30] * 3, abs=1e-6)
    opposite = there[[1, 6, 11]].separation(there[[3, 8, 13]]).arcsec
    assert opposite == pytest.approx(60, abs=1e-3)
