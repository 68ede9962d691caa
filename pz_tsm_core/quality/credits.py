"""Who is to be cited: exactly those of whose rows or values something is in the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pz_tsm_core.dust import get_coefficients, get_reddening
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.pins import DustPin
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.model.release import Release

#: Facility of a table that a recipe describes, column by column (`surveys.user`).
_OWN = "user"


def credits_of_surveys(
    told: Iterable[Mapping[str, Any]], rows: Mapping[str, int]
) -> list[Cited]:
    """The surveys and own tables that have rows.

    Parameters
    ----------
    told : key, name, facility, release, citation and acknowledgement of every survey that came in
    rows : of the result, by key
    """
    return [Cited(
        kind="own table" if survey["facility"] == _OWN else "survey",
        key=survey["key"], name=survey["name"], release=survey["release"],
        bibcodes=survey["citation"], acknowledgement=survey["acknowledgement"],
        rows=rows[survey["key"]],
    ) for survey in told if rows.get(survey["key"])]


def credits_of_sky(
    release: Release | None, dust: DustPin | None, rows: int
) -> list[Cited]:
    """The object catalogue and, where its fluxes were dereddened, the map and coefficients.

    Parameters
    ----------
    release, dust : None where the work ends with the compilation
    rows : of the training set
    """
    if release is None or dust is None or not rows:
        return []
    found = [Cited(kind="object catalogue", key=release.key, name=release.name,
                   bibcodes=release.citation, acknowledgement=release.acknowledgement, rows=rows)]
    return [*found, *_credits_of_dust(dust.choice, rows)]


def _credits_of_dust(choice: Dereddening, rows: int) -> list[Cited]:
    """The map and the coefficients; none where nothing was dereddened."""
    if choice.map == "none":
        return []
    reddening = get_reddening(choice.map)
    of_map = Cited(kind="dust map", key=choice.map, name=reddening.name, rows=rows,
                   bibcodes=reddening.citation, acknowledgement=reddening.acknowledgement)
    if choice.coefficients == "custom":
        return [of_map, Cited(kind="coefficients", key="custom", name="Of your own", rows=rows)]
    coefficients = get_coefficients(choice.coefficients)
    return [of_map, Cited(kind="coefficients", key=choice.coefficients, name=coefficients.name,
                          bibcodes=coefficients.citation, rows=rows)]
