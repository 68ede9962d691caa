"""Surveys of a user's own: definitions in a folder or beside a recipe, and plain tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pz_tsm_core.errors import Code, Problems, TsmError, refuse
from pz_tsm_core.files import expanded, read_document
from pz_tsm_core.model.quality import Quality
from pz_tsm_core.model.recipe import UserTable
from pz_tsm_core.model.survey import USER_ORDINAL, Survey
from pz_tsm_core.surveys.definition import load_survey
from pz_tsm_core.surveys.registry import registry, survey_keys

_SOURCE = "the user's recipe"

#: Endings of the files of a folder that are read as definitions.
_ENDINGS = (".yaml", ".yml")

#: What is believed of a table that says nothing of its sentinels (-99, -1, 9999 ...).
_Z = (-0.01, 15)
_Z_ERR = (0, 15)


def own_definition(path: Path) -> Survey:
    """Read the definition that a user wrote beside a recipe, in the form of the registry's own.

    Raises
    ------
    TsmError
        as `load_survey`; `survey.invalid` when it takes the key or a place of the registry.
    """
    survey, problems = load_survey(path), Problems()
    if survey.key in survey_keys():
        problems.add(Code.SURVEY_INVALID, f"{path}: key", found=f"`{survey.key}`",
                     expected="a key that no survey of the registry has",
                     remedy="call yours something else")
    if survey.ordinal < USER_ORDINAL:
        problems.add(Code.SURVEY_INVALID, f"{path}: ordinal", found=str(survey.ordinal),
                     expected=f"at least {USER_ORDINAL}: smaller ones are the registry's",
                     remedy=f"write `ordinal: {USER_ORDINAL}`")
    problems.raise_if_any()
    return survey


def own_surveys(folder: str | Path | None) -> Mapping[str, Survey]:
    """Surveys of a user's own by their keys, from a folder of definitions; none without one.

    Every YAML file of the folder is a definition, but for recipes, which are passed over.

    Raises
    ------
    TsmError
        with every mistake of every definition; `file.missing` when there is no such folder.
    """
    own: dict[str, Survey] = {}
    problems = Problems()
    for path in _definitions(expanded(folder)) if folder is not None else ():
        try:
            survey = own_definition(path)
        except TsmError as error:
            problems.extend(error.problems)
            continue
        if survey.key in own:
            problems.add(Code.SURVEY_INVALID, f"{path}: key", found=f"`{survey.key}`",
                         expected="a key that no other definition of the folder has",
                         remedy="call one of the two something else")
        own[survey.key] = survey
    problems.raise_if_any()
    ordered = sorted(own.values(), key=lambda survey: (survey.ordinal, survey.key))
    return MappingProxyType({survey.key: survey for survey in ordered})


def known_surveys(folder: str | Path | None = None) -> Mapping[str, Survey]:
    """All surveys of the library, and behind them those of a user's own, by key.

    Raises
    ------
    TsmError
        as `own_surveys`
    """
    return MappingProxyType({**registry(), **own_surveys(folder)})


def _definitions(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)
    except OSError as error:
        raise refuse(Code.FILE_MISSING, str(folder), found=error.strerror or str(error),
                     expected="a folder of survey definitions", remedy="correct the path") from None
    return (path for path in files if not _is_recipe(path))


def _is_recipe(path: Path) -> bool:
    try:
        return "redshifts" in read_document(path, code=Code.SURVEY_INVALID).content
    except TsmError:
        return False  # told when it is read as a definition


def survey_of_table(table: UserTable) -> Survey:
    """The definition that a recipe's `redshifts.tables` entry amounts to."""
    columns: dict[str, Any] = {
        "ra": {"from": table.columns["ra"], "unit": "deg"},
        "dec": {"from": table.columns["dec"], "unit": "deg"},
        "z": {"from": table.columns["z"], "valid": _Z},
    }
    if "id" in table.columns:
        columns["id"] = {"from": table.columns["id"]}
    if "z_err" in table.columns:
        columns["z_err"] = {"from": table.columns["z_err"], "nulls": [0], "valid": _Z_ERR}
    if "quality" in table.columns:
        columns["native_flag"] = {"from": table.columns["quality"]}
    for name in ("pos_err", "snr"):
        if name in table.columns:
            columns[name] = {"from": table.columns[name]}
    return Survey.model_validate({
        "schema": 1,
        "key": table.name,
        "ordinal": USER_ORDINAL,
        "name": table.name,
        "facility": "user",
        "release": "user",
        "year": table.year,
        "columns": columns,
        "quality": _quality(table),
        "object_class": {"otherwise": table.object_class, "source": _SOURCE},
        "instrument_type": {"otherwise": table.instrument_type, "source": _SOURCE},
    })


def _quality(table: UserTable) -> dict[str, Any]:
    """Quality of every row: the column that the user names, else one value for all."""
    if "quality" not in table.columns:
        return {"otherwise": table.quality, "source": _SOURCE}
    column = table.columns["quality"].replace("`", "")
    rules = [{"when": f"`{column}` == {level}", "then": level, "source": _SOURCE}
             for level in reversed(Quality)]
    return {"rules": rules, "otherwise": None, "source": _SOURCE}
