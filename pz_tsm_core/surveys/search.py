"""Which surveys somebody means: by words, place on the sky, redshift, instrument, facility."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.quality import InstrumentType
from pz_tsm_core.model.survey import Dec, Survey
from pz_tsm_core.surveys.region import distance


def _in_order(range_: tuple[float, float]) -> tuple[float, float]:
    if not range_[0] <= range_[1]:
        raise ValueError("the smallest redshift, then the largest")
    return range_


class Search(Value):
    """What a survey must be; what is left out does not matter.

    Parameters
    ----------
    words : all of which stand in its key, names, facility, release or footprint
    at : ra and dec in degrees, ICRS
    radius : degrees around `at` that its footprint must touch
    z : a range of redshifts that its own must touch
    instrument_type : of at least some of its rows
    facility : part of the facility's name
    """

    words: str = ""
    at: tuple[Annotated[float, Field(ge=0, lt=360)], Dec] | None = None
    radius: float = Field(default=0.0, ge=0, le=180)
    z: Annotated[tuple[float, float], AfterValidator(_in_order)] | None = None
    instrument_type: InstrumentType | None = None
    facility: str = ""

    @model_validator(mode="after")
    def _somewhere(self) -> Search:
        if self.radius and self.at is None:
            raise ValueError("`at` beside a `radius`")
        return self


@dataclass(frozen=True)
class Found:
    """A survey that is meant, or may be.

    Parameters
    ----------
    unknown : what was asked for and its definition does not say: footprint, z_range
    """

    survey: Survey
    unknown: tuple[str, ...]


def search(surveys: Iterable[Survey], wanted: Search) -> tuple[Found, ...]:
    """Surveys that are meant, in the order given; what is not known of one rules it out never."""
    answers = ((survey, _answers(survey, wanted)) for survey in surveys)
    return tuple(
        Found(survey, tuple(name for name, answer in answered.items() if answer is None))
        for survey, answered in answers if False not in answered.values()
    )


def instrument_types(survey: Survey) -> tuple[InstrumentType, ...]:
    """Every kind of instrument that rows of the survey may be of."""
    rules = survey.instrument_type
    said = {*(rule.then for rule in rules.rules), rules.otherwise}
    return tuple(kind for kind in InstrumentType if kind in said)


def _answers(survey: Survey, wanted: Search) -> dict[str, bool | None]:
    """Whether the survey is what is wanted, by each wish; None where it is not known."""
    kind = wanted.instrument_type
    return {
        "words": _has_words(survey, wanted.words),
        "facility": wanted.facility.casefold() in survey.facility.casefold(),
        "instrument_type": kind is None or kind in instrument_types(survey),
        "z_range": _meets(survey.footprint.z_range, wanted.z),
        "footprint": _lies(survey, wanted),
    }


def _has_words(survey: Survey, words: str) -> bool:
    said = (survey.key, survey.name, survey.facility, survey.release, survey.footprint.about,
            str(survey.year or ""))
    text = " ".join(said).casefold()
    return all(word in text for word in words.casefold().split())


def _meets(
    range_: tuple[float, float] | None, wanted: tuple[float, float] | None
) -> bool | None:
    if wanted is None:
        return True
    return None if range_ is None else range_[0] <= wanted[1] and wanted[0] <= range_[1]


def _lies(survey: Survey, wanted: Search) -> bool | None:
    if wanted.at is None:
        return True
    regions = survey.footprint.regions
    return any(distance(region, *wanted.at) <= wanted.radius for region in regions) or (
        False if regions else None)


def position_of(text: str) -> tuple[float, float]:
    """Right ascension and declination in degrees of a text.

    Raises
    ------
    TsmError
        `position.out-of-range` for what is no position.

    Examples
    --------
    >>> position_of("150.1, 2.2")
    (150.1, 2.2)
    >>> position_of("10:00:24 +02:12:00")
    (150.1, 2.2)
    """
    # Half a second that nobody pays who types `tsm --help`.
    from astropy import units
    from astropy.coordinates import Angle

    parts = text.replace(",", " ").split()
    try:
        if len(parts) == 6:
            parts = [":".join(parts[:3]), ":".join(parts[3:])]
        first, second = parts
        ra = Angle(first, units.deg if _is_number(first) else units.hourangle)
        dec = Angle(second, units.deg)
    except ValueError:
        raise refuse(
            Code.POSITION_RANGE, "position", found=f"`{text}`",
            expected="ra and dec: `150.1 2.2` in degrees, or `10:00:24 +02:12:00`",
            remedy="write it so, in quotes") from None
    return round(float(ra.deg), 12), round(float(dec.deg), 12)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
