"""How near two measurements must be to be of one galaxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.model.combining import CombinePolicy, PositionErrors
from pz_tsm_core.sphere import Floats, separation_arcsec

Places = npt.NDArray[np.int64]

#: Columns of measurements from which a reach is told.
REACH_COLUMNS = ("survey", "pos_err")


@dataclass(frozen=True)
class Reach:
    """The largest separation at which a pair is of one galaxy: one for all, or one a pair.

    Parameters
    ----------
    smallest, largest : arcsec; every pair within the one is linked, none beyond the other
    own : what each measurement contributes, arcsec, shape (n,); None for one radius
    joined : the larger of the two contributions, or the root of the sum of their squares
    """

    smallest: float
    largest: float
    own: Floats | None = None
    joined: Literal["larger", "quadrature"] = "larger"

    def limit(self, first: Places, second: Places) -> Floats | float:
        """Largest separation of the pairs of measurements at these places, arcsec."""
        if self.own is None:
            return self.largest
        one, other = self.own[first], self.own[second]
        if self.joined == "larger":
            return np.asarray(np.maximum(one, other))
        return np.asarray(np.clip(np.hypot(one, other), self.smallest, self.largest))

    def of(self, rows: Places | slice) -> Reach:
        """The reach among some of the measurements."""
        if self.own is None:
            return self
        return Reach(self.smallest, self.largest, self.own[rows], self.joined)


def one_radius(radius_arcsec: float) -> Reach:
    """The same radius for every pair."""
    return Reach(radius_arcsec, radius_arcsec)


def reach_of(measurements: pa.Table, policy: CombinePolicy) -> Reach:
    """What a policy says of measurements, from their `REACH_COLUMNS`."""
    if policy.position_errors:
        return _from_errors(measurements, policy.position_errors, policy.radius_arcsec)
    if not policy.survey_radius_arcsec:
        return one_radius(policy.radius_arcsec)
    keys = pa.array(list(policy.survey_radius_arcsec))
    radii = np.array([*policy.survey_radius_arcsec.values(), policy.radius_arcsec])
    place = pc.fill_null(pc.index_in(measurements["survey"], keys), len(keys)).to_numpy()
    return Reach(float(radii.min()), float(radii.max()), radii[place])


def _from_errors(measurements: pa.Table, errors: PositionErrors, largest: float) -> Reach:
    sigma = pc.fill_null(measurements["pos_err"], errors.default_arcsec).to_numpy()
    return Reach(errors.smallest_arcsec, largest, errors.sigmas * sigma, "quadrature")


def within(
    ra: Floats, dec: Floats, first: Places, second: Places, reach: Reach
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which pairs are within reach, shape (m,), and the separation of every pair, arcsec."""
    separation = separation_arcsec(ra[first], dec[first], ra[second], dec[second])
    return separation <= reach.limit(first, second), separation
