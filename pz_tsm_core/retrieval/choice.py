"""Which service is asked for a survey, and where in the store its answer stands."""

from __future__ import annotations

from collections.abc import Sequence

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.model.survey import Source, Survey

#: What people alone can download.
PAGE = "page"


def fetchable(survey: Survey) -> tuple[Source, ...]:
    """The sources that a program can ask, in the order of preference."""
    return tuple(source for source in survey.sources if source.service != PAGE)


def choose(survey: Survey, service: str | None = None) -> tuple[Source, ...]:
    """The parts of a survey at the service that is asked: the one named, or the first.

    Raises
    ------
    TsmError
        `source.none` when no service gives the survey, or not the one named.
    """
    known = survey.services
    if not known:
        pages = [source.url for source in survey.sources if source.url]
        raise refuse(
            Code.SOURCE_NONE, f"survey `{survey.key}`", found="no service that a program can ask",
            expected="a source other than a page",
            remedy=(f"download it from {' or '.join(pages)}, then " if pages else "")
            + "name it in a recipe as `file:`, or take it in with `tsm put`",
        )
    if service is not None and service not in known:
        raise refuse(Code.SOURCE_NONE, f"survey `{survey.key}`", found=f"the service `{service}`",
                     expected="one of: " + ", ".join(known), remedy=nearest(service, known))
    asked = [source for source in fetchable(survey) if source.service == (service or known[0])]
    return _parts(asked)


def _parts(sources: Sequence[Source]) -> tuple[Source, ...]:
    """All parts of a catalogue that is published in several; else the first of its copies."""
    parts = tuple(source for source in sources if source.part)
    return parts or (sources[0],)
