"""The surveys that the library knows: one YAML file each, named by its key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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


def get_survey(key: str, own: Mapping[str, Survey] | None = None) -> Survey:
    """The survey of that key; no other of the library is read.

    Parameters
    ----------
    own : surveys of a user's own by their keys, as `own_surveys` reads them

    Raises
    ------
    TsmError
        `survey.unknown`, with the nearest key there is; every mistake of the definition.

    Examples
    --------
    >>> get_survey("desi_dr1").release
    'DR1'
    """
    own = own or {}
    if key in own:
        return own[key]
    if key in survey_keys():
        return _registered(key)
    known = sorted({*survey_keys(), *own})
    raise refuse(Code.SURVEY_UNKNOWN, f"survey `{key}`", found="no definition of that key",
                 expected=f"one of the {len(known)} that `tsm surveys` lists",
                 remedy=_meant(key, known))


def _meant(key: str, known: Sequence[str]) -> str:
    """Which survey somebody means: people write DESI-DR1, or a name without its release."""
    plain = re.sub(r"\W", "_", key.lower())
    releases = [each for each in known if each == plain or each.startswith(f"{plain}_")]
    if releases:
        return f"did you mean {' or '.join(f'`{each}`' for each in releases)}?"
    return nearest(plain, known)


@cache
def _registered(key: str) -> Survey:
    return load_survey(_file(key))


def _file(key: str) -> Path:
    return DATA / f"{key}.yaml"
