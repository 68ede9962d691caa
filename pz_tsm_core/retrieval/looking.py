"""What a service says of a survey before anything is pulled, compared with the definition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pz_tsm_core.errors import Problem, TsmError
from pz_tsm_core.model.retrieval import FetchLimits, Wanted
from pz_tsm_core.model.survey import Source, Survey
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval.choice import fetchable
from pz_tsm_core.retrieval.compare import breaches
from pz_tsm_core.sources import Ask, Offer, Service, service


@dataclass(frozen=True)
class Looked:
    """One part of a catalogue at its service, and what the service said of it."""

    service: Service
    ask: Ask
    offer: Offer

    @property
    def where(self) -> str:
        """The service and its table, for people."""
        return place_of(self.ask.place)


def look(
    survey: Survey, place: Source, reach: Reach, wanted: Wanted | None = None, known: str = ""
) -> Looked:
    """Ask a service about a survey; what it declares is that of the definition.

    Parameters
    ----------
    known : the validator of a former retrieval

    Raises
    ------
    TsmError
        `service.schema` with every column that differs; `service.*`, `remote.*`.
    """
    there = service(place.service, reach)
    ask = _ask(survey, place, wanted or Wanted(), known)
    looked = Looked(there, ask, there.look(ask))
    if problems := list(_breaches(survey, looked)):
        raise TsmError(*problems)
    return looked


def place_of(place: Source) -> str:
    """A service and what it is asked for, for people."""
    return f"{place.service} {place.table or place.url}"


def _ask(survey: Survey, place: Source, wanted: Wanted, known: str) -> Ask:
    columns = {name: place.columns.get(name, name) for name in survey.native_columns}
    ra, dec = survey.columns.ra, survey.columns.dec
    plain = survey.columns.frame == "icrs" and ra.unit == dec.unit == "deg"
    position = (columns[ra.from_], columns[dec.from_]) if plain and ra.from_ and dec.from_ else None
    return Ask(place, columns, wanted, position, known)


def _breaches(survey: Survey, looked: Looked) -> Iterator[Problem]:
    """What is declared otherwise; where nothing is declared before, the files tell."""
    said = looked.offer.columns
    if said and not looked.offer.unchanged:
        columns = {native: said[name] for native, name in looked.ask.columns.items()
                   if name in said}
        yield from breaches(survey, columns, looked.where, looked.ask.columns)


@dataclass(frozen=True)
class Seen:
    """What was seen of one source of a survey.

    Parameters
    ----------
    offer : what the service says; None when it gave no answer, or one that is wrong
    problems : why
    """

    survey: Survey
    place: Source
    offer: Offer | None
    problems: tuple[Problem, ...] = ()


def see(survey: Survey, limits: FetchLimits | None = None) -> Iterator[Seen]:
    """Ask every service that gives a survey, one after the other; nothing is pulled."""
    for place in fetchable(survey):
        try:
            offer = look(survey, place, Reach(limits or FetchLimits(total_seconds=60))).offer
            yield Seen(survey, place, offer)
        except TsmError as error:
            yield Seen(survey, place, None, error.problems)
