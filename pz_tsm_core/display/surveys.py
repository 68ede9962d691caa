"""The registry from a notebook and by `tsm surveys`: list, search, show.

What reads tables stands in `display.rules`: a list does not wait for it.
"""

from __future__ import annotations

from pathlib import Path

from pz_tsm_core.display.listing import listed
from pz_tsm_core.display.page import Page
from pz_tsm_core.files import expanded
from pz_tsm_core.model.document import checked
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.store import FetchRecords, Store, as_store
from pz_tsm_core.surveys import (
    Search,
    get_survey,
    known_surveys,
    load_survey,
    own_surveys,
    position_of,
    search,
    survey_keys,
)


def list_surveys(
    words: str = "",
    *,
    at: str | tuple[float, float] | None = None,
    radius: float = 0.0,
    z: tuple[float, float] | None = None,
    instrument_type: str | None = None,
    facility: str = "",
    survey_path: str | Path | None = None,
    store: Store | str | Path | None = None,
) -> Page:
    """List the surveys that recipes can name, or those that are meant.

    A survey whose definition does not say where it looked, or at which redshifts, is listed apart.

    Parameters
    ----------
    words : all of which stand in its key, names, facility, release or footprint
    at : a position that its footprint holds: ra and dec in degrees, or text such as
        "10:00:24 +02:12:00"
    radius : degrees around `at` that its footprint must touch
    z : a range of redshifts that its own must touch
    instrument_type : of at least some of its rows: s, g or p
    survey_path : a folder of definitions of your own
    store : in which to look for what was fetched; by default the usual one

    Examples
    --------
    >>> list_surveys("vandels", at="53.1 -27.8").to_pandas()["key"].tolist()
    ['vandels']
    """
    wanted = checked(
        Search, words=words, at=position_of(at) if isinstance(at, str) else at, radius=radius, z=z,
        instrument_type=instrument_type, facility=facility)
    known = known_surveys(survey_path).values()
    return listed(search(known, wanted), len(known), _held(store))


def _held(store: Store | str | Path | None) -> dict[str, list[str]]:
    """Key of a survey -> names of the products that were fetched of it."""
    held: dict[str, list[str]] = {}
    for record in FetchRecords(as_store(store)).all():
        held.setdefault(record.request.survey, []).append(record.product)
    return held


def find_survey(survey: str | Survey, survey_path: str | Path | None = None) -> Survey:
    """The survey of a key, of the YAML file of a definition, or as it is.

    Raises
    ------
    TsmError
        `survey.unknown` with the nearest key; as `own_surveys` and `load_survey`.
    """
    if isinstance(survey, Survey):
        return survey
    if Path(survey).suffix in (".yaml", ".yml"):
        return load_survey(expanded(survey))
    return get_survey(survey, own_surveys(survey_path))


def show_survey(
    survey: str | Survey,
    *,
    survey_path: str | Path | None = None,
    store: Store | str | Path | None = None,
) -> Page:
    """Show what is known of a survey: metadata, columns, flag table, credit, how to use it.

    Parameters
    ----------
    survey : its key, the YAML file of its definition, or a definition
    survey_path : a folder of definitions of your own
    store : in which to look for what was fetched; by default the usual one
    """
    from pz_tsm_core.display.card import card  # the bibliography, for which a list does not wait

    found = find_survey(survey, survey_path)
    own = survey_path is not None and found.key not in survey_keys()
    return card(found, str(survey_path) if own else None, _held(store).get(found.key, ()))
