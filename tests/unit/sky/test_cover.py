"""The cells of a cover hold every point of their disc, and nothing that is far from it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from cdshealpix.nested import vertices

from pz_tsm_core.sky.cover import Cover, cover_discs
from pz_tsm_core.sky.margin import INDEX_ORDER, cells_of
from pz_tsm_core.sphere import spatial_index

#: Poles, RA 0, corners where three or four base cells meet, seams of the polar cells, anywhere.
PLACES = [(0, 90), (123, -90), (0, 0), (359.99999999, 0), (45, 41.8103148957), (45, 0), (90, 41.81),
          (180, -41.8103148957), (0.0001, 89.9999), (225.0, 60.0), (270.00001, 89.0), (77.7, 12.3)]


def _discs(radius: float) -> SkyCoord:
    """Centres at these places, and up to a few radii around them."""
    rng = np.random.default_rng(int(radius * 1000))
    near = SkyCoord(np.repeat(np.array(PLACES, dtype=float), 20, axis=0), unit=u.deg)
    around = near.directional_offset_by(rng.uniform(0, 360, len(near)) * u.deg,
                                        rng.uniform(0, 3 * radius, len(near)) * u.arcsec)
    return SkyCoord(np.concatenate([near.ra, around.ra]), np.concatenate([near.dec, around.dec]))


@pytest.mark.parametrize("radius", [0.01, 0.75, 1.0, 1.61, 5.0, 60.0, 7200.0])
def test_every_point_of_a_disc_lies_in_a_cell_of_its_cover(radius) -> None:
    discs = _discs(radius)
    cover = cover_discs(discs.ra.deg, discs.dec.deg, radius)
    mine = set(zip(cover.disc.tolist(), cover.cells.tolist(), strict=True))
    assert len(mine) == len(cover.cells)  # each cell once
    rng = np.random.default_rng(1)
    for reach in (1.0, 1.0, 0.99, 0.5):  # most of all the rim
        points = discs.directional_offset_by(
            rng.uniform(0, 360, len(discs)) * u.deg, radius * reach * u.arcsec)
        cells = cells_of(spatial_index(points.ra.deg, points.dec.deg), cover.order)
        assert set(zip(range(len(discs)), cells.tolist(), strict=True)) <= mine


@pytest.mark.parametrize("radius", [0.75, 60.0, 7200.0])
def test_no_corner_of_a_cover_is_farther_than_it_says(radius) -> None:
    discs = _discs(radius)
    cover = cover_discs(discs.ra.deg, discs.dec.deg, radius)
    corners = SkyCoord(*vertices(cover.cells.astype(np.uint64), cover.order))
    away = corners.separation(discs[cover.disc][:, None]).arcsec
    assert away.max() <= cover.farthest_arcsec
    assert away.max() > cover.farthest_arcsec / 3  # it says something


def test_the_part_within_a_partition_is_that_of_the_cells_that_overlap_it() -> None:
    discs = _discs(5.0)
    cover = cover_discs(discs.ra.deg, discs.dec.deg, 5.0)
    assert (np.diff(cover.cells) >= 0).all()
    for order in (0, 3, cover.order, cover.order + 3):
        pixel = int(cover.cells[len(cover.cells) // 3]) << 2 * (INDEX_ORDER - cover.order)
        tile = pixel >> 2 * (INDEX_ORDER - order)
        first, last = tile << 2 * (INDEX_ORDER - order), (tile + 1) << 2 * (INDEX_ORDER - order)
        begins = [int(cell) << int(cover.shift) for cell in cover.cells]
        overlap = [(int(cell), int(disc)) for cell, disc, begin in
                   zip(cover.cells, cover.disc, begins, strict=True)
                   if begin < last and begin + (1 << int(cover.shift)) > first]
        part = cover.within(first, last)
        assert list(zip(part.cells.tolist(), part.disc.tolist(), strict=True)) == overlap


def test_no_positions_have_an_empty_cover() -> None:
    cover = cover_discs(np.empty(0), np.empty(0), 1.0)
    assert isinstance(cover, Cover)
    assert len(cover.cells) == len(cover.disc) == 0
