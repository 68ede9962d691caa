"""Which surveys are meant: by place against a brute-force search, by range, words and kind."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord, angular_separation

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.document import checked
from pz_tsm_core.model.quality import InstrumentType
from pz_tsm_core.model.survey import Region, Survey
from pz_tsm_core.surveys import Search, parse_survey, position_of, registry, search
from pz_tsm_core.surveys.region import distance

BOXES = [(150, 160, -5, 5), (350, 10, -30, -20), (0, 360, -90, 90), (0, 360, -90, 0),
         (20, 300, 60, 90), (359, 2, 85, 90), (10, 15, -90, -70), (300, 105, -65, -40),
         (100, 100, 10, 20)]
CONES = [(150.1, 2.2, 1.0), (0.5, 0.0, 2.0), (200, 89.5, 1.0), (0, -90, 3), (45, 10, 120)]


def grid(box):
    """Points all over a box, its edges included, half a degree apart or closer."""
    first, last, low, high = box
    width = (last - first) if last >= first else last - first + 360
    ra = (first + np.linspace(0, width, max(2, int(2 * width)))) % 360
    dec = np.linspace(low, high, max(2, int(2 * (high - low))))
    return np.meshgrid(ra, dec)


def places(seed):
    """Positions all over the sky, close to the poles and to RA 0 too."""
    random = np.random.default_rng(seed)
    ra = np.concatenate([random.uniform(0, 360, 40), random.uniform(-2, 2, 20) % 360,
                         [0, 0, 359.999, 105.5]])
    dec = np.concatenate([np.degrees(np.arcsin(random.uniform(-1, 1, 40))),
                          random.choice([-1, 1], 20) * random.uniform(86, 90, 20),
                          [90, -90, 0, -50]])
    return list(zip(ra, dec, strict=True))


@pytest.mark.parametrize("box", BOXES)
def test_a_box_is_as_far_as_the_nearest_of_all_its_points(box):
    ra, dec = grid(box)
    for at in places(1):
        brute = np.degrees(angular_separation(
            *np.radians(at)[:2], np.radians(ra), np.radians(dec))).min()
        # No point of a box is farther than this from one of the grid.
        assert brute - 0.4 <= distance(Region(box=box), *at) <= brute + 1e-9, at


@pytest.mark.parametrize("cone", CONES)
def test_a_cone_is_as_far_as_its_edge(cone):
    centre = SkyCoord(*cone[:2], unit="deg")
    for at in places(2):
        away = centre.separation(SkyCoord(*at, unit="deg")).deg
        assert distance(Region(cone=cone), *at) == pytest.approx(max(0, away - cone[2]), abs=1e-9)


@pytest.mark.parametrize(("box", "at", "inside"), [
    ((350, 10, -5, 5), (0, 0), True), ((350, 10, -5, 5), (349.9, 0), False),
    ((350, 10, -5, 5), (10, 5), True), ((10, 20, 80, 90), (200, 90), True),
    ((10, 20, 80, 90), (200, 89), False), ((0, 360, -90, 90), (123, -45), True),
])
def test_edges_wraps_and_poles_belong_to_a_box(box, at, inside):
    assert (distance(Region(box=box), *at) < 1e-9) == inside


DEFINITION = """\
schema: 1
key: {key}
ordinal: 1000000
name: {name}
facility: {facility}
release: R1
year: 2024
footprint: {footprint}
columns:
  ra: {{from: RA, unit: deg}}
  dec: {{from: DEC, unit: deg}}
  z: {{from: Z}}
quality: {{otherwise: 3, source: me}}
object_class: {{otherwise: unknown, source: me}}
instrument_type: {kinds}
"""


def survey(key, footprint="{}", kinds="{otherwise: s, source: me}", name="x", facility="VLT"):
    return parse_survey(DEFINITION.format(key=key, footprint=footprint, kinds=kinds, name=name,
                                          facility=facility), key)


MIXED = "{rules: [{when: Z > 1, then: p, source: me}], otherwise: g, source: me}"
SURVEYS: list[Survey] = [
    survey("near", "{regions: [{cone: [150, 2, 1]}, {cone: [53, -28, 1]}], z_range: [0, 1]}"),
    survey("far", "{regions: [{box: [350, 10, 50, 60]}], z_range: [2, 5]}", MIXED, "Deep One"),
    survey("silent", facility="Keck/DEIMOS"),
]


def found(**wanted):
    return {each.survey.key: each.unknown for each in search(SURVEYS, checked(Search, **wanted))}


@pytest.mark.parametrize(("wanted", "expected"), [
    ({}, {"near": (), "far": (), "silent": ()}),
    ({"at": (53, -27.5)}, {"near": (), "silent": ("footprint",)}),
    ({"at": (0, 61)}, {"silent": ("footprint",)}),
    ({"at": (0, 61), "radius": 1.0}, {"far": (), "silent": ("footprint",)}),
    ({"z": (1, 2)}, {"near": (), "far": (), "silent": ("z_range",)}),
    ({"z": (1.1, 1.9)}, {"silent": ("z_range",)}),
    ({"z": (0.2, 0.2)}, {"near": (), "silent": ("z_range",)}),
    ({"instrument_type": "p"}, {"far": ()}),
    ({"instrument_type": "s"}, {"near": (), "silent": ()}),
    ({"words": "deep ONE"}, {"far": ()}),
    ({"facility": "deimos"}, {"silent": ()}),
    ({"facility": "deimos", "at": (1, 1), "z": (0, 9)}, {"silent": ("z_range", "footprint")}),
])
def test_what_is_not_known_never_rules_a_survey_out(wanted, expected):
    assert found(**wanted) == expected


def test_the_registry_is_searched_as_a_brute_force_search_does():
    """Every survey with a footprint, at many places, against separations on a fine grid."""
    known = [each for each in registry().values() if each.footprint.regions]
    for ra, dec in places(3)[::8]:
        at = SkyCoord(ra, dec, unit="deg")
        got = {each.survey.key for each in search(known, checked(Search, at=(ra, dec), radius=5.0))}
        for each in known:
            nearest = min(_brute(region, at) for region in each.footprint.regions)
            if abs(nearest - 5) > 0.5:  # finer than the grid
                assert (each.key in got) == (nearest < 5), (each.key, ra, dec)


def _brute(region, at):
    if region.cone:
        away = at.separation(SkyCoord(*region.cone[:2], unit="deg")).deg
        return max(0, away - region.cone[2])
    ra, dec = grid(region.box)
    return np.degrees(angular_separation(at.ra.rad, at.dec.rad, np.radians(ra),
                                         np.radians(dec))).min()


@pytest.mark.parametrize(("text", "ra", "dec"), [
    ("150.1 2.2", 150.1, 2.2), ("150.1,-2.2", 150.1, -2.2), ("10:00:24 +02:12:00", 150.1, 2.2),
    ("10h00m24s -02d12m00s", 150.1, -2.2), ("10 00 24 -00 12 00", 150.1, -0.2),
])
def test_positions_are_read_as_people_write_them(text, ra, dec):
    assert position_of(text) == pytest.approx((ra, dec), abs=1e-9)
    theirs = SkyCoord(text.replace(",", " "), unit=(
        units.deg if "." in text else units.hourangle, units.deg))
    assert position_of(text) == pytest.approx((theirs.ra.deg, theirs.dec.deg), abs=1e-9)


@pytest.mark.parametrize("text", ["", "COSMOS", "1", "1 2 3", "ten two", "10:00:24", "1;2",
                                  "__import__ os", "10:61:00 2"])
def test_what_is_no_position_is_refused(text):
    with pytest.raises(TsmError) as refused:
        position_of(text)
    assert refused.value.codes == (Code.POSITION_RANGE,)


@pytest.mark.parametrize("wanted", [
    {"at": (360, 0)}, {"at": (0, 91)}, {"at": (float("nan"), 0)}, {"z": (2, 1)},
    {"z": (float("nan"), 1)}, {"instrument_type": "x"}, {"radius": 1}, {"at": (0, 0), "radius": -1},
])
def test_a_search_that_makes_no_sense_is_refused(wanted):
    with pytest.raises(TsmError):
        checked(Search, **wanted)


def test_kinds_of_instruments_are_those_of_the_rules():
    kinds = {each.key: {kind for kind in InstrumentType if each.key in {
        one.survey.key for one in search(SURVEYS, Search(instrument_type=kind))}}
        for each in SURVEYS}
    assert kinds == {"near": {"s"}, "far": {"g", "p"}, "silent": {"s"}}
