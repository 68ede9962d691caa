"""The margin loses nothing: checked by definition, not by the way it is made."""

from itertools import pairwise

import cdshealpix
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core.hats_library import hats
from pz_tsm_core.sky.margin import INDEX_ORDER, Tiling, cell_order, margin_rows, on_border
from pz_tsm_core.sky.partition import plan_partitions
from pz_tsm_core.sphere import Tile, spatial_index

#: Where partitions meet in unusual ways, ICRS degrees.
HARD_PLACES = {
    "north pole": (12.0, 90.0),
    "south pole": (300.0, -90.0),
    "RA 0": (0.0, 13.0),
    "vertex of four base pixels": (45.0, 0.0),
    "vertex of three base pixels": (90.0, np.degrees(np.arcsin(2 / 3))),
    "its southern sister": (180.0, -np.degrees(np.arcsin(2 / 3))),
    "seam between polar base pixels": (270.0, 77.0),
    "nowhere in particular": (201.7, -33.3),
}


def scatter(ra, dec, radius_deg, n, rng):
    """Points within a radius, dense towards the centre (astropy's spherical offsets)."""
    distance = radius_deg * rng.random(n) * u.deg
    centre = SkyCoord(np.full(n, ra), np.full(n, dec), unit="deg")
    moved = centre.directional_offset_by(rng.uniform(0, 360, n) * u.deg, distance)
    return moved.ra.deg % 360, moved.dec.deg


def margins_of(index, margin_arcsec, rows_per_partition):
    order = cell_order(margin_arcsec)
    tiles = plan_partitions(index, rows_per_partition, order - 1)
    near = np.zeros(len(index), dtype=bool)
    for tile in tiles:
        first, last = np.searchsorted(index, tile.range_at(INDEX_ORDER))
        near[first:last] = on_border(index[first:last], tile, order)
    near = np.flatnonzero(near)
    rows = margin_rows(index[near], Tiling(tiles, order))
    return tiles, {tile: near[taken] for tile, taken in rows.items()}


def holder(tiles, place):
    """The tile that holds a place, by trying all of them."""
    for tile in tiles:
        low, high = tile.range_at(INDEX_ORDER)
        if low <= place < high:
            return tile
    return None


#: As wide as cells of order 12 allow: one more per mille and the order would be 11.
WIDEST = 0.999 * np.degrees(np.sqrt(np.pi / 3) / 2**12) * 3600 / 1.6


@pytest.mark.parametrize("margin_arcsec", [0.5, 5.0, WIDEST, 60.0, 3600.0])
@pytest.mark.parametrize("place", HARD_PLACES)
def test_whatever_is_within_the_margin_is_in_the_partition_or_its_margin(place, margin_arcsec):
    """From any place on the sky, inside or outside the catalogue, every near row is found."""
    rng = np.random.default_rng(7)
    ra, dec = scatter(*HARD_PLACES[place], 30 * margin_arcsec / 3600, 400, rng)
    index = np.sort(spatial_index(ra, dec))
    order = np.argsort(spatial_index(ra, dec), kind="stable")
    ra, dec = ra[order], dec[order]
    tiles, margins = margins_of(index, margin_arcsec, 30)
    held = {tile: set(np.flatnonzero((index >= tile.range_at(INDEX_ORDER)[0])
                                     & (index < tile.range_at(INDEX_ORDER)[1]))) for tile in tiles}
    everywhere = [*tiles, *(tile for tile in margins if tile not in tiles)]
    rows = rng.integers(0, len(ra), 1500)
    seekers = SkyCoord(ra[rows], dec[rows], unit="deg").directional_offset_by(
        rng.uniform(0, 360, len(rows)) * u.deg,
        margin_arcsec * np.sqrt(rng.random(len(rows))) * (1 - 1e-6) * u.arcsec)
    for row, seeker in zip(rows, spatial_index(seekers.ra.deg % 360, seekers.dec.deg), strict=True):
        tile = holder(everywhere, seeker)
        assert tile is not None
        assert row in held.get(tile, ()) or row in margins.get(tile, ())


@pytest.mark.parametrize("place", HARD_PLACES)
def test_the_margin_of_a_partition_is_the_one_that_hats_defines(place):
    rng = np.random.default_rng(11)
    margin_arcsec = 300.0
    ra, dec = scatter(*HARD_PLACES[place], 6.0, 4000, rng)
    index = np.sort(spatial_index(ra, dec))
    order = cell_order(margin_arcsec)
    tiles, margins = margins_of(index, margin_arcsec, 300)
    cells = index >> (2 * (INDEX_ORDER - order))
    for tile in tiles:
        border = hats.pixel_math.get_margin(tile.order, tile.pixel, order - tile.order)
        expected = np.flatnonzero(np.isin(cells, border))
        assert sorted(margins.get(tile, ())) == list(expected)


@pytest.mark.parametrize("place", HARD_PLACES)
def test_margins_outside_the_catalogue_lie_in_the_largest_free_tiles(place):
    rng = np.random.default_rng(13)
    ra, dec = scatter(*HARD_PLACES[place], 3.0, 100, rng)
    tiles, margins = margins_of(np.sort(spatial_index(ra, dec)), 1000.0, 2)
    ranges = [tile.range_at(INDEX_ORDER) for tile in tiles]
    free = [tile for tile in margins if tile not in tiles]
    assert free
    for tile in free:
        low, high = tile.range_at(INDEX_ORDER)
        assert not any(low < end and start < high for start, end in ranges)
        if tile.order > 0:
            low, high = Tile(tile.order - 1, tile.pixel // 4).range_at(INDEX_ORDER)
            assert any(low < end and start < high for start, end in ranges)


def test_all_over_the_sky_what_is_a_margin_away_from_a_cell_lies_in_its_neighbours():
    """All cells of one order, the widest margin they serve, circles around their outlines."""
    order = 4
    cells = np.arange(12 * 4**order, dtype=np.uint64)
    margin = 0.999 * np.degrees(np.sqrt(np.pi / 3) / 2**order) / 1.6 * u.deg
    assert cell_order(margin.to_value(u.arcsec)) == order
    star = cdshealpix.neighbours(cells, order)
    outline = SkyCoord(*cdshealpix.vertices(cells, order, 4))
    for angle in np.arange(0, 360, 6) * u.deg:
        near = outline.directional_offset_by(angle, margin)
        held = cdshealpix.lonlat_to_healpix(near.ra, near.dec, order).astype(np.int64)
        assert (held[:, :, None] == star[:, None, :]).any(axis=2).all()


@given(margin=st.floats(0.01, 3600))
def test_cells_are_wide_enough_for_the_margin_even_next_to_the_poles(margin):
    # 0.689 / nside rad: the least width of a cell, from the Jacobian of the polar projection at
    # the seam (Gorski et al. 2005, equation 9 onwards), against 1.0233 / nside for its mean size.
    assert np.degrees(0.689 / 2 ** cell_order(margin)) * 3600 > margin


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 50))
def test_a_plan_holds_every_row_once_in_tiles_that_do_not_overlap(seed, rows):
    rng = np.random.default_rng(seed)
    index = np.sort(rng.integers(0, 12 * 4**INDEX_ORDER, 300))
    tiles = plan_partitions(index, rows, 10)
    counts = [np.diff(np.searchsorted(index, tile.range_at(INDEX_ORDER)))[0] for tile in tiles]
    assert sum(counts) == len(index)
    assert all(0 < count <= rows or tile.order == 10
               for count, tile in zip(counts, tiles, strict=True))
    ranges = sorted(tile.range_at(INDEX_ORDER) for tile in tiles)
    assert all(first[1] <= second[0] for first, second in pairwise(ranges))


def test_cells_are_those_that_hats_takes_for_a_margin() -> None:
    """Its `margin2order`, from a thousandth of an arcsecond to half the sky."""
    theirs = hats.pixel_math.healpix_shim.margin2order
    for margin in 10 ** np.random.default_rng(3).uniform(-3, 5, 300):
        assert cell_order(margin) == int(theirs(margin / 60))
