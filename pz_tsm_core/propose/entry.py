"""How a table enters a recipe: as a known survey's, by its columns, or with a definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from pz_tsm_core.errors import TsmError
from pz_tsm_core.inspection.column import Column
from pz_tsm_core.model.quality import InstrumentType
from pz_tsm_core.model.recipe import UserTable
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops.standardize import Standardized, standardize
from pz_tsm_core.propose.definition import definition_text
from pz_tsm_core.propose.findings import Finding
from pz_tsm_core.propose.own import OwnTable, understand
from pz_tsm_core.propose.recognise import Likeness, likenesses
from pz_tsm_core.surveys import parse_survey, survey_of_table

#: Share of the rows that the quality rules of a survey must decide for its table to be its own.
_DECIDED = 0.8
#: Keys of `columns` in an entry of `redshifts.tables`, in the order in which people look for them.
_ROLES = ("id", "ra", "dec", "z", "z_err", "quality")


@dataclass(frozen=True)
class Entry:
    """An entry of `redshifts`, tried on the table.

    Parameters
    ----------
    kind : `survey` of the registry, `table` by its columns, or `definition` of its own
    name : of the table; the key of a survey of the registry
    columns : of a `table`, by what they hold
    definition : text of the definition, if it needs one
    trial : what became of every row
    """

    kind: Literal["survey", "table", "definition"]
    name: str
    trial: Standardized
    findings: tuple[Finding, ...]
    columns: dict[str, str]
    definition: str | None = None
    instrument_type: InstrumentType = InstrumentType.SPECTROSCOPIC


def as_survey(
    file_name: str, table: pa.Table, columns: Sequence[Column],
    known: Mapping[str, Survey] | None = None,
) -> Entry | None:
    """The entry of a table in the native shape of a known survey; None for any other."""
    alike = likenesses(file_name, columns, known)
    rivals = [one for one in alike if one.is_rival_of(alike[0])]
    tried = [(one, trial) for one in rivals if (trial := _as_its_own(table, one.survey))]
    if not tried:
        return None
    (best, trial), *others = tried
    if not all(one.reads_as(best) for one, _ in others):
        return None  # to choose one would be to guess what its flags say
    return Entry("survey", best.survey.key, trial, tuple(_recognised(best, alike)), {})


def _as_its_own(table: pa.Table, survey: Survey) -> Standardized | None:
    """The table as the survey's, if its values are so, too: most flags are in the rules."""
    try:
        trial = _tried(table, survey)
    except TsmError:  # the same names, with values of another kind
        return None
    given = trial.rows.given
    undecided = trial.rule_hits["quality: otherwise"] if survey.quality.rules else 0
    return trial if given and undecided <= (1 - _DECIDED) * given else None


def _recognised(best: Likeness, alike: Sequence[Likeness]) -> Iterator[Finding]:
    yield Finding("survey", f"recognised: {best}")
    rest = [one for one in alike if one is not best]
    rivals = [one.survey.key for one in rest if one.is_rival_of(best)]
    if rivals:
        yield Finding("survey", f"as much speaks for {', '.join(rivals)}: write the right key",
                      check=True)
    elif rest:
        yield Finding("survey", f"next best: {rest[0].survey.key}, {rest[0]}")


def as_own(
    name: str, file_name: str, table: pa.Table, columns: Sequence[Column]
) -> Entry:
    """The entry of a table of one's own: by its columns where that tells it all.

    Raises
    ------
    TsmError
        as `understand`
    """
    own = understand(columns)
    findings = (*own.findings, *_resembling(file_name, columns))
    if own.is_simple:
        return _as_table(name, table, own, findings)
    text = definition_text(own, findings, name=name, label=file_name, rows=len(table))
    survey = parse_survey(text, f"{name}.survey.yaml")
    return Entry("definition", name, _tried(table, survey), findings, {}, text)


def _as_table(name: str, table: pa.Table, own: OwnTable, findings: tuple[Finding, ...]) -> Entry:
    mapping = own.mapping
    choices = {"id": mapping.id, "z": mapping.z, "z_err": mapping.z_err}
    columns = {"ra": mapping.ra.columns[0].name, "dec": mapping.dec.columns[0].name,
               **{role: choice.column.name for role, choice in choices.items() if choice}}
    if own.flag:
        columns["quality"] = own.flag.column.name
    columns = {role: columns[role] for role in _ROLES if role in columns}
    kind = InstrumentType.PHOTOMETRIC if own.is_photometric else InstrumentType.SPECTROSCOPIC
    said = UserTable.model_validate(
        {"name": name, "file": "in memory", "columns": columns, "instrument_type": kind})
    survey = survey_of_table(said)
    return Entry("table", name, _tried(table, survey), findings, columns, instrument_type=kind)


def _resembling(file_name: str, columns: Sequence[Column]) -> list[Finding]:
    """The survey whose columns are all, or nearly all, there, and its rivals."""
    best, *rest = likenesses(file_name, columns) or (None,)
    if best is None:
        return []
    lacks = f"; it lacks {', '.join(best.missing)}" if best.missing else ""
    rivals = [one.survey.key for one in rest if one.is_rival_of(best)]
    as_much = f"; as much speaks for {', '.join(rivals)}" if rivals else ""
    return [Finding("survey", f"resembles {best}: if it is that survey's own file, write "
                              f"`survey: {best.survey.key}`{lacks}{as_much}")]


def _tried(table: pa.Table, survey: Survey) -> Standardized:
    return standardize(table, survey, bad_positions="drop")
