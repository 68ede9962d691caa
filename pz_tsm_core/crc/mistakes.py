"""What can be wrong with a configuration beyond its types: names, files, what doubles."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pz_tsm_core.crc.config import (
    STANDARD_NAMES,
    Config,
    FlatParam,
    NestedParam,
    Specz,
    is_nested,
    prefix_of,
)
from pz_tsm_core.crc.headers import check_columns, mapped, read_header
from pz_tsm_core.errors import Code, Problems, TsmError, nearest
from pz_tsm_core.files import expanded
from pz_tsm_core.legacy import Output, RuleFile
from pz_tsm_core.model.document import Document, Loc
from pz_tsm_core.sky.catalog import is_hats

#: A key this near to a known one is a misspelling of it.
_NEAR = 0.75


def entries(document: Document) -> Iterator[tuple[Loc, Mapping[Any, Any]]]:
    """Catalogues as far as they are mappings, whatever else is wrong with them."""
    inputs = document.content.get("inputs")
    listed = inputs.get("specz") if isinstance(inputs, Mapping) else None
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, Mapping):
            yield ("inputs", "specz", index), entry


def file_named(name: str, root: Path) -> Path | None:
    """What a path names, from `root` or from the working folder."""
    for folder in (root, Path.cwd()):
        path = folder / expanded(name)
        if path.exists():
            return path
    return None


def missing_files(document: Document, root: Path, problems: Problems) -> dict[Loc, Path]:
    """Paths of the catalogues that are there, by their places; the others are noted."""
    paths = {}
    for loc, entry in entries(document):
        name = entry.get("path")
        if not isinstance(name, str) or not name:
            continue  # told where types are checked
        path = file_named(name, root)
        table = path and _table_at(path)
        if table:
            paths[loc] = table
            continue
        found = f"no file {name}" if path is None else f"a folder without a catalogue, {name}"
        problems.add(Code.FILE_MISSING, document.where((*loc, "path")), found=found,
                     expected="a table, or a folder with a HATS catalogue",
                     remedy=f"correct the path; it counts from {root}, then from here")
    return paths


def _table_at(path: Path) -> Path | None:
    """The file, or the HATS catalogue that a folder is or holds a few levels below."""
    if path.is_file() or is_hats(path):
        return path
    below = (folder for level in ("*", "*/*", "*/*/*") for folder in sorted(path.glob(level)))
    return next((folder for folder in below if folder.is_dir() and is_hats(folder)), None)


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
            problems.extend(replace(each, where=f"{document.where(loc)}: {each.where}")
                            for each in error.problems)
            continue
        told = {str(name): native for name, native in columns.items()
                if isinstance(native, str) and native not in ("", "null")}
        check_columns(mapped(told, names), names, document, loc, problems)


def unknown_keys(document: Document, problems: Problems) -> tuple[str, ...]:
    """Note keys that are misspelt, and give remarks on those that nobody knows.

    The existing pipeline passes over unknown keys, except in the newer layout of `param`, where
    they are refused when it is read.
    """
    remarks = [*_unknown((), document.content, Config.model_fields, document, problems, "param")]
    param = document.content.get("param")
    if isinstance(param, Mapping) and not is_nested(param):
        remarks += _unknown(("param",), param, FlatParam.model_fields, document, problems)
    for loc, entry in entries(document):
        remarks += _unknown(loc, entry, Specz.model_fields, document, problems)
        columns = entry.get("columns")
        if isinstance(columns, Mapping):
            list(_unknown((*loc, "columns"), columns, STANDARD_NAMES, document, problems))
    return tuple(remarks)


def _unknown(
    loc: Loc, content: Mapping[Any, Any], known: Iterable[str], document: Document,
    problems: Problems, *more: str,
) -> Iterator[str]:
    names = (*known, *more)
    for key in content:
        if key in names:
            continue
        if difflib.get_close_matches(str(key), names, n=1, cutoff=_NEAR):
            problems.add(Code.LEGACY_CONFIG, document.where((*loc, key)),
                         found=f"unknown key `{key}`", expected="one of " + ", ".join(names),
                         remedy=nearest(str(key), names))
        else:
            yield f"{document.where((*loc, key))}: nobody knows this key; it is passed over"


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
