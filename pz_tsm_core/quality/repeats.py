"""How well good measurements of one galaxy agree."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.quality.tally import Axis, Floats, Ints, Labels, Tally, floats

#: What `Repeats` reads of the table `measurements`.
REPEAT_COLUMNS = ["galaxy_id", "z", "reason"]

#: By which the median of absolute deviations is the standard deviation of a normal distribution.
NMAD = 1.4826

#: log10 of |dz| / (1 + z), from 1e-9 to 10; a bin is 0.2 %.
_AXIS = Axis(-9.0, 0.001, 10_000)
_ELIGIBLE = np.array([reason.value for reason in Reason if reason.eligible], dtype=np.int8)


@dataclass
class Repeats:
    """sigma_NMAD of dz / (1 + z) between two measurements of a galaxy that are good enough.

    sigma_NMAD = 1.4826 median|d - median(d)|, as Brammer, van Dokkum & Coppi (2008, ApJ 686, 1503)
    have it. Which of two measurements comes first says nothing: both orders of a pair count, so the
    median of d is zero, and what is left is 1.4826 median|d|, whatever the order. z in 1 + z is the
    mean of the two. The scatter of a single measurement is smaller by the square root of two.

    A galaxy of k measurements counts as k - 1 pairs, each measurement with the next by row_id, a
    hash: so no much observed galaxy outweighs the others, and the work is one pass. Pairs of equal
    redshift are left out: most are one spectrum that two compilations hold.

    Rows of a galaxy must follow each other, in the order of row_id, also from batch to batch.
    """

    _tally: Tally = field(default_factory=lambda: Tally(_AXIS), init=False)
    _pairs: int = field(default=0, init=False)
    _last: tuple[Ints, Floats] = field(
        default_factory=lambda: (np.zeros(0, np.int64), np.zeros(0)), init=False)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the next rows."""
        good = np.isin(batch["reason"].to_numpy(), _ELIGIBLE)
        galaxy = np.concatenate([self._last[0], batch["galaxy_id"].to_numpy()[good]])
        z = np.concatenate([self._last[1], floats(batch, "z")[good]])
        self._last = galaxy[-1:], z[-1:]
        pair = (galaxy[1:] == galaxy[:-1]) & (z[1:] != z[:-1])
        one, other = z[:-1][pair], z[1:][pair]
        self._pairs += len(one)
        scaled = np.log10(np.abs(other - one) / (1 + (one + other) / 2))
        self._tally.add(scaled, Labels([""], np.zeros(len(one), dtype=np.int64)))

    @property
    def pairs(self) -> int:
        """Pairs of measurements that tell something."""
        return self._pairs

    @property
    def sigma(self) -> float:
        """sigma_NMAD, exact to 0.2 %; NaN without a pair."""
        return float(NMAD * 10 ** self._tally.median())
