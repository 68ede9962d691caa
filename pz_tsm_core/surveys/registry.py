"""The surveys that the library knows: one YAML file each, named by its key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pz_tsm_core.errors import Code, Problems, TsmError, nearest, refuse
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.surveys.definition import load_survey, read_survey

DATA = Path(__file__).with_name("data")


@cache
def survey_keys() -> tuple[str, ...]:
    """Keys of all surveys, sorted, from the names of the files: none is opened."""
    return tuple(sorted(path.stem for path in DATA.glob("*.yaml")))


@cache
def registry() -> Mapping[str, Survey]:
    """Every survey of the library by its key, in the order of their ordinals.

    Rules are parsed when they are used. To read all files takes about half a second: who needs
    the keys or one survey asks for those.

    Raises
    ------
    TsmError
        with every mistake of every definition, but for those in rules.
    """
    surveys, problems = [], Problems()
    for key in survey_keys():
        try:
            surveys.append(read_survey(_file(key)))
        except TsmError as error:
            problems.extend(error.problems)
    problems.raise_if_any()
    surveys.sort(key=lambda survey: survey.ordinal)
    return MappingProxyType({survey.key: survey for survey in surveys})


@cache
def get_survey(key: str) -> Survey:
    """The survey of that key; no other is read.

    Raises
    ------
    TsmError
        `survey.unknown`, with the nearest key there is; every mistake of the definition.

    Examples
    --------
    >>> get_survey("desi_dr1").release
    'DR1'
    """
    known = survey_keys()
    if key not in known:
        raise refuse(Code.SURVEY_UNKNOWN, f"survey `{key}`", found="no definition of that key",
                     expected=f"one of the {len(known)} that `tsm surveys` lists",
                     remedy=nearest(key, known))
    return load_survey(_file(key))


def _file(key: str) -> Path:
    return DATA / f"{key}.yaml"
