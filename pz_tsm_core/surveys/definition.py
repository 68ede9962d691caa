"""A survey definition: YAML into a checked `Survey`, and its rules ready to run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pz_tsm_core.errors import Code, Problems, TsmError
from pz_tsm_core.files import expanded, read_document
from pz_tsm_core.model.document import Document, Loc, build, parse_document
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality
from pz_tsm_core.model.survey import RuleList, Source, Survey
from pz_tsm_core.rules import Expression, Kind, parse

_LISTS = ("quality", "object_class", "instrument_type")
_NUMBERS = ("z", "z_err")


@dataclass(frozen=True)
class SurveyRules:
    """The rules of a survey, parsed.

    Parameters
    ----------
    quality, object_class, instrument_type : conditions with what follows, in order
    formulas : standard column -> the formula that gives it
    """

    quality: tuple[tuple[Expression, Quality], ...]
    object_class: tuple[tuple[Expression, ObjectClass], ...]
    instrument_type: tuple[tuple[Expression, InstrumentType], ...]
    formulas: dict[str, Expression]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Everything that is evaluated over native columns."""
        lists = (*self.quality, *self.object_class, *self.instrument_type)
        return (*(condition for condition, _ in lists), *self.formulas.values())


def load_survey(path: Path) -> Survey:
    """Read a survey definition from a YAML file; paths in its sources start at its folder.

    Raises
    ------
    TsmError
        with every mistake of the file, each with its line.
    """
    survey = _survey(read_document(path, code=Code.SURVEY_INVALID))
    sources = tuple(_beside(source, path.absolute().parent) for source in survey.sources)
    return survey.model_copy(update={"sources": sources})


def _beside(source: Source, folder: Path) -> Source:
    """The source with the path of a local file or catalogue counted from a folder."""
    if not source.url or ":" in source.url or source.service not in ("file", "hats"):
        return source
    return source.model_copy(update={"url": os.path.normpath(folder / expanded(source.url))})


def read_survey(path: Path) -> Survey:
    """Read a definition whose rules are known to be right: none of them is tried.

    Raises
    ------
    TsmError
        with every mistake of the file but those in rules, each with its line.
    """
    return build(Survey, read_document(path, code=Code.SURVEY_INVALID))


def parse_survey(text: str, name: str) -> Survey:
    """Make a survey of the YAML text of its definition; `name` is used in messages."""
    return _survey(parse_document(text, name, code=Code.SURVEY_INVALID))


def _survey(document: Document) -> Survey:
    """Build the survey and try every rule, also those of a definition that is wrong elsewhere."""
    problems, columns = Problems(), None
    try:
        survey = build(Survey, document)
        columns = survey.native_columns
    except TsmError as error:
        problems.extend(error.problems)
    for loc, rule, kind in _texts(document.content):
        try:
            parse(rule, document.where(loc), kind=kind, columns=columns)
        except TsmError as error:
            problems.extend(error.problems)
    problems.raise_if_any()
    return survey


def _texts(content: dict[str, Any]) -> Iterator[tuple[Loc, str, Kind]]:
    """Every rule and formula of a definition that may be wrong in all other respects."""
    for name in _LISTS:
        rules = _get(_get(content, name), "rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(text := _get(rule, "when"), str) and text:
                yield (name, "rules", index, "when"), text, Kind.TRUTH
    for name in _NUMBERS:
        formula = _get(_get(_get(content, "columns"), name), "formula")
        if isinstance(formula, str) and formula:
            yield ("columns", name, "formula"), formula, Kind.NUMBER


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


@lru_cache(maxsize=256)
def survey_rules(survey: Survey) -> SurveyRules:
    """The rules of a survey, parsed."""
    where, columns = f"survey {survey.key}", survey.native_columns
    numbers = {"z": survey.columns.z, "z_err": survey.columns.z_err}

    def parsed(name: str) -> tuple[tuple[Expression, Any], ...]:
        rules: RuleList[Any] = getattr(survey, name)
        return tuple((parse(rule.when, f"{where}, {name}", columns=columns), rule.then)
                     for rule in rules.rules)

    return SurveyRules(
        parsed("quality"), parsed("object_class"), parsed("instrument_type"),
        formulas={
            name: parse(column.formula, f"{where}, columns.{name}", kind=Kind.NUMBER,
                        columns=columns)
            for name, column in numbers.items() if column and column.formula
        },
    )
