"""Rows on the sky: counts against brute force, fields against the discs that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from pz_tsm_core.quality.cells import SkyTally, cell_area, cells_at, fields


def disc(ra: float, dec: float, radius: float, rows: int, seed: int = 1):
    """Positions in degrees within `radius` of a place, drawn by astropy."""
    rng = np.random.default_rng(seed)
    away = np.degrees(np.arccos(1 - rng.uniform(size=rows) * (1 - np.cos(np.radians(radius)))))
    drawn = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        rng.uniform(0, 360, rows) * u.deg, away * u.deg)
    return drawn.ra.deg, drawn.dec.deg


def tallied(ra, dec, **limits) -> SkyTally:
    tally = SkyTally(**limits)
    tally.add(ra, dec)
    return tally


@pytest.fixture(scope="module")
def sky():
    """20,000 positions all over the sky, poles and RA 0 among them."""
    rng = np.random.default_rng(2)
    ra = np.append(rng.uniform(0, 360, 20_000), [0.0, 360 - 1e-9, 10.0, 10.0])
    dec = np.append(np.degrees(np.arcsin(rng.uniform(-1, 1, 20_000))), [0.0, 0.0, 90.0, -90.0])
    return ra, dec


@pytest.mark.parametrize("order", [3, 8, 11])
def test_every_row_is_in_one_cell(sky, order) -> None:
    cells = tallied(*sky, finest=order).cells
    names, rows = np.unique(cells_at(*sky, order), return_counts=True)
    assert cells.index.tolist() == names.tolist()
    assert cells.rows.tolist() == rows.tolist()
    assert cells.at(*sky).min() >= 1


def test_a_coarse_cell_holds_its_four_children(sky) -> None:
    fine, coarse = tallied(*sky).cells, tallied(*sky, finest=5).cells
    assert fine.coarser(5).index.tolist() == coarse.index.tolist()
    assert fine.coarser(5).rows.tolist() == coarse.rows.tolist()
    assert fine.coarser(12) is fine


def test_memory_is_bounded_and_the_order_of_rows_has_no_say(sky) -> None:
    ra, dec = sky
    whole = tallied(ra, dec, max_cells=500).cells
    assert len(whole.index) <= 500 < len(tallied(ra, dec, finest=whole.order + 1).cells.index)
    shuffled, pieces = np.random.default_rng(3).permutation(len(ra)), SkyTally(max_cells=500)
    for rows in np.array_split(shuffled, 61):
        pieces.add(ra[rows], dec[rows])
    assert pieces.cells.order == whole.order
    assert pieces.cells.index.tolist() == whole.index.tolist()
    assert pieces.cells.rows.tolist() == whole.rows.tolist()


def test_a_full_sky_has_the_area_of_the_sky(sky) -> None:
    cells = tallied(*sky, finest=3).cells
    assert len(cells.index) == 768
    assert cells.area == pytest.approx(41_252.96, abs=0.01)
    assert cell_area(0) == pytest.approx(41_252.96 / 12, abs=0.01)


def test_the_area_of_a_disc_is_that_of_its_cells_and_their_rim() -> None:
    cells = tallied(*disc(200, -30, 5, 400_000)).cells.coarser(8)
    cap = 2 * np.pi * (1 - np.cos(np.radians(5))) * np.degrees(1) ** 2
    assert cap < cells.area < cap * 1.15


@pytest.mark.parametrize(("ra", "dec"), [(0.02, 10), (359.9, -0.1), (120, 89.6), (45, 41.8)])
def test_a_field_is_found_where_it_is_also_across_ra_zero_and_at_the_pole(ra, dec) -> None:
    found = fields(tallied(*disc(ra, dec, 0.8, 3000)).cells, 3)
    assert len(found) == 1
    offset = SkyCoord(found[0].ra, found[0].dec, unit="deg").separation(
        SkyCoord(ra, dec, unit="deg"))
    assert offset.deg < 0.05
    assert 0.8 < found[0].radius < 0.95
    assert found[0].rows == 3000


def test_fields_come_by_their_rows() -> None:
    places = [(10, 0, 100), (60, -40, 900), (200, 50, 300)]
    drawn = [disc(ra, dec, 0.5, rows) for ra, dec, rows in places]
    cells = tallied(*(np.concatenate(axis) for axis in zip(*drawn, strict=True))).cells
    assert [field.rows for field in fields(cells, 2)] == [900, 300]
    assert fields(tallied(np.empty(0), np.empty(0)).cells, 2) == []


def test_a_field_keeps_its_own_cells() -> None:
    near, far = disc(150, 2, 0.7, 500), disc(160, 2, 0.7, 400)
    cells = tallied(*(np.concatenate(axis) for axis in zip(near, far, strict=True))).cells
    for field in fields(cells, 2):
        assert cells.within(field).rows.sum() == field.rows
