"""A recipe for a table of redshifts: everything that can be seen, written down to be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from pz_tsm_core.errors import Code, Problems, TsmError, refuse
from pz_tsm_core.files import expanded
from pz_tsm_core.inspection.column import columns_of
from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.document import build, parse_document
from pz_tsm_core.model.policy import Name
from pz_tsm_core.model.quality import Quality
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.propose.catalog import Sky, look_at_catalog
from pz_tsm_core.propose.entry import Entry, as_own, as_survey
from pz_tsm_core.propose.findings import Finding
from pz_tsm_core.propose.findings import rows as counted
from pz_tsm_core.propose.look import Origin, Seen, find
from pz_tsm_core.propose.publish import publish
from pz_tsm_core.propose.recipe_text import Draft, recipe_text
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import Store
from pz_tsm_core.surveys import known_surveys, registry

_LONGEST_NAME = 40


@dataclass(frozen=True)
class Proposal:
    """A recipe that runs, and why it is as it is.

    Parameters
    ----------
    recipe_file, recipe : where the recipe goes, and its text
    definition_file, definition : of the table's flags and columns; None where the recipe tells all
    survey : key of the known survey that the table is of; None for a table of one's own
    columns : standard column -> column of the table, where the recipe itself says so
    findings : what was seen and assumed; `check` marks guesses
    rows : rows of the table, rows with a position and a redshift, and why the others left
    secure : rows of quality 3 or better
    right : data right that a run of the recipe needs; None where it needs none
    """

    recipe_file: Path
    recipe: str
    definition_file: Path | None
    definition: str | None
    survey: str | None
    columns: dict[str, str]
    findings: tuple[Finding, ...]
    rows: Rows
    secure: int
    right: str | None

    def write(self) -> None:
        """Write the recipe, and the definition that it names; both or none, never over a file.

        Raises
        ------
        TsmError
            `output.exists`, `output.write`; whatever `load_recipe` finds.
        """
        texts = {self.recipe_file: self.recipe}
        if self.definition_file is not None and self.definition is not None:
            texts[self.definition_file] = self.definition
        with publish(texts):
            load_recipe(self.recipe_file)


def propose_recipe(
    table: str | Path,
    *,
    catalog: str | Path | None = None,
    release: str | None = None,
    dust: str | Path | None = None,
    output: str | Path = "recipe.yaml",
    name: str | None = None,
    own: bool = False,
    survey_path: str | Path | None = None,
    store: Store | None = None,
) -> Proposal:
    """Look at a table of redshifts and propose the recipe that makes a training set of it.

    Columns, flags and sentinels are told from names, units, UCDs and values; a table in the
    native shape of a registered survey is recognised. Nothing is written before `write`.

    Parameters
    ----------
    table : a file of any format that can be read, a HATS folder, or a product of the store
    catalog : the LSST Object catalogue; without it the recipe ends with the compilation
    release : its release profile, by default the one whose columns it has
    dust : folder of the dust maps, by default `dust` beside the catalogue, or the usual one
    output : the recipe's file; relative paths in it start there
    name : of the table and of the result, by default the file's
    own : a table of one's own, also if it looks like a known survey's
    survey_path : a folder of definitions of one's own, which count as known surveys
    store : looked into for a table that is no path

    Raises
    ------
    TsmError
        for a table that cannot be read, or without a position or redshift in it; for a catalogue
        that is none
    """
    problems, sky, known = Problems(), None, registry()
    try:
        known = known_surveys(survey_path)
    except TsmError as error:
        problems.extend(error.problems)
    _check_name(name, known, problems)
    try:
        origin, seen = find(table, store)
        called = name if name and not problems.found else _name_from(origin, known)
        entry = _entry(called, origin, seen, None if own else known)
    except TsmError as error:
        problems.extend(error.problems)
    try:
        sky = _sky(catalog, release, dust)
    except TsmError as error:
        problems.extend(error.problems)
    problems.raise_if_any()
    told = (*_of_rows(entry), *seen.findings, *entry.findings, *(sky.findings if sky else ()))
    own_folder = None
    if survey_path is not None and entry.kind == "survey" and entry.name not in registry():
        own_folder = _absolute(survey_path)
    return _proposal(Draft(origin, _absolute(output), called, entry, told, sky, own_folder))


def columns_of_product(ref: str, store: Store) -> dict[str, str]:
    """Which column of a table in the store is what, where the columns alone tell it.

    Raises
    ------
    TsmError
        as `propose_recipe`; `recipe.bad-value` for a table that needs a definition of its own.
    """
    origin, seen = find(ref, store)
    entry = as_own(_name_from(origin, registry()), origin.label, seen.table,
                   columns_of(seen.table))
    if entry.kind != "table":
        raise refuse(Code.RECIPE_BAD_VALUE, ref, found="flags or values that need rules",
                     expected="columns that can be used as they are",
                     remedy="name the columns yourself; or have `tsm new recipe` write a "
                            "definition, and run its recipe")
    return entry.columns


def _absolute(path: str | Path) -> Path:
    return expanded(path).absolute()


def _entry(
    name: str, origin: Origin, seen: Seen, known: Mapping[str, Survey] | None
) -> Entry:
    """How the table enters the recipe: as one of the known surveys, unless None, or as its own."""
    columns = columns_of(seen.table)
    entry = None if known is None else as_survey(origin.label, seen.table, columns, known)
    return entry or as_own(name, origin.label, seen.table, columns)


def _sky(catalog: str | Path | None, release: str | None, dust: str | Path | None) -> Sky | None:
    if catalog is None:
        return None
    return look_at_catalog(_absolute(catalog), release, None if dust is None else _absolute(dust))


def _name_from(origin: Origin, known: Mapping[str, Survey]) -> str:
    """A name made of the table's own."""
    words = re.sub(r"[^a-z0-9]+", "_", origin.name.lower())
    name = words[:_LONGEST_NAME].strip("_") or "redshifts"
    return f"my_{name}" if name in known else name


def _check_name(
    name: str | None, known: Mapping[str, Survey], problems: Problems
) -> None:
    """Refuse a name that a table cannot have."""
    try:
        TypeAdapter(Name | None).validate_python(name)
    except ValidationError:
        problems.add(Code.RECIPE_BAD_VALUE, "--name", found=str(name),
                     expected="at most 64 lower-case letters, digits and _", remedy="name it so")
    if name in known:
        problems.add(Code.RECIPE_BAD_VALUE, "--name", found=str(name),
                     expected="a name that no survey has", remedy="call your table something else")


def _of_rows(entry: Entry) -> list[Finding]:
    rows = entry.trial.rows
    lost = sum(rows.dropped.get(reason, 0) for reason in ("no_position", "position_out_of_range"))
    told = [Finding("rows", f"{rows.given} of {rows.taken} rows have a position and a redshift, "
                            f"{_secure(entry)} of them of quality 3 or better",
                    check=not _secure(entry))]
    if lost:
        told.append(Finding("bad_positions", f"dropped: {counted(lost)} without a position on the "
                                             "sphere", check=True))
    return told


def _secure(entry: Entry) -> int:
    """Rows of quality 3 or better."""
    good = pc.greater_equal(entry.trial.table["quality"], int(Quality.SECURE))
    return int(pc.sum(good).as_py() or 0)


def _proposal(draft: Draft) -> Proposal:
    text, sky = recipe_text(draft), draft.sky
    build(Recipe, parse_document(text, draft.target.name))
    return Proposal(
        draft.target, text, draft.definition_file, draft.entry.definition,
        survey=draft.entry.name if draft.entry.kind == "survey" else None,
        columns=draft.entry.columns, findings=draft.findings, rows=draft.entry.trial.rows,
        secure=_secure(draft.entry),
        right=sky.release.data_rights if sky is not None and not sky.public else None,
    )
