"""How far a position is from a part of a footprint."""

from __future__ import annotations

from math import asin, atan2, cos, degrees, radians, sin

from pz_tsm_core.model.survey import Region


def distance(region: Region, ra: float, dec: float) -> float:
    """Degrees on the sphere from a position (deg) to the nearest point of a region; 0 inside."""
    if region.cone is not None:
        centre_ra, centre_dec, radius = region.cone
        return max(0.0, _separation(centre_ra, centre_dec, ra, dec) - radius)
    if region.box is None:
        raise ValueError("a region is a cone or a box")
    return _to_box(region.box, ra, dec)


def _to_box(box: tuple[float, float, float, float], ra: float, dec: float) -> float:
    """To a box whose sides are meridians and circles of equal declination."""
    first, last, low, high = box
    width = last - first if last >= first else last - first + 360
    if (ra - first) % 360 <= width:
        # On its own meridian a point is nearest to a circle of declination.
        return max(0.0, low - dec, dec - high)
    return min(_to_side(side, low, high, ra, dec) for side in (first, last))


def _to_side(side: float, low: float, high: float, ra: float, dec: float) -> float:
    """To a piece of the meridian `side`, from `low` to `high`."""
    apart, height = radians(ra - side), radians(dec)
    # Foot of the perpendicular on the great circle of the meridian, from -180 to 180 deg.
    foot = degrees(atan2(sin(height), cos(height) * cos(apart)))
    if low <= foot <= high:
        return degrees(asin(min(1.0, abs(cos(height) * sin(apart)))))
    return min(_separation(side, end, ra, dec) for end in (low, high))


def _separation(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """Angle between two positions, by the formula of Vincenty: exact for small and large ones."""
    a, b, apart = radians(dec), radians(other_dec), radians(other_ra - ra)
    across = cos(b) * sin(apart), cos(a) * sin(b) - sin(a) * cos(b) * cos(apart)
    along = sin(a) * sin(b) + cos(a) * cos(b) * cos(apart)
    return degrees(atan2((across[0] ** 2 + across[1] ** 2) ** 0.5, along))
