"""What is wrong with definitions that somebody writes, all at once; and what is only odd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pz_tsm_core.errors import Code, Problems, TsmError
from pz_tsm_core.model.survey import USER_ORDINAL, Survey
from pz_tsm_core.surveys.definition import load_survey
from pz_tsm_core.surveys.registry import registry


def check_definitions(files: Sequence[Path]) -> dict[Path, Survey]:
    """Read definitions, for the registry or of one's own.

    Raises
    ------
    TsmError
        with every mistake of every file, each with its line.
    """
    read: dict[Path, Survey] = {}
    problems = Problems()
    for path in dict.fromkeys(files):
        try:
            survey = load_survey(path)
        except TsmError as error:
            problems.extend(error.problems)
            continue
        for other, taken in read.items():
            if taken.key == survey.key:
                problems.add(Code.SURVEY_INVALID, f"{path}: key", found=f"`{survey.key}`",
                             expected=f"another key than {other} has",
                             remedy="call one of the two something else")
            elif taken.ordinal == survey.ordinal < USER_ORDINAL:
                problems.add(Code.SURVEY_INVALID, f"{path}: ordinal", found=str(survey.ordinal),
                             expected=f"another ordinal than {other} has",
                             remedy="take the next that is free")
        read[path] = survey
    problems.raise_if_any()
    return read


def remarks(survey: Survey) -> Iterator[str]:
    """What is no mistake, and what its author should know all the same."""
    registered = registry().get(survey.key)
    same_place = {each.ordinal for each in registry().values()} - (
        {registered.ordinal} if registered else set())
    if survey.ordinal < USER_ORDINAL and (registered is None or registered.digest != survey.digest):
        yield f"as a survey of your own it needs an ordinal from {USER_ORDINAL} on"
    if registered is not None and survey.ordinal >= USER_ORDINAL:
        yield "the registry has a survey of that key: call yours something else"
    if survey.ordinal in same_place:
        yield f"ordinal {survey.ordinal} is that of another survey of the registry"
    if not survey.types:
        yield "no `types`: say of each native column whether it is int, float, text or bool"
    if survey.evidence is None:
        yield "no `evidence`: say which table or page tells what columns and flags mean"
    yield from (f"unverified: {fact}" for fact in survey.unverified)
    if not survey.quality.rules:
        yield "no quality rules: every row gets the same"
