"""What can be wrong with a configuration beyond its types: names, files, what doubles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pz_tsm_core.crc.config import (
    STANDARD_NAMES,
    Config,
    FlatParam,
    NestedParam,
    Specz,
    is_nested,
    prefix_of,
)
from pz_tsm_core.crc.headers import mapped
from pz_tsm_core.errors import Code, Problems, TsmError
from pz_tsm_core.existing.headers import check_columns, read_header
from pz_tsm_core.existing.mistakes import entries, placed, table_named, unknown_in
from pz_tsm_core.legacy import Output, RuleFile
from pz_tsm_core.model.document import Document, Loc


def missing_files(document: Document, root: Path, problems: Problems) -> dict[Loc, Path]:
    """Paths of the catalogues that are there, by their places; the others are noted."""
    tables = {loc: table_named(entry.get("path"), (*loc, "path"), document, root, problems)
              for loc, entry in entries(document)}
    return {loc: table for loc, table in tables.items() if table}


def missing_columns(
    document: Document, paths: Mapping[Loc, Path], problems: Problems
) -> None:
    """Note mapped columns that files lack, and files that cannot be read."""
    for loc, entry in entries(document):
        columns = entry.get("columns")
        if loc not in paths or not isinstance(columns, Mapping):
            continue
        try:
            names = read_header(paths[loc]).names
        except TsmError as error:
            problems.extend(placed(error.problems, document.where(loc)))
            continue
        told = {str(name): native for name, native in columns.items()
                if isinstance(native, str) and native not in ("", "null")}
        check_columns(mapped(told, names), names, document, loc, problems)


def unknown_keys(document: Document, problems: Problems) -> tuple[str, ...]:
    """Note keys that are misspelt, and give remarks on those that nobody knows.

    The existing pipeline passes over unknown keys, except in the newer layout of `param`, where
    they are refused when it is read.
    """
    top = (*Config.model_fields, "param")
    remarks = [*unknown_in((), document.content, top, document, problems)]
    param = document.content.get("param")
    if not is_nested(param):
        remarks += unknown_in(("param",), param, FlatParam.model_fields, document, problems)
    for loc, entry in entries(document):
        remarks += unknown_in(loc, entry, Specz.model_fields, document, problems)
        columns = entry.get("columns")
        list(unknown_in((*loc, "columns"), columns, STANDARD_NAMES, document, problems))
    return tuple(remarks)


def doubled_catalogs(document: Document, problems: Problems) -> None:
    """Note catalogues whose rows would get the ids of another's."""
    taken: dict[str, str] = {}
    for loc, entry in entries(document):
        name = str(entry.get("internal_name"))
        digits = prefix_of(name)
        if digits in taken:
            problems.add(
                Code.ID_COLLISION, document.where((*loc, "internal_name")),
                found=f"the digits {digits} of `{name}` a second time",
                expected="other digits in every internal_name: they begin its CRD_IDs",
                remedy=f"change them here or in `{taken[digits]}`")
        elif digits:  # without digits it is told where types are checked
            taken[digits] = name


def wrong_parameters(param: NestedParam, rules: RuleFile, problems: Problems) -> None:
    """Note what the rule file must say for duplicates to be found, and does not."""
    def note(key: str, **told: str) -> None:
        problems.add(Code.LEGACY_FILE, f"{rules.name}: {key}", **told)

    told = rules.parameters
    priority = told.tiebreaking_priority or ()
    for name in sorted({name for name in priority if priority.count(name) > 1}):
        note("tiebreaking_priority", found=f"`{name}` twice", expected="every column once",
             remedy="remove one of the two")
    if param.run.combine_type == "concatenate":
        return
    if not priority:
        note("tiebreaking_priority", found="no columns",
             expected=f"at least one, for {param.run.combine_type}",
             remedy="add z_flag_homogenized, instrument_type_homogenized")
    if Output.INSTRUMENT_TYPE.column in priority and told.instrument_type_priority is None:
        note("instrument_type_priority", found="nothing",
             expected="a number for each of s, g and p: ties are decided by it",
             remedy="add {s: 3, g: 2, p: 1}")
    radius, reach = told.crossmatch_radius_arcsec or 0, told.max_representative_radius_arcsec
    if reach is not None and reach < radius:
        note("max_representative_radius_arcsec", found=f"{reach:g}",
             expected=f"at least crossmatch_radius_arcsec, {radius:g}",
             remedy="enlarge it, or remove it")
