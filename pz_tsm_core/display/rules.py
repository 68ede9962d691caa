"""What the rules of surveys do, from a notebook and by `tsm surveys`: explain, check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pz_tsm_core.display.explained import explained
from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.display.rule_files import rule_file_grids
from pz_tsm_core.display.surveys import find_survey
from pz_tsm_core.errors import Problems, TsmError
from pz_tsm_core.files import expanded
from pz_tsm_core.frames import to_arrow
from pz_tsm_core.legacy import RuleFile, is_rule_file, load_rule_file
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops.explain import Explanation, explain
from pz_tsm_core.store import Store
from pz_tsm_core.surveys import check_definitions, remarks
from pz_tsm_core.tables import read, read_product

_NOT_RUN = ("not run over the sample, for it does not say which column is what: "
            "pz_tsm_core.homogenize is told")


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
