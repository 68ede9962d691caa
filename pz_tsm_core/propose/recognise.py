"""Whether a table has the native shape of a known survey."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pz_tsm_core.inspection.column import Column
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.propose.vocabulary import plain, vocabulary
from pz_tsm_core.surveys import registry

#: Points of a native column that is there: of a name of many surveys, of one of few.
_COMMON, _OWN = 1, 3
#: Points of a file name, or a column of one text, that says all words of the key of the survey, or
#: the first of them alone: `desi` says nothing of the release.
_NAMED, _HALF_NAMED = 6, 3
#: With every native column there, so many points make the survey.
_ENOUGH = 8
#: A survey of which so many native columns are there is worth a word.
_ALIKE = 0.6
#: What makes of two surveys with the same columns two different tables.
_DECISION: dict[str, Any] = {"rules": {"__all__": {"when", "then"}}, "otherwise": True}
_READING: dict[str, Any] = {"columns": True, "quality": _DECISION, "object_class": _DECISION,
                            "instrument_type": _DECISION}


@dataclass(frozen=True)
class Likeness:
    """How much a table looks like a survey's own.

    Parameters
    ----------
    missing : native columns that the table lacks, sorted
    named_by : what names the survey: the file, or a column; empty where nothing does
    """

    survey: Survey
    missing: tuple[str, ...]
    named_by: str
    points: int

    @property
    def is_whole(self) -> bool:
        """Whether the table can be read as the survey's, and is its own by all that is seen."""
        return not self.missing and self.points >= _ENOUGH

    @property
    def share(self) -> float:
        """Share of the native columns that are there."""
        return 1 - len(self.missing) / len(self.survey.native_columns)

    def is_rival_of(self, other: Likeness) -> bool:
        """Whether as much speaks for this survey as for the other."""
        return self.is_whole and other.is_whole and self.points == other.points

    def reads_as(self, other: Likeness) -> bool:
        """Whether the two surveys make the same of every row."""
        mine, theirs = (one.survey.model_dump(include=_READING) for one in (self, other))
        return mine == theirs

    def __str__(self) -> str:
        needed = len(self.survey.native_columns)
        told = f"{needed - len(self.missing)} of the {needed} columns of {self.survey.name}"
        return f"{told}, named by {self.named_by}" if self.named_by else told


def likenesses(
    file_name: str, columns: Sequence[Column], known: Mapping[str, Survey] | None = None
) -> tuple[Likeness, ...]:
    """Surveys that the table resembles, the most alike first.

    Parameters
    ----------
    file_name : without folders; people name files after surveys
    known : surveys by their keys; the registry by default
    """
    names = {column.name for column in columns}
    said = {**_words_of_columns(columns), **dict.fromkeys(plain(file_name).split("_"), "the file")}
    surveys = (registry() if known is None else known).values()
    found = [_likeness(survey, names, said) for survey in surveys]
    alike = [one for one in found if one.share >= _ALIKE]
    return tuple(sorted(alike, key=lambda one: (
        -one.share, -one.points, -len(_words_said(one.survey, said)), one.survey.ordinal)))


def _likeness(survey: Survey, names: Collection[str], said: dict[str, str]) -> Likeness:
    known = vocabulary()
    there = [name for name in survey.native_columns if name in names]
    points = sum(_COMMON if known.is_common(name) else _OWN for name in there)
    words = _words_said(survey, said)
    if words:
        points += _NAMED if len(words) == len(survey.key.split("_")) else _HALF_NAMED
    return Likeness(survey, tuple(sorted(survey.native_columns - set(there))),
                    said[words[0]] if words else "", points)


def _words_said(survey: Survey, said: Collection[str]) -> list[str]:
    """Words of the key that are said; none without the first, which the others only specify."""
    words = survey.key.split("_")
    return [word for word in words if word in said] if words[0] in said else []


def _words_of_columns(columns: Sequence[Column]) -> dict[str, str]:
    """Texts that fill a whole column, without blanks and hyphens, and the column that says so."""
    constant = (column for column in columns if column.kind == "text" and column.distinct == 1)
    return {re.sub(r"[^a-z0-9]", "", str(next(iter(column.counts), "")).lower()):
            f"column {column.name}" for column in constant}
