"""Retrieval from a notebook and by `tsm fetch`: several surveys, one answer each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pz_tsm_core.errors import Problems, TsmError
from pz_tsm_core.model.artifact import PUBLIC, Access
from pz_tsm_core.model.document import checked
from pz_tsm_core.model.retrieval import FetchLimits, FetchPolicy, Wanted
from pz_tsm_core.remote import Moved, Reach
from pz_tsm_core.retrieval.fetch import Fetched, fetch_survey
from pz_tsm_core.store import Store, as_store
from pz_tsm_core.surveys import get_survey, own_surveys
from pz_tsm_core.surveys.fields import region_of


def fetch(
    surveys: str | Iterable[str],
    *,
    region: str = "",
    rows: int | None = None,
    service: str | None = None,
    policy: FetchPolicy = "if-changed",
    access: Access = PUBLIC,
    accept: bool = False,
    survey_path: str | Path | None = None,
    store: Store | str | Path | None = None,
    limits: FetchLimits | None = None,
    hear: Callable[[Moved], None] | None = None,
    done: Callable[[Fetched], None] | None = None,
) -> tuple[Fetched, ...]:
    """Bring public catalogues into the store from where they are published.

    Surveys that cannot be had do not keep the others from coming.

    Parameters
    ----------
    surveys : keys of the registry, or of `survey_path`
    region : the part of the sky that is wanted: a field such as "ecdfs", "cone RA DEC RADIUS" or
        "box RA RA DEC DEC" in degrees, a file with a MOC; by default all
    rows : at most so many, for a look
    service : one of those that `show_survey` names; by default the first
    policy : "never", "if-changed" or "always" ask the source
    access : who may see it, and all that is made from it
    accept : take a catalogue also when many of its rows have gone since
    limits : for each of the surveys
    hear : is told how much has come
    done : is told of each survey that is there

    Raises
    ------
    TsmError
        with what is wrong with any of them; those without fault are in the store all the same.
    """
    opened, own = as_store(store), own_surveys(survey_path)
    keys = dict.fromkeys([surveys] if isinstance(surveys, str) else surveys)
    wanted = checked(Wanted, rows=rows, **(region_of(region) if region else {}))
    problems, given = Problems(), []
    for key in keys:
        try:
            reach = Reach(limits or FetchLimits(), hear=hear)
            fetched = fetch_survey(
                opened, get_survey(key, own), wanted, reach=reach,
                policy=policy, asked_service=service, access=access, accept=accept)
        except TsmError as error:
            problems.extend(error.problems)
            continue
        given.append(fetched)
        if done:
            done(fetched)
    problems.raise_if_any()
    return tuple(given)
