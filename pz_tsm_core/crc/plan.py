"""A configuration with everything that it names: checked, and every mistake told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pz_tsm_core.crc.config import Config, Flat, Nested, NestedParam, is_nested, prefix_of
from pz_tsm_core.crc.mistakes import (
    doubled_catalogs,
    missing_columns,
    missing_files,
    unknown_keys,
    wrong_parameters,
)
from pz_tsm_core.crc.settings import Settings, settings_of
from pz_tsm_core.errors import Code, Problems, TsmError
from pz_tsm_core.existing.mistakes import file_named
from pz_tsm_core.files import read_document
from pz_tsm_core.legacy import RuleFile, load_rule_file
from pz_tsm_core.model.document import Document, Loc, build


@dataclass(frozen=True)
class Input:
    """A catalogue to combine.

    Parameters
    ----------
    name : its internal name, which becomes `source`
    prefix : the digits that begin its CRD_IDs
    columns : standard name -> native name; None where there is none
    where : its place in the configuration, for messages
    """

    name: str
    prefix: str
    path: Path
    columns: Mapping[str, str | None]
    where: Loc


@dataclass(frozen=True)
class Plan:
    """A configuration whose files are there and whose rules are read.

    Parameters
    ----------
    remarks : what was passed over, though it stands there
    """

    document: Document
    config: Config
    inputs: tuple[Input, ...]
    rule_file: Path
    rules: RuleFile
    settings: Settings
    remarks: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        """The format of the product."""
        return self.config.output_format or "parquet"


def load_plan(path: str | Path) -> Plan:
    """Read a configuration; relative paths in it start at its folder, then at the working folder.

    Raises
    ------
    TsmError
        with every mistake of the file, every file that is not there, and every mistake of the
        rule file.
    """
    file = Path(path)
    return plan_of(read_document(file, code=Code.LEGACY_CONFIG), file.resolve().parent)


def plan_of(document: Document, root: Path) -> Plan:
    """Make a plan of a document whose relative paths start at `root`; as `load_plan`."""
    problems = Problems()
    config, param = _read(document, problems)
    remarks = unknown_keys(document, problems)
    doubled_catalogs(document, problems)
    paths = missing_files(document, root, problems)
    rule_file, rules = _rules(document, root, problems)
    if param and rules:
        wrong_parameters(param, rules, problems)
    if problems.found:  # else the columns are looked at when the catalogues are read
        missing_columns(document, paths, problems)
    problems.raise_if_any()
    if not (config and param and rules and rule_file):
        raise AssertionError("what cannot be read was told")  # pragma: no cover
    settings, more = settings_of(param, rules, nested=is_nested(document.content.get("param")))
    inputs = tuple(
        Input(entry.internal_name, prefix_of(entry.internal_name), path, entry.columns, loc)
        for entry, (loc, path) in zip(config.inputs.specz, paths.items(), strict=True))
    return Plan(document, config, inputs, rule_file, rules, settings, (*remarks, *more))


def _read(
    document: Document, problems: Problems
) -> tuple[Config | None, NestedParam | None]:
    """The configuration in two parts, as far as they can be read."""
    config = param = None
    try:
        config = build(Config, document)
    except TsmError as error:
        problems.extend(error.problems)
    try:
        param = _param(document)
    except TsmError as error:
        problems.extend(error.problems)
    return config, param


def _param(document: Document) -> NestedParam:
    """`param` in the newer layout, whichever it has."""
    if is_nested(document.content.get("param")):
        return build(Nested, document).param
    return build(Flat, document).param.nested()


def _rules(
    document: Document, root: Path, problems: Problems
) -> tuple[Path | None, RuleFile | None]:
    """The rule file, if it is named, is there and can be read."""
    param: Any = document.content.get("param")
    if not isinstance(param, Mapping):
        return None, None
    loc: Loc = ("param", "run") if is_nested(param) else ("param",)
    told = param.get("run") if is_nested(param) else param
    name = told.get("flags_translation_file") if isinstance(told, Mapping) else None
    if not isinstance(name, str) or not name:
        return None, None
    path = file_named(name, root)
    if path is None:
        problems.add(Code.FILE_MISSING, document.where((*loc, "flags_translation_file")),
                     found=f"no file {name}", expected="a rule file in YAML",
                     remedy=f"correct the path; it counts from {root}, then from here")
        return None, None
    try:
        return path, load_rule_file(path)
    except TsmError as error:
        problems.extend(error.problems)
        return path, None
