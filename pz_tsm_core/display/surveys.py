"""The registry from a notebook and by `tsm surveys`: list, search, show, check, explain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pz_tsm_core.display.card import card
from pz_tsm_core.display.explained import explained
from pz_tsm_core.display.listing import listed
from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.display.rule_files import rule_file_grids
from pz_tsm_core.errors import Problems, TsmError
from pz_tsm_core.files import expanded
from pz_tsm_core.frames import to_arrow
from pz_tsm_core.legacy import RuleFile, is_rule_file, load_rule_file
from pz_tsm_core.model.document import checked
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops.explain import Explanation, explain
from pz_tsm_core.store import Store
from pz_tsm_core.surveys import (
    Search,
    check_definitions,
    get_survey,
    known_surveys,
    load_survey,
    own_surveys,
    position_of,
    remarks,
    search,
    survey_keys,
)
from pz_tsm_core.tables import read, read_product

_NOT_RUN = ("not run over the sample, for it does not say which column is what: "
            "pz_tsm_core.homogenize is told")


def list_surveys(
    words: str = "",
    *,
    at: str | tuple[float, float] | None = None,
    radius: float = 0.0,
    z: tuple[float, float] | None = None,
    instrument_type: str | None = None,
    facility: str = "",
    survey_path: str | Path | None = None,
) -> Page:
    """List the surveys that recipes can name, or those that are meant.

    A survey whose definition does not say where it looked, or at which redshifts, is listed apart.

    Parameters
    ----------
    words : all of which stand in its key, names, facility, release or footprint
    at : a position that its footprint holds: ra and dec in degrees, or text such as
        "10:00:24 +02:12:00"
    radius : degrees around `at` that its footprint must touch
    z : a range of redshifts that its own must touch
    instrument_type : of at least some of its rows: s, g or p
    survey_path : a folder of definitions of your own

    Examples
    --------
    >>> list_surveys("vandels", at="53.1 -27.8").to_pandas()["key"].tolist()
    ['vandels']
    """
    wanted = checked(
        Search, words=words, at=position_of(at) if isinstance(at, str) else at, radius=radius, z=z,
        instrument_type=instrument_type, facility=facility)
    known = known_surveys(survey_path).values()
    return listed(search(known, wanted), len(known))


def find_survey(survey: str | Survey, survey_path: str | Path | None = None) -> Survey:
    """The survey of a key, of the YAML file of a definition, or as it is.

    Raises
    ------
    TsmError
        `survey.unknown` with the nearest key; as `own_surveys` and `load_survey`.
    """
    if isinstance(survey, Survey):
        return survey
    if Path(survey).suffix in (".yaml", ".yml"):
        return load_survey(expanded(survey))
    return get_survey(survey, own_surveys(survey_path))


def show_survey(survey: str | Survey, *, survey_path: str | Path | None = None) -> Page:
    """Show what is known of a survey: metadata, columns, flag table, credit, how to use it.

    Parameters
    ----------
    survey : its key, the YAML file of its definition, or a definition
    survey_path : a folder of definitions of your own
    """
    found = find_survey(survey, survey_path)
    own = survey_path is not None and found.key not in survey_keys()
    return card(found, str(survey_path) if own else None)


def explain_flags(
    table: Any,
    survey: str | Survey,
    *,
    survey_path: str | Path | None = None,
    store: Store | None = None,
) -> Page:
    """Show which rule of a survey decides how many rows of a table, and what no rule decides.

    Parameters
    ----------
    table : a file, a HATS folder, a product of the store, or a pandas, astropy or Arrow table, in
        native columns
    survey : its key, the YAML file of its definition, or a definition
    survey_path : a folder of definitions of your own
    store : looked into for a table that is no path
    """
    found = find_survey(survey, survey_path)
    name, rows = _rows(table, found, store)
    return explained(explain(rows, found), name)


def _rows(table: Any, survey: Survey, store: Store | None = None) -> tuple[str, pa.Table]:
    """What a table is called, and the columns that a survey reads of it."""
    if not isinstance(table, str | Path):
        return "table", to_arrow(table)
    columns = sorted(survey.native_columns)
    product = read_product(table, store, columns)
    if product is None:
        return Path(table).name, read(expanded(table), columns)
    version, rows = product
    return str(version), rows


def check_survey(*files: str | Path, sample: Any = None) -> Page:
    """Check definitions of surveys; say what is odd, and what the rules make of a sample.

    Rule files of the existing pipeline are checked as well: their surveys, and whether each of
    their expressions has a translation.

    Parameters
    ----------
    sample : a table, or its file, in the native columns of every definition

    Raises
    ------
    TsmError
        with every mistake of every file, each with its line; what keeps the sample from being read
    """
    read_, rule_files = _whole([expanded(file) for file in files])
    explanations = {path: explain(_rows(sample, survey)[1], survey)
                    for path, survey in read_.items() if sample is not None}
    lines = tuple(_checked(path, survey) for path, survey in read_.items())
    said = [(survey.key, text) for path, survey in read_.items()
            for text in (*remarks(survey), *_silent(explanations.get(path)))]
    if sample is not None:
        said += [(file.name, _NOT_RUN) for file in rule_files.values()]
    facts: dict[str, Cell] = {}
    grids = rule_file_grids(rule_files) if rule_files else {}
    if lines:
        grids["definitions"] = Grid("definitions", ("file", "key", "columns", "rules"), lines,
                                    frozenset({"columns", "rules"}))
    if said:
        grids["remarks"] = Grid("no mistakes, but worth knowing", ("key", "remark"), tuple(said))
    for path, explanation in explanations.items():
        page = explained(explanation, path.name)
        key = explanation.survey.key
        facts[f"{key}: sample"] = ", ".join(
            f"{name} {text}" for name, text in page.said.items())
        grids.update((f"{key}: {name}", grid) for name, grid in page.grids.items())
    whole = len(read_) + len(rule_files)
    return Page(f"{whole} whole" if whole > 1 else "whole", facts, grids)


def _whole(files: Sequence[Path]) -> tuple[dict[Path, Survey], dict[Path, RuleFile]]:
    """Definitions and rule files, or the mistakes of all of them."""
    definitions, rule_files = dict[Path, Survey](), dict[Path, RuleFile]()
    older = {file: is_rule_file(file) for file in files}
    problems = Problems()
    try:
        definitions = check_definitions([file for file in older if not older[file]])
    except TsmError as error:
        problems.extend(error.problems)
    for file in (file for file in older if older[file]):
        try:
            rule_files[file] = load_rule_file(file)
        except TsmError as error:
            problems.extend(error.problems)
    problems.raise_if_any()
    return definitions, rule_files


def _checked(path: Path, survey: Survey) -> tuple[Cell, ...]:
    rules: Sequence[int] = [len(part.rules) for part in (
        survey.quality, survey.object_class, survey.instrument_type)]
    return str(path), survey.key, len(survey.native_columns), sum(rules)


def _silent(explanation: Explanation | None) -> list[str]:
    """Rules that decide no row of a sample: misspelt, hidden by an earlier one, or not shown."""
    if explanation is None:
        return []
    return [f"no row of the sample is decided by {part.quantity}: {rule.when}"
            for part in explanation.quantities for rule in part.rules
            if not rule.rows and rule.when != "otherwise"]
