"""The surveys that recipes can name, as a list: all of them, or those that are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.model.survey import USER_ORDINAL, Survey
from pz_tsm_core.surveys import Found, instrument_types

_HEADINGS = ("key", "name", "release", "year", "objects", "z from", "z to", "type", "facility",
             "from", "in the store", "verified")
_RIGHT = frozenset({"objects", "z from", "z to"})
#: Where no service gives a catalogue to a program.
BY_HAND = "by hand"

#: What a definition may not say, in words.
_UNKNOWN = {"footprint": "footprint unknown", "z_range": "redshift range unknown"}


def listed(found: Sequence[Found], of: int, held: Mapping[str, Sequence[str]]) -> Page:
    """A line for each survey; those of which not enough is known stand apart, with what is not.

    Parameters
    ----------
    of : how many surveys there are
    held : key of a survey -> products of the store that were fetched of it
    """
    sure = [each for each in found if not each.unknown]
    unsure = [each for each in found if each.unknown]
    title = f"{len(sure)} of {of} surveys" if len(sure) < of else f"{of} surveys"
    grids = {"surveys": Grid("", _HEADINGS, _lines(sure, held), _RIGHT)}
    if unsure:
        rows = tuple((*line, ", ".join(_UNKNOWN[name] for name in each.unknown))
                     for line, each in zip(_lines(unsure, held), unsure, strict=True))
        grids["unknown"] = Grid(
            f"{len(unsure)} more may be meant: their definitions do not say it all",
            (*_HEADINGS, "unknown"), rows, _RIGHT)
    return Page(title, grids=grids)


def _lines(
    found: Sequence[Found], held: Mapping[str, Sequence[str]]
) -> tuple[tuple[Cell, ...], ...]:
    return tuple(_line(each.survey, held.get(each.survey.key, ())) for each in found)


def _line(survey: Survey, held: Sequence[str]) -> tuple[Cell, ...]:
    smallest, largest = survey.footprint.z_range or (None, None)
    kinds = "".join(instrument_types(survey))
    return (survey.key, survey.name, survey.release, survey.year, survey.footprint.objects,
            smallest, largest, kinds, survey.facility, list(survey.services) or BY_HAND,
            list(held), trust(survey))


def trust(survey: Survey) -> str:
    """How far a definition can be believed, in a word."""
    if survey.ordinal >= USER_ORDINAL:
        return "own"
    return "yes" if survey.verified else "in part" if survey.evidence else "no"
