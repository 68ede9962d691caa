"""The one scale on which redshifts of all surveys are compared."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Quality(IntEnum):
    """Confidence that the redshift is right; a star is an object class, not a quality."""

    NONE = 0  # no redshift
    TENTATIVE = 1  # < 70 %
    LIKELY = 2  # 70 - 90 %
    SECURE = 3  # 90 - 99 %
    CERTAIN = 4  # > 99 %


class ObjectClass(StrEnum):
    """What the survey says the target is."""

    GALAXY = "galaxy"
    QSO = "qso"
    AGN = "agn"
    STAR = "star"
    GALACTIC = "galactic"  # not extragalactic, but no secure star
    UNKNOWN = "unknown"


class InstrumentType(StrEnum):
    """How the redshift was measured, from the most to the least reliable."""

    SPECTROSCOPIC = "s"
    GRISM = "g"
    PHOTOMETRIC = "p"


#: Classes that never make a training galaxy unless a recipe says otherwise.
STELLAR = frozenset({ObjectClass.STAR, ObjectClass.GALACTIC})
