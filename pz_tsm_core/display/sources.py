"""Where the catalogues of surveys are published, and whether that can be so: for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pz_tsm_core.display.listing import BY_HAND
from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.errors import Problems
from pz_tsm_core.files import expanded
from pz_tsm_core.model.survey import Source, Survey
from pz_tsm_core.surveys import check_definitions, registry
from pz_tsm_core.surveys.sources_check import check_sources

_HEADINGS = ("survey", "service", "part", "table or address", "rows", "state")

#: What is known of a source, in a word or two.
State = Callable[[Survey, Source], str]


def _not_asked(_survey: Survey, source: Source) -> str:
    return BY_HAND if source.service == "page" else "not asked"


def check_published(*files: str | Path, state: State = _not_asked) -> Page:
    """Check where catalogues are said to be published, without asking anybody.

    Parameters
    ----------
    files : definitions; by default those of the registry
    state : what to say of each source

    Raises
    ------
    TsmError
        with every mistake of every source; as `check_definitions`.
    """
    surveys = tuple(check_definitions([expanded(file) for file in files]).values()
                    if files else registry().values())
    problems = Problems()
    for survey in surveys:
        problems.extend(check_sources(survey, _readable))
    problems.raise_if_any()
    return published(surveys, state)


def published(surveys: Iterable[Survey], state: State = _not_asked) -> Page:
    """A line for each source of each survey, and how many surveys a program can have.

    Parameters
    ----------
    state : what to say of each source
    """
    known = tuple(surveys)
    lines = tuple(_line(survey, source, state) for survey in known for source in survey.sources)
    fetched = sum(bool(survey.services) for survey in known)
    facts: dict[str, Cell] = {
        "from services": f"{fetched:,}", BY_HAND: f"{len(known) - fetched:,}",
        **{service: f"{sum(service in survey.services for survey in known):,}"
           for service in sorted({name for survey in known for name in survey.services})}}
    return Page(f"{len(known)} surveys, {len(lines)} sources", facts,
                {"sources": Grid("", _HEADINGS, lines, frozenset({"rows"}))})


def _line(survey: Survey, source: Source, state: State) -> tuple[Cell, ...]:
    service = source.service + (f" {source.release}" if source.release else "")
    place = (source.url,) if service == "page" else (source.url, source.table)
    return (survey.key, service, source.part, " ".join(filter(None, place)),
            survey.footprint.objects if not source.part else None, state(survey, source))


def _readable(name: str) -> bool:
    """Whether the ending of a name is that of a format, or of one compressed."""
    from pz_tsm_core.readers.compression import COMPRESSIONS
    from pz_tsm_core.readers.table import FORMATS

    bare = name.lower()
    for kind in COMPRESSIONS:
        bare = bare.removesuffix(kind.suffix)
    return any(bare.endswith(kind.suffixes) for kind in FORMATS.values())
