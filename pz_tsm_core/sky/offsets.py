"""Whether the positions of a survey lie beside those of the objects, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sky.margin import Floats
from pz_tsm_core.sphere import offset_arcsec, offset_by

#: Below that many pairs a median says little.
FEWEST = 20


class Offset(NamedTuple):
    """How far the objects lie from the positions of a survey.

    Parameters
    ----------
    east, north : medians in arcsec
    pairs : that they are of
    """

    east: float
    north: float
    pairs: int

    def beyond(self, other: Offset | None) -> Offset:
        """What both are together, of the pairs of this one."""
        return self if other is None else Offset(
            self.east + other.east, self.north + other.north, self.pairs)


class Surveys(NamedTuple):
    """The survey of every position: `names[code]`; codes are of shape (n,)."""

    names: Sequence[str]
    code: npt.NDArray[np.intp]

    def at(self, place: npt.NDArray[np.intp]) -> Surveys:
        """Those at certain places."""
        return Surveys(self.names, self.code[place])


def measure_offsets(
    ra: Floats, dec: Floats, object_ra: Floats, object_dec: Floats, surveys: Surveys
) -> dict[str, Offset]:
    """The median offset from positions to objects, for each survey of at least 20 pairs.

    Parameters
    ----------
    ra, dec, object_ra, object_dec : degrees, shape (n,); pairs of nearest neighbours
    surveys : whose positions they are
    """
    east, north = offset_arcsec(ra, dec, object_ra, object_dec)
    order = np.argsort(surveys.code, kind="stable")
    starts = run_starts(surveys.code[order])
    found = {}
    for start, pairs in zip(starts, run_lengths(starts, len(order)), strict=True):
        mine = order[start:start + pairs]
        if pairs >= FEWEST:
            found[surveys.names[surveys.code[mine[0]]]] = Offset(
                float(np.median(east[mine])), float(np.median(north[mine])), int(pairs))
    return dict(sorted(found.items()))


def moved(
    ra: Floats, dec: Floats, surveys: Surveys, offsets: Mapping[str, Offset]
) -> tuple[Floats, Floats]:
    """Positions moved to where the objects of their survey are; others stay as they are."""
    ra, dec = ra.copy(), dec.copy()
    for code, name in enumerate(surveys.names):
        if name in offsets:
            mine = surveys.code == code
            ra[mine], dec[mine] = offset_by(ra[mine], dec[mine], offsets[name].east,
                                            offsets[name].north)
    return ra, dec
