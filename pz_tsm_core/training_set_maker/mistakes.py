"""What can be wrong with a configuration beyond its types, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pz_tsm_core.dust import get_map
from pz_tsm_core.errors import Code, Problems, TsmError, nearest
from pz_tsm_core.existing.headers import check_columns, near, read_header
from pz_tsm_core.existing.mistakes import entries, file_named, placed, unknown_in
from pz_tsm_core.model.document import Document, Loc
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.training_set_maker.catalog import LAYOUT, Catalog
from pz_tsm_core.training_set_maker.config import (
    FORMATS,
    Config,
    Crossmatch,
    Dataset,
    DatasetInputs,
    Param,
    Specz,
)
from pz_tsm_core.training_set_maker.photometry import names_given
from pz_tsm_core.training_set_maker.science_catalogs import HatsConfig

#: Standard names that stand for columns of the same name unless they are mapped.
REQUIRED = ("ra", "dec", "z")
#: All that services map.
_STANDARD = ("id", *REQUIRED, "z_flag", "z_err", "survey")
#: Keys that services send and the existing pipeline passes over, or sets itself.
_IDLE: Mapping[Loc, tuple[str, ...]] = {
    ("param",): ("duplicate_criteria",),
    ("param", "crossmatch"): ("output_catalog_name", "suffixes", "suffix_method",
                              "require_right_margin", "log_changes"),
}
#: What a person, or a service, has yet to fill in.
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*>")


def _part(document: Document, loc: Loc) -> Any:
    """What stands at a place, None where nothing does."""
    value: Any = document.content
    for key in loc:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def unknown_keys(document: Document, problems: Problems) -> Iterator[str]:
    """Note keys that are misspelt, and give remarks on those that change nothing."""
    models: dict[Loc, tuple[str, ...]] = {
        (): (*Config.model_fields, "inputs", "param"),
        ("inputs",): (*DatasetInputs.model_fields, "specz"),
        ("inputs", "dataset"): tuple(Dataset.model_fields),
        ("param",): tuple(Param.model_fields),
        ("param", "crossmatch"): tuple(Crossmatch.model_fields),
        ("param", "hats_config"): tuple(HatsConfig.model_fields),
    }
    for key in ("input", "output", "invalid_handling", "dust"):
        part = HatsConfig.model_fields[key].annotation
        assert part is not None  # noqa: S101 - every field has one
        models["param", "hats_config", key] = tuple(part.model_fields)
    for loc, known in models.items():
        names, content = (*known, *_IDLE.get(loc, ())), _part(document, loc)
        # What crossmatch does not know ends the existing pipeline: LSDB is handed all of it.
        yield from unknown_in(loc, content, names, document, problems,
                              strict=loc == ("param", "crossmatch"))
        for key in _IDLE.get(loc, ()):
            if isinstance(content, Mapping) and key in content:
                yield f"{document.where((*loc, key))}: has no effect, as in the existing pipeline"
    for loc, entry in entries(document):
        yield from unknown_in(loc, entry, (*Specz.model_fields, "internal_name"), document,
                              problems)
        yield from unknown_in((*loc, "columns"), entry.get("columns"), _STANDARD, document,
                              problems)


def has_placeholders(document: Document, problems: Problems) -> bool:
    """Note what has yet to be filled in under `hats_config`, such as `<FLUX>`."""
    def walk(loc: Loc, value: Any) -> Iterator[tuple[Loc, str]]:
        if isinstance(value, Mapping):
            for key, part in value.items():
                yield from walk((*loc, key), part)
        elif isinstance(value, list):
            for index, part in enumerate(value):
                yield from walk((*loc, index), part)
        elif isinstance(value, str) and (word := _PLACEHOLDER.search(value)):
            yield loc, word[0]

    here: Loc = ("param", "hats_config")
    left = list(walk(here, _part(document, here)))
    for loc, word in left:
        problems.add(Code.LEGACY_CONFIG, document.where(loc), found=f"{word}, not filled in",
                     expected="the name of a column, or a word",
                     remedy="replace it, as the service does: cModel for <FLUX>, for example")
    return bool(left)


def missing_redshifts(
    entry: Mapping[Any, Any], file: Path, loc: Loc, document: Document, problems: Problems
) -> None:
    """Note mapped columns that the redshifts lack, and a file that cannot be read."""
    try:
        names = read_header(file).names
    except TsmError as error:
        problems.extend(placed(error.problems, document.where(loc)))
        return
    columns = entry.get("columns")
    told = columns.items() if isinstance(columns, Mapping) else ()
    mapped = {str(name): native for name, native in told
              if isinstance(native, str) and native not in ("", "null")}
    check_columns(mapped, names, document, loc, problems, required=REQUIRED)


def missing_selected(
    catalog: Catalog, param: Param, document: Document, problems: Problems
) -> None:
    """Note selected columns that what is computed of the catalogue will not have."""
    if param.hats_config is None:
        return
    given = names_given(param.hats_config, catalog.names)
    for index, name in enumerate(param.selected_cols):
        if name not in (*given, LAYOUT[0]):
            problems.add(Code.CATALOG_COLUMN, document.where(("param", "selected_cols", index)),
                         found=f"no column `{name}`",
                         expected="a column that param.hats_config keeps or computes",
                         remedy=near(name, given))


def note_format(
    word: str, where: Loc, document: Document, problems: Problems
) -> None:
    """Note that the redshifts have a format which the product cannot have as well."""
    problems.add(Code.FILE_FORMAT, document.where((*where, "format")),
                 found=f"`{word}`, which the product shall have as well" if word else "nothing",
                 expected="one of " + ", ".join(FORMATS),
                 remedy="set output_format, or here " + nearest(word, FORMATS))


def find_dust(
    param: Param, release: Path, document: Document, problems: Problems
) -> Dereddening | None:
    """The map on which dust is looked up, as far as it is; what is wrong with it is noted."""
    asked = param.hats_config
    if asked is None or not asked.to_dereddened:
        return None
    loc, folder = ("param", "hats_config", "dust"), asked.dust.path_to_dustmaps
    path = file_named(folder, release) if folder else None
    if path is None:
        problems.add(Code.DUST_MAP, document.where((*loc, "path_to_dustmaps")),
                     found=f"no folder {folder}" if folder else "nothing",
                     expected="the folder of dust maps, which holds sfd/SFD_dust_4096_ngp.fits",
                     remedy=f"name it; it counts from {release}, then from here")
    name = asked.dust.use_dustmap or "sfd"
    try:
        get_map(name)
        return Dereddening(map=name, directory=str(path))
    except TsmError as error:
        for one in error.problems:
            problems.add(one.code, document.where((*loc, "use_dustmap")), found=one.found,
                         expected=one.expected, remedy="choose a map that is read here")
        return None
