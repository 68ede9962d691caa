"""The match finds on small hard skies what looking at every position and object finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation

from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.sky.cluster import Pool
from pz_tsm_core.sky.lsdb_engine import find_pairs_with_lsdb
from pz_tsm_core.sky.nearest import match_tables
from pz_tsm_core.sky.objects import Objects, open_objects
from pz_tsm_core.sky.pairs import Pairs, find_pairs
from pz_tsm_core.sky.search import Criteria
from pz_tsm_core.sky.write import write_table_as_collection
from tests.property.skies import LARGEST_RA, policy_of, sky

#: Skies of the suite; 500 are for `make prove`. LSDB takes a second for each.
FEW, MANY, FEW_OF_LSDB = 50, 500, 6
SEEDS = [pytest.param(seed, marks=[pytest.mark.prove] if seed >= FEW + 2 else [])
         for seed in range(2, MANY + 2)]


#: Arcsec: of two objects in different places whose angles differ less, either may be the nearest.
BLUR = 1e-8


@dataclass(frozen=True)
class Case:
    """Positions, objects around them, what is a neighbour, and all angles."""

    seed: int
    ra: np.ndarray
    dec: np.ndarray
    table: pa.Table
    objects: Objects
    criteria: Criteria
    angles: np.ndarray

    @property
    def truth(self) -> list[tuple[int, int, int]]:
        """Position, id and rank of every pair that is to be found, in order."""
        ids = self.table["id"].to_numpy()
        near = self.near
        return [(position, int(ids[each]), rank)
                for position in range(len(self.ra))
                for rank, each in enumerate(sorted(
                    np.flatnonzero(near[position]),
                    key=lambda each, at=position: (self.angles[at, each], ids[each]),
                )[:self.criteria.n_neighbors])]

    @property
    def near(self) -> np.ndarray:
        """Whether an object is a neighbour of a position."""
        least = self.criteria.min_radius_arcsec
        return (self.angles <= self.criteria.radius_arcsec) & (self.angles > (least or -1))


def _case(seed: int, folder) -> Case:
    rng = np.random.default_rng([seed, 3])
    positions = sky(seed)
    ra, dec = (positions[name].to_numpy() for name in ("ra", "dec"))
    # Those skies have rows a radius apart, up to the rounding of floats: here they are nearer.
    radius = policy_of(seed).radius_arcsec * 1.0001
    object_ra, object_dec = _around(ra, dec, radius, rng)
    table = pa.table({"id": rng.choice(10**6, len(object_ra), replace=False) - 10**5,
                      "ra": object_ra, "dec": object_dec})
    table = table.append_column("value", pa.array(table["id"].to_numpy() * 2.5))
    write_table_as_collection(table, folder / "objects", "objects", margin_arcsec=radius * 1.01,
                              rows_per_partition=int(rng.choice([5, 40, 10_000])))
    angles = np.degrees(angular_separation(
        *np.radians([ra[:, None], dec[:, None]]),
        *np.radians([table["ra"].to_numpy()[None], table["dec"].to_numpy()[None]]))) * 3600
    order = np.lexsort((np.broadcast_to(object_ra, angles.shape), angles))
    apart = np.diff(np.take_along_axis(angles, order, axis=1), axis=1)
    elsewhere = (np.diff(object_ra[order], axis=1) != 0) | (np.diff(object_dec[order], axis=1) != 0)
    decided = ~((apart < BLUR) & elsewhere).any(axis=1)
    ra, dec, angles = ra[decided], dec[decided], angles[decided]
    criteria = Criteria(radius, float(rng.choice([0, 0, 0.3])) * radius, int(rng.choice([1, 1, 3])),
                        id="id")
    return Case(seed, ra, dec, table, open_objects(str(folder / "objects")), criteria, angles)


def _around(ra, dec, radius, rng) -> tuple[np.ndarray, np.ndarray]:
    """Objects up to twice the radius away, in the same place, and twice in the same place."""
    centres = SkyCoord(np.tile(ra, 3), np.tile(dec, 3), unit=u.deg)
    away = centres.directional_offset_by(rng.uniform(0, 360, len(centres)) * u.deg,
                                         rng.uniform(0.05, 2, len(centres)) * radius * u.arcsec)
    same = rng.integers(0, len(ra), len(ra) // 4)
    twice = rng.integers(0, len(away), len(away) // 10)
    return (np.concatenate([away.ra.deg, ra[same], away.ra.deg[twice]]).clip(0, LARGEST_RA),
            np.concatenate([away.dec.deg, dec[same], away.dec.deg[twice]]))


@pytest.fixture(scope="module", params=SEEDS)
def case(request, tmp_path_factory) -> Case:
    return _case(request.param, tmp_path_factory.mktemp("sky"))


def _by(engine, case: Case) -> Pairs:
    with ThreadPoolExecutor(2) as executor:
        return engine(case.ra, case.dec, case.objects, case.criteria, Pool(executor, 2))


def _told(pairs: Pairs) -> list[tuple[int, int, int]]:
    return list(zip(pairs.position.tolist(), pairs.neighbors.id.tolist(), pairs.rank.tolist(),
                    strict=True))


def test_neighbours_are_those_of_all_pairs_the_nearest_first(case) -> None:
    found = _by(find_pairs, case)
    assert _told(found) == case.truth
    place = {int(each): number for number, each in enumerate(case.table["id"].to_numpy())}
    angles = [case.angles[position, place[each]] for position, each, _ in case.truth]
    assert found.neighbors.separation == pytest.approx(np.array(angles), rel=1e-9, abs=1e-9)


def test_every_neighbour_is_counted_also_those_that_are_not_kept(case) -> None:
    found = _by(find_pairs, case)
    assert found.candidates.tolist() == case.near.sum(axis=1)[found.position].tolist()


def test_the_nearest_one_is_that_of_astropy(case) -> None:
    positions = SkyCoord(case.ra, case.dec, unit=u.deg)
    objects = SkyCoord(case.table["ra"].to_numpy(), case.table["dec"].to_numpy(), unit=u.deg)
    _, separation, _ = positions.match_to_catalog_sky(objects)
    nearest = case.criteria._replace(min_radius_arcsec=0.0, n_neighbors=1)
    found = _by(find_pairs, Case(**{**vars(case), "criteria": nearest}))
    assert found.position.tolist() == np.flatnonzero(
        separation.arcsec <= case.criteria.radius_arcsec).tolist()
    assert found.neighbors.separation == pytest.approx(
        separation.arcsec[found.position], rel=1e-6, abs=1e-6)


def test_lsdb_finds_the_same(case) -> None:
    if FEW_OF_LSDB + 2 <= case.seed < FEW + 2:
        pytest.skip("LSDB is asked on the first skies and, by `make prove`, on hundreds more")
    # It keeps any of several in the same place: these are told by their separation.
    ours, theirs = (_by(engine, case) for engine in (find_pairs, find_pairs_with_lsdb))
    assert theirs.position.tolist() == ours.position.tolist()
    assert theirs.neighbors.separation == pytest.approx(ours.neighbors.separation)


@pytest.mark.parametrize("how", ["inner", "left"])
def test_rows_and_payload_stand_side_by_side(case, how) -> None:
    left = pa.table({"position": np.arange(len(case.ra)), "ra": case.ra, "dec": case.dec})
    parts = list(match_tables(
        left, case.objects, ra="ra", dec="dec", columns=["value", "id"], id_column="id", how=how,
        radius_arcsec=case.criteria.radius_arcsec, n_neighbors=case.criteria.n_neighbors,
        min_radius_arcsec=case.criteria.min_radius_arcsec, cluster=ClusterPolicy(kind="threads")))
    rows = [row for mine, theirs, _ in parts for row in zip(
        mine["position"].to_pylist(), theirs["id"].to_pylist(), theirs["value"].to_pylist(),
        strict=True)]
    truth = [(position, each, each * 2.5) for position, each, _ in case.truth]
    if how == "left":
        truth += [(int(alone), None, None) for alone in np.flatnonzero(~case.near.any(axis=1))]
    assert sorted(rows, key=repr) == sorted(truth, key=repr)
    separations = np.concatenate([part[2] for part in parts] or [np.empty(0)])
    assert np.isnan(separations).tolist() == [row[1] is None for row in rows]
