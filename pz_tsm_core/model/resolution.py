"""Why a measurement speaks for its galaxy, or does not."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """The small code in column `reason` of the measurements of a compilation."""

    ALONE = 0  # the galaxy's only eligible measurement
    WON = 1  # the best of several
    LOST_QUALITY = 2  # a better quality exists
    LOST_INSTRUMENT = 3  # equal quality, a more reliable kind of instrument exists
    LOST_Z_ERR = 4  # equal so far, a smaller redshift error exists
    LOST_ID = 5  # equal in everything; the smaller row_id won
    LOW_QUALITY = 6  # below the recipe's `combine.min_quality`
    EXCLUDED_CLASS = 7  # of a class in the recipe's `combine.exclude_classes`

    @property
    def eligible(self) -> bool:
        """Whether the measurement was good enough to take part."""
        return self <= Reason.LOST_ID

    @property
    def winner(self) -> bool:
        """Whether the measurement speaks for its galaxy."""
        return self <= Reason.WON
