"""What the dust correction did to a training set, and how it compares with others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pz_tsm_core.dust import NO_MAP, SFD_TO_TRUE, Dust, ebv_scale, get_coefficients
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import EBV, object_column
from pz_tsm_core.quality.tally import Axis, Labels, Tally, floats

#: E(B-V) in mag; few galaxies are seen behind more than 5.
REDDENING = Axis(0.0, 0.0001, 50_000)
#: Difference of two values of it.
DIFFERENCE = Axis(-0.2, 0.0001, 4000)

_ALL = ""  # one label for all rows


@dataclass
class Reddened:
    """E(B-V) of the rows as it was applied, and beside the one of the release.

    Parameters
    ----------
    choice : of map and coefficients
    release : tells which column is its own E(B-V)
    unknown : rows whose E(B-V) nobody knows, and which have no magnitudes for it
    """

    choice: Dereddening
    release: Release
    rows: int = 0
    unknown: int = 0
    applied: Tally = field(default_factory=lambda: Tally(REDDENING))
    beyond_map: Tally = field(default_factory=lambda: Tally(DIFFERENCE))

    @property
    def columns(self) -> list[str]:
        """Columns that `add` reads."""
        if self.choice.map == "none":
            return []
        return [EBV.name, *([self._own] if self._own else [])]

    @property
    def _own(self) -> str | None:
        """The column of the release that a map on the same scale can be compared with."""
        comparable = self.choice.map not in NO_MAP and ebv_scale(self.choice.map, 1.0) == "sfd"
        return object_column(self.release.ebv) if self.release.ebv and comparable else None

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch."""
        if self.choice.map == "none":
            return
        applied = floats(batch, EBV.name)
        labels = Labels([_ALL], np.zeros(len(batch), dtype=np.int64))
        self.rows += len(batch)
        self.unknown += int(np.isnan(applied).sum())
        self.applied.add(applied, labels)
        if self._own:
            self.beyond_map.add(floats(batch, self._own) - applied / self.choice.scale, labels)

    def beyond_sf11(self, bands: Sequence[str]) -> Iterator[tuple[str, float]]:
        """By how much the median correction exceeds that of Schlafly & Finkbeiner (2011), in mag.

        Theirs is by E(B-V) as SFD has it.
        """
        ebv = self.applied.median() if self.rows else np.nan
        as_sfd = ebv / (SFD_TO_TRUE if self._is_true else 1.0)
        theirs, ours = get_coefficients("sf11").values, Dust(self.choice).coefficients
        for band in bands:
            yield band, float(ours[band] * ebv - theirs[band] * as_sfd)

    @property
    def _is_true(self) -> bool:
        return ebv_scale(self.choice.map, self.choice.scale) == "true"

