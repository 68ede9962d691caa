"""No point of a region lies outside the box that services are asked for."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, SkyCoord
from cdshealpix.nested import healpix_to_lonlat, vertices
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mocpy import MOC

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Region
from pz_tsm_core.surveys.enclosing import Box, box_of

ras = st.floats(0, 360)
decs = st.floats(-90, 90)
radii = st.floats(1e-4, 180)
turns = st.lists(st.tuples(st.floats(0, 360), st.floats(0, 1)), min_size=1, max_size=50)


def inside(box: Box, ra, dec):
    ra = np.asarray(ra) % 360
    within = np.any([(ra >= first) & (ra <= last) for first, last in box.ra], axis=0)
    return within & (dec >= box.dec[0]) & (dec <= box.dec[1])


def area(box: Box) -> float:
    low, high = np.radians(box.dec)
    return sum(last - first for first, last in box.ra) * np.degrees(np.sin(high) - np.sin(low))


@given(ras, decs, radii, turns)
@example(0.0, 0.0, 1.0, [(270.0, 1.0), (90.0, 1.0)])
@example(10.0, 89.5, 1.0, [(0.0, 1.0), (180.0, 1.0)])
@example(10.0, -89.0, 1.0, [(180.0, 1.0), (181.0, 1.0)])
@example(359.9, 60.0, 29.9, [(90.0, 1.0), (20.0, 1.0), (340.0, 1.0)])
def test_a_cone_lies_in_its_box(ra, dec, radius, points):
    box = box_of(Wanted(region=Region(cone=(ra, dec, radius))))
    angle, part = np.array(points).T
    centre = SkyCoord(ra, dec, unit="deg")
    there = centre.directional_offset_by(angle * u.deg, part * radius * u.deg)
    assert inside(box, there.ra.deg, there.dec.deg).all()


@given(ras, ras, decs, decs, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
@example(350.0, 10.0, -1.0, 1.0, [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
@example(0.0, 360.0, -90.0, 90.0, [(0.0, 0.0), (1.0, 1.0)])
def test_a_box_lies_in_its_box(first, last, one, other, parts):
    assume(one != other)
    low, high = sorted((one, other))
    box = box_of(Wanted(region=Region(box=(first, last, low, high))))
    width = last - first if last >= first else last - first + 360
    along, up = np.array(parts).T
    assert inside(box, first + along * width, np.clip(low + up * (high - low), low, high)).all()


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1, exclude_max=True)),
                min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_a_moc_lies_in_its_box(cells, random):
    orders = np.array([order for order, _ in cells], dtype=np.uint8)
    numbers = np.array([int(part * 12 * 4**order) for order, part in cells], dtype=np.uint64)
    box = box_of(Wanted(moc=MOC.from_healpix_cells(numbers, orders, 9).to_string("ascii")))
    # Centres of small cells within, which ones by chance.
    deep = [(int(number) << 2 * (13 - int(order))) + random.randrange(4 ** (13 - int(order)))
            for order, number in zip(orders, numbers, strict=True) for _ in range(20)]
    lon, lat = healpix_to_lonlat(np.array(deep, dtype=np.uint64), 13)
    assert inside(box, lon.deg, lat.deg).all()


@pytest.mark.parametrize("moc", ["0/0", "0/3", "0/4", "0/8", "1/3 1/7 1/11 1/15", "2/15", "3/12"])
def test_the_border_of_a_moc_lies_in_its_box(moc):
    box, deep = box_of(Wanted(moc=moc)), MOC.from_string(moc, "ascii").refine_to_order(7)
    lon, lat = vertices(deep.flatten(), 7)
    # At a pole, and on the border of a cell, ra may be told as of the cell beside.
    inner = np.abs(lat.deg) < 90
    assert inside(box, lon.deg[inner], lat.deg[inner]).all()


@pytest.mark.parametrize(("ra", "dec", "radius"), [(0.1, 0, 0.3), (120, 45, 2), (359.95, -60, 0.1)])
def test_the_box_of_a_small_cone_is_small(ra, dec, radius):
    box = box_of(Wanted(region=Region(cone=(ra, dec, radius))))
    assert area(box) < 1.3 * (2 * radius) ** 2


def test_the_box_of_fields_on_both_sides_of_ra_0_is_across_it():
    centres = Longitude([359, 1], u.deg), Latitude([0, 0], u.deg)
    fields = MOC.from_cones(*centres, radius=0.5 * u.deg, max_depth=10,
                            union_strategy="small_cones")
    box = box_of(Wanted(moc=fields.to_string("ascii")))
    assert len(box.ra) == 2
    assert area(box) < 20


def test_a_box_that_holds_a_pole_has_every_ra():
    assert box_of(Wanted(region=Region(cone=(10, 89.5, 0.6)))).all_ra


def test_all_of_a_catalogue_has_no_box():
    assert box_of(Wanted()) is None
    assert box_of(Wanted(rows=10)) is None


@pytest.mark.parametrize("moc", ["nonsense", "3/", "2/500"])
def test_what_is_no_moc_is_refused(moc):
    with pytest.raises(TsmError) as refused:
        box_of(Wanted(moc=moc))
    assert refused.value.codes == (Code.VALUE_RANGE,)
