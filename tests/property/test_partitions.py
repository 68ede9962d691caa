"""No row of a region lies in a partition that is left out."""

from types import SimpleNamespace

import numpy as np
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, SkyCoord
from cdshealpix.nested import healpix_to_lonlat, lonlat_to_healpix
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mocpy import MOC

from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Region
from pz_tsm_core.sources._partitions import touching

ras = st.floats(0, 360)
decs = st.floats(-90, 90)
orders = st.integers(0, 9)
shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30)


def pixels_of(ra, dec, order):
    """The partitions of one order in which positions lie."""
    found = lonlat_to_healpix(Longitude(ra, u.deg), Latitude(dec, u.deg), order)
    return [SimpleNamespace(order=order, pixel=int(pixel)) for pixel in np.unique(found)]


def all_pixels(order):
    return [SimpleNamespace(order=order, pixel=pixel) for pixel in range(12 * 4**order)]


@given(ras, decs, st.floats(1e-4, 180), orders, shares)
@example(0.0, 90.0, 1.0, 3, [(0.5, 1.0)])
@example(123.0, -20.0, 160.0, 1, [(0.1, 1.0), (0.6, 1.0)])  # a MOC of it would miss a third
def test_no_partition_of_a_cone_is_left_out(ra, dec, radius, order, points):
    turn, part = np.array(points).T
    there = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        turn * 360 * u.deg, part * radius * u.deg)
    pixels = pixels_of(there.ra.deg, there.dec.deg, order)
    assert touching(pixels, Wanted(region=Region(cone=(ra, dec, radius)))) == pixels


@given(ras, ras, decs, decs, orders, shares)
@example(350.0, 10.0, -1.0, 1.0, 5, [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
@example(0.0, 360.0, 80.0, 90.0, 8, [(0.0, 0.5), (1.0, 1.0), (0.25, 0.01)])
def test_no_partition_of_a_box_is_left_out(first, last, one, other, order, points):
    assume(one != other)
    low, high = sorted((one, other))
    along, up = np.array(points).T
    width = last - first if last >= first else last - first + 360
    pixels = pixels_of((first + along * width) % 360, np.clip(low + up * (high - low), low, high),
                       order)
    assert touching(pixels, Wanted(region=Region(box=(first, last, low, high)))) == pixels


@given(st.lists(st.tuples(st.integers(0, 14), st.floats(0, 1, exclude_max=True)),
                min_size=1, max_size=8), orders)
def test_no_partition_of_a_moc_is_left_out(cells, order):
    depths = np.array([depth for depth, _ in cells], dtype=np.uint8)
    numbers = np.array([int(part * 12 * 4**depth) for depth, part in cells], dtype=np.uint64)
    ra, dec = healpix_to_lonlat(numbers, depths)
    moc = MOC.from_healpix_cells(numbers, depths, 14).to_string("ascii")
    pixels = pixels_of(ra.deg, dec.deg, order)
    assert touching(pixels, Wanted(moc=moc)) == pixels


def test_a_small_region_needs_few_partitions():
    everything = all_pixels(5)
    there = lonlat_to_healpix(Longitude(150.1, u.deg), Latitude(2.2, u.deg), 8)
    for wanted in (Wanted(region=Region(cone=(150.1, 2.2, 0.5))),
                   Wanted(region=Region(box=(149.6, 150.6, 1.7, 2.7))),
                   Wanted(moc=f"8/{there[0]}")):
        assert 1 <= len(touching(everything, wanted)) <= 4
    assert touching(everything, Wanted(rows=5)) == everything
    assert touching([], Wanted(region=Region(cone=(1.0, 1.0, 1.0)))) == []


def test_partitions_of_several_orders_keep_their_order():
    # In the middle of pixel 0, where its four parts meet.
    wanted = Wanted(region=Region(cone=(45.0, 41.81, 1.0)))
    chosen = touching([*all_pixels(0), *all_pixels(1)], wanted)
    assert [(pixel.order, pixel.pixel) for pixel in chosen] == [
        (0, 0), (1, 0), (1, 1), (1, 2), (1, 3)]
