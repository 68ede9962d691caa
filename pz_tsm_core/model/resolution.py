"""Why a measurement speaks for its galaxy, or does not."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """The small code in column `reason` of the measurements of a compilation.

    Codes are given once: files that hold them outlive every order in which they might stand.
    """

    ALONE = 0  # the galaxy's only eligible measurement
    WON = 1  # the best of several
    LOST_QUALITY = 2  # a better quality exists
    LOST_INSTRUMENT = 3  # equal so far, a more reliable kind of instrument exists
    LOST_Z_ERR = 4  # equal so far, a smaller redshift error exists
    LOST_ID = 5  # equal in everything; the smaller row_id won
    LOW_QUALITY = 6  # below the recipe's `combine.min_quality`
    EXCLUDED_CLASS = 7  # of a class in the recipe's `combine.exclude_classes`
    LOST_SURVEY_RANK = 8  # equal so far, a more trusted survey has one
    LOST_YEAR = 9  # equal so far, a newer survey has one
    LOST_SNR = 10  # equal so far, a spectrum of higher signal-to-noise exists
    LOST_SEPARATION = 11  # equal so far, one nearer to the middle of the group exists
    LOST_CONFLICT = 12  # of the winner's rank, with another redshift
    TIED = 13  # of one rank with others of another redshift; one of each is kept
    CONFLICT = 14  # of the highest rank, where redshifts do not agree: none is kept

    @property
    def eligible(self) -> bool:
        """Whether the measurement was good enough to take part."""
        return self not in (Reason.LOW_QUALITY, Reason.EXCLUDED_CLASS)

    @property
    def winner(self) -> bool:
        """Whether the measurement speaks for its galaxy."""
        return self in (Reason.ALONE, Reason.WON, Reason.TIED)
