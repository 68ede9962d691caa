"""What services say of the surveys that they give, compared with their definitions: for people."""

from __future__ import annotations

from pathlib import Path

from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.display.surveys import find_survey
from pz_tsm_core.errors import Problem
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.retrieval import Seen, see
from pz_tsm_core.surveys import registry

_HEADINGS = ("survey", "service", "part", "table or address", "rows", "bytes", "state")


def check_live(
    *surveys: str, survey_path: str | Path | None = None, limits: FetchLimits | None = None
) -> tuple[Page, tuple[Problem, ...]]:
    """Ask every service that gives these surveys for columns and counts; nothing is pulled.

    Parameters
    ----------
    surveys : keys, or YAML files of definitions; by default the whole registry
    limits : for each source

    Returns
    -------
    A line for each source, and what is wrong with any of them.
    """
    chosen = [find_survey(each, survey_path) for each in surveys] or list(registry().values())
    seen = [each for survey in chosen for each in see(survey, limits)]
    problems = tuple(problem for each in seen for problem in each.problems)
    sound = sum(not each.problems for each in seen)
    return Page(f"{sound} of {len(seen)} sources are as their definitions say",
                grids={"sources": Grid("", _HEADINGS, tuple(map(_line, seen)),
                                       frozenset({"rows", "bytes"}))}), problems


def _line(seen: Seen) -> tuple[Cell, ...]:
    place, offer = seen.place, seen.offer
    state = "as defined" if offer else ", ".join(
        dict.fromkeys(problem.code.value for problem in seen.problems))
    return (seen.survey.key, place.service, place.part, place.table or place.url,
            offer.rows if offer else None, offer.bytes if offer else None, state)
