"""No point of a region lies outside the cone that services are asked for."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import angular_separation
from mocpy import MOC

from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Region
from pz_tsm_core.sources._cones import cone_of

random = np.random.default_rng(20)
ras = random.uniform(0, 360, 50_000)
decs = np.degrees(np.arcsin(random.uniform(-1, 1, 50_000)))


def apart(ra: float, dec: float):
    """Degrees between a place and each of the points."""
    return np.degrees(angular_separation(*map(np.radians, (ras, decs, ra, dec))))


def regions(kind: str):
    """Random regions, and which of the points lie in each."""
    for _ in range(60):
        if kind == "cone":
            cone = (random.uniform(0, 360), random.uniform(-90, 90), random.uniform(0.1, 100))
            yield Wanted(region=Region(cone=cone)), apart(*cone[:2]) <= cone[2]
        elif kind == "box":
            first, last = random.uniform(0, 360, 2)
            low, high = sorted(random.uniform(-90, 90, 2))
            within = ((ras - first) % 360 <= (last - first) % 360) & (decs >= low) & (decs <= high)
            yield Wanted(region=Region(box=(first, last, low, high))), within
        else:
            order = random.integers(0, 5)
            cells = np.unique((random.integers(12 * 4**order) + random.integers(0, 8, 4))
                              % (12 * 4**order))
            text = f"{order}/" + " ".join(map(str, cells))
            moc = MOC.from_string(text, "ascii")
            yield Wanted(moc=text), moc.contains_lonlat(ras * u.deg, decs * u.deg)


@pytest.mark.parametrize("kind", ["cone", "box", "moc"])
def test_a_region_lies_in_its_cone(kind):
    cones = 0
    for wanted, within in regions(kind):
        cone = cone_of(wanted)
        if cone is not None:
            cones += 1
            assert (apart(cone.ra, cone.dec) <= cone.radius)[within].all(), wanted
    assert cones > 20


def test_all_of_the_sky_is_no_cone():
    assert cone_of(Wanted()) is None
    assert cone_of(Wanted(region=Region(box=(0, 360, -10, 10)))) is None
    assert cone_of(Wanted(region=Region(cone=(10, 10, 90)))) is None


def test_a_cap_is_a_cone_about_the_pole():
    assert cone_of(Wanted(region=Region(box=(0, 360, -90, -80)))) == pytest.approx(
        (0, -90, 10.01), abs=1e-6)
