"""Offsets of surveys against shifts that astropy has put in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.sky.neighbors import find_neighbors
from pz_tsm_core.sky.objects import open_objects
from pz_tsm_core.sky.offsets import FEWEST, Offset, Surveys, measure_offsets, moved
from pz_tsm_core.sky.write import write_table_as_collection
from tests.unit.sky.test_match import BOTH, PLAIN

SHIFT = 0.6  # arcsec

PLACES = [(150.0, 2.0), (0.0, 0.0), (0.0, 60.0), (77.0, 89.9999), (300.0, -89.9999), (0.0, -90.0)]


def _around(ra, dec, number, rng) -> SkyCoord:
    """Positions within some arcmin of a place."""
    return SkyCoord(ra, dec, unit="deg").directional_offset_by(
        rng.uniform(0, 360, number) * u.deg, rng.uniform(1, 200, number) * u.arcsec)


@pytest.mark.parametrize("place", PLACES)
def test_what_was_put_in_is_measured(place) -> None:
    rng = np.random.default_rng(1)
    there = _around(*place, 300, rng)
    code = rng.integers(0, 2, 300)
    put = {"a": (0.3, -0.2), "b": (-0.05, 0.0)}
    east, north = (np.array([put["ab"[each]][axis] for each in code])
                   + rng.normal(0, 0.01, 300) for axis in (0, 1))
    objects = there.spherical_offsets_by(east * u.arcsec, north * u.arcsec)
    found = measure_offsets(there.ra.deg, there.dec.deg, objects.ra.deg, objects.dec.deg,
                            Surveys(["a", "b"], code))
    for number, survey in enumerate("ab"):
        mine = code == number
        assert found[survey].pairs == mine.sum()
        assert found[survey].east == pytest.approx(np.median(east[mine]), abs=1e-6)
        assert found[survey].north == pytest.approx(np.median(north[mine]), abs=1e-6)


@pytest.mark.parametrize("place", PLACES)
def test_moved_positions_are_those_of_astropy(place) -> None:
    there = _around(*place, 50, np.random.default_rng(2))
    surveys = Surveys(["a", "b"], np.arange(50) % 2)
    ra, dec = moved(there.ra.deg, there.dec.deg, surveys, {"b": Offset(0.4, -0.7, 20)})
    expected = there.spherical_offsets_by(
        0.4 * surveys.code * u.arcsec, -0.7 * surveys.code * u.arcsec)
    assert (SkyCoord(ra, dec, unit="deg").separation(expected).arcsec < 1e-6).all()
    assert (ra[::2] == there.ra.deg[::2]).all()
    assert (dec[::2] == there.dec.deg[::2]).all()
    assert ((ra >= 0) & (ra <= 360)).all()


def test_few_pairs_are_not_measured() -> None:
    number = 2 * FEWEST - 1
    ra, dec = np.linspace(10, 11, number), np.zeros(number)
    surveys = Surveys(["few", "enough", "none"], (np.arange(number) % 2 == 0).astype(np.intp))
    found = measure_offsets(ra, dec, ra, dec + 1 / 3600, surveys)
    assert set(found) == {"enough"}
    assert found["enough"] == pytest.approx((0, 1, FEWEST), abs=1e-6)


@pytest.fixture(scope="module", params=[(359.9, 0.0), (40.0, -89.7)], ids=["ra 0", "pole"])
def sky(request, tmp_path_factory):
    """Objects, and three surveys of them: as they are, shifted, and shifted but few."""
    rng = np.random.default_rng(3)
    centre = SkyCoord(*request.param, unit="deg")
    number = 900
    there = centre.directional_offset_by(rng.uniform(0, 360, number) * u.deg,
                                         np.sqrt(rng.uniform(0, 1, number)) * 0.5 * u.deg)
    folder = tmp_path_factory.mktemp("sky")
    write_table_as_collection(
        pa.table({"id": np.arange(number), "ra": there.ra.deg, "dec": there.dec.deg}),
        folder / "objects", "objects", rows_per_partition=100)
    survey = np.array(["straight"] * 400 + ["shifted"] * 480 + ["few"] * 20)
    shift = np.where(survey == "straight", 0, -SHIFT)
    error = rng.normal(0, 0.15, (2, number))
    # Of the few so many are matched, fewer than 20.
    shift = np.where((survey == "few") & (np.arange(number) % 2 == 0), -9, shift)
    seen = there.spherical_offsets_by((shift + error[0]) * u.arcsec, error[1] * u.arcsec)
    table = pa.table({"row_id": 10**12 + np.arange(number), "survey": survey.tolist(),
                      "ra": seen.ra.deg, "dec": seen.dec.deg})
    return table, open_objects(str(folder / "objects"))


def _find(sky, table=None, **policy):
    table = sky[0] if table is None else table
    return find_neighbors(lambda names: iter([table.select(list(names))]), sky[1], release=PLAIN,
                          policy=MatchPolicy(**policy), cluster=ClusterPolicy())


def _rows(found) -> dict[int, tuple[int, float]]:
    return {row["row_id"]: (row["object_id"], row["separation"])
            for row in found.table.to_pylist()}


@BOTH
def test_a_shifted_survey_is_matched_as_well_as_one_that_is_not(sky, engine) -> None:
    survey = dict(zip(sky[0]["row_id"].to_pylist(), sky[0]["survey"].to_pylist(), strict=True))
    plain = _find(sky, radius_arcsec=1.0, engine=engine)
    fitted = _find(sky, radius_arcsec=1.0, offsets="fit", engine=engine)
    assert fitted.offsets["shifted"].east == pytest.approx(SHIFT, abs=4 * 1.25 * 0.15 / 480**0.5)
    assert fitted.offsets["shifted"].north == pytest.approx(0, abs=4 * 1.25 * 0.15 / 480**0.5)
    assert "few" not in fitted.offsets
    before, after = _rows(plain), _rows(fitted)
    mine = [row for row, name in survey.items() if name == "shifted"]
    # Rayleigh: beyond 1 arcsec are exp(-1 / (2 * 0.15 ** 2)) = 2e-10 of them.
    assert all(row in after and after[row][0] == row - 10**12 for row in mine)
    assert not all(row in before for row in mine)
    assert np.median([after[row][1] for row in mine]) == pytest.approx(0.15 * 1.1774, abs=0.02)
    few = [row for row, name in survey.items() if name == "few"]
    assert {row: before.get(row) for row in few} == {row: after.get(row) for row in few}


def test_both_engines_fit_the_same(sky) -> None:
    ours, theirs = (_find(sky, offsets="fit", engine=engine) for engine in ("range", "lsdb"))
    assert set(ours.offsets) == set(theirs.offsets)
    for survey, offset in ours.offsets.items():
        assert theirs.offsets[survey] == pytest.approx(offset, abs=1e-9)
    pairs, others = _rows(ours), _rows(theirs)
    assert {row: each for row, (each, _) in pairs.items()} == {
        row: each for row, (each, _) in others.items()}
    assert theirs.chance == ours.chance


def test_the_order_of_the_rows_has_no_say(sky) -> None:
    table = sky[0]
    mixed = table.take(pa.array(np.random.default_rng(4).permutation(len(table))))
    straight, other = _find(sky, offsets="fit"), _find(sky, mixed, offsets="fit")
    assert straight.offsets == other.offsets
    assert _rows(straight) == _rows(other)
