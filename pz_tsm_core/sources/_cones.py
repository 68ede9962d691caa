"""The cone around a region of the sky, for services that take no other shape."""

from __future__ import annotations

from math import degrees, radians
from typing import NamedTuple

from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.surveys.enclosing import Box, box_of

#: Degrees by which a cone is larger than it must be: services compare positions that they computed
#: themselves, for another epoch or from rounded ones.
MARGIN = 0.01


class Cone(NamedTuple):
    """A circle on the sphere; degrees, ICRS."""

    ra: float
    dec: float
    radius: float


def cone_of(wanted: Wanted) -> Cone | None:
    """Give a cone around what is wanted of a catalogue; None for half of the sky or more.

    Raises
    ------
    TsmError
        `value.out-of-range` for a MOC that is none, or empty.
    """
    if wanted.region is not None and wanted.region.cone is not None:
        return _widened(Cone(*wanted.region.cone))
    box = box_of(wanted)
    return _widened(_around(box)) if box is not None else None


def _widened(cone: Cone | None) -> Cone | None:
    if cone is None or cone.radius >= 90:
        return None
    return cone._replace(radius=cone.radius + MARGIN)


def _around(box: Box) -> Cone | None:
    low, high = box.dec
    if box.all_ra:  # about the nearer pole
        return min(Cone(0.0, 90.0, 90 - low), Cone(0.0, -90.0, 90 + high),
                   key=lambda cone: cone.radius)
    # Across 0 the second range goes on with the first.
    start, width = box.ra[-1][0], sum(last - first for first, last in box.ra)
    if width > 180:
        return None
    centre = ((start + width / 2) % 360, (low + high) / 2)
    # Within 90 degrees of the middle meridian, the farthest point of a box is a corner.
    return Cone(*centre, max(_separation(*centre, start, dec) for dec in box.dec))


def _separation(*places: float) -> float:
    """Degrees on the sphere between ra, dec and another ra, dec."""
    from astropy.coordinates import angular_separation

    return float(degrees(angular_separation(*map(radians, places))))
