"""The surveys that the library knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from pz_tsm_core.errors import Code, Problems, TsmError, nearest, refuse
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.surveys.definition import load_survey

DATA = Path(__file__).with_name("data")


@lru_cache(maxsize=1)
def registry() -> Mapping[str, Survey]:
    """Every survey of the library by its key, in the order of their ordinals.

    Raises
    ------
    TsmError
        with every mistake of every definition.
    """
    surveys, problems = [], Problems()
    for path in sorted(DATA.glob("*.yaml")):
        try:
            surveys.append(load_survey(path))
        except TsmError as error:
            problems.extend(error.problems)
    problems.raise_if_any()
    surveys.sort(key=lambda survey: survey.ordinal)
    return MappingProxyType({survey.key: survey for survey in surveys})


def get_survey(key: str, known: Mapping[str, Survey] | None = None) -> Survey:
    """The survey of that key.

    Parameters
    ----------
    known : surveys by their keys, such as `known_surveys` gives; the registry by default

    Raises
    ------
    TsmError
        `survey.unknown`, with the nearest key there is.

    Examples
    --------
    >>> get_survey("desi_dr1").release
    'DR1'
    """
    known = registry() if known is None else known
    if key not in known:
        # People write keys as papers write names: DESI-DR1.
        plain = key.lower().replace("-", "_").replace(" ", "_")
        raise refuse(Code.SURVEY_UNKNOWN, f"survey `{key}`", found="no definition of that key",
                     expected=f"one of {', '.join(known)}",
                     remedy=f"did you mean `{plain}`?" if plain in known else nearest(plain, known))
    return known[key]
