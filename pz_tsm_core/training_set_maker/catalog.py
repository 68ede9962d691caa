"""The catalogue of objects that a configuration means, wherever the existing pipeline keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pz_tsm_core import tables
from pz_tsm_core.errors import Code, Problems, TsmError, nearest
from pz_tsm_core.existing.headers import near
from pz_tsm_core.existing.mistakes import file_named, placed
from pz_tsm_core.model.document import Document, Loc
from pz_tsm_core.sky.catalog import is_hats
from pz_tsm_core.training_set_maker.config import Dataset, Param

_DATASET: Loc = ("inputs", "dataset", "path")
_HATS_CONFIG: Loc = ("param", "hats_config", "input")
#: Columns that say where a row lies in a HATS catalogue; never those of a product.
LAYOUT = ("_healpix_29", "Norder", "Dir", "Npix")


@dataclass(frozen=True)
class Catalog:
    """Objects with their photometry.

    Parameters
    ----------
    path : a HATS catalogue, or the folder of the files
    names : of its columns, without those of the layout
    ra, dec : columns of the position
    files : of tables, where it is no HATS catalogue
    """

    path: Path
    names: tuple[str, ...]
    ra: str
    dec: str
    files: tuple[Path, ...] = ()


def find_catalog(
    dataset: Dataset, param: Param, document: Document, root: Path, problems: Problems
) -> Catalog | None:
    """The catalogue that is meant; what keeps it from being opened is noted.

    With `hats_config` it is the one named there, else `inputs.dataset.path` if it is a HATS
    catalogue or is said to be, else the one below it for the flux, its type and the dust map.
    """
    release = file_named(dataset.path, root)
    if param.hats_config:
        return _of_science_catalogs(param, release or root, document, problems)
    if release is None:
        problems.add(Code.FILE_MISSING, document.where(_DATASET), found=f"no file {dataset.path}",
                     expected="the folder of a release, or of a HATS catalogue",
                     remedy=f"correct the path; it counts from {root}, then from here")
        return None
    if param.use_absolute_lsdb_path or is_hats(release):
        return _opened(release, _DATASET, document, problems)
    below = _below(release, param)
    folder = next((folder for folder in (below, below / "catalog") if is_hats(folder)), None)
    if folder:
        return _opened(folder, _DATASET, document, problems)
    _note_combination(release, below, document, problems)
    return None


def _below(release: Path, param: Param) -> Path:
    """Where the catalogue of a combination lies: a collection, or `catalog` in it."""
    kind = "mag" if param.convert_flux_to_mag else "flux"
    return release / kind / param.flux_type / param.dereddening


def _note_combination(
    release: Path, below: Path, document: Document, problems: Problems
) -> None:
    there = sorted({folder.relative_to(release).as_posix() for folder in release.glob("*/*/*")
                    if is_hats(folder) or is_hats(folder / "catalog")})
    asked = below.relative_to(release).as_posix()
    problems.add(
        Code.CATALOG_INVALID, document.where(_DATASET),
        found=f"no catalogue {asked} in {release}",
        expected=("one of " + ", ".join(there)) if there else "a HATS catalogue here, or in "
        "<mag or flux>/<flux_type>/<dereddening>/catalog below it",
        remedy=nearest(asked, there) + " param.convert_flux_to_mag, flux_type and dereddening "
        "name it" if there else "correct inputs.dataset.path")


def _opened(path: Path, loc: Loc, document: Document, problems: Problems) -> Catalog | None:
    from pz_tsm_core.sky.objects import open_objects  # brings hats, two seconds

    try:
        objects = open_objects(path)
    except TsmError as error:
        problems.extend(placed(error.problems, document.where(loc)))
        return None
    names = tuple(name for name in objects.schema.names if name not in LAYOUT)
    return Catalog(path, names, objects.ra, objects.dec)


def _of_science_catalogs(
    param: Param, release: Path, document: Document, problems: Problems
) -> Catalog | None:
    """The catalogue of `hats_config`, whose relative paths start at the folder of the release."""
    told = param.hats_config.input if param.hats_config else None
    if told is None or told.path is None:
        return None
    loc = (*_HATS_CONFIG, "catalog_path" if told.catalog_path else "catalog_folder")
    path = file_named(told.path, release)
    if path and is_hats(path):
        return _opened(path, loc, document, problems)
    pattern = told.catalog_pattern or "*.par*"
    files = _files(path, pattern) if path else ()
    if not files:
        found = (f"no file {told.path}" if path is None else
                 f"neither a HATS catalogue nor files {pattern} in {path}")
        problems.add(Code.FILE_MISSING, document.where(loc), found=found,
                     expected="a HATS catalogue, or a folder with the files of catalog_pattern",
                     remedy=f"correct the path; it counts from {release}, then from here")
        return None
    if not (told.ra_col and told.dec_col):
        problems.add(Code.LEGACY_CONFIG, document.where(_HATS_CONFIG), found="no ra_col or dec_col",
                     expected="the columns of the position: plain files do not tell them",
                     remedy="add both")
        return None
    try:
        names = tuple(column.name for column in tables.describe(files[0]).columns)
    except TsmError as error:
        problems.extend(placed(error.problems, document.where(loc)))
        return None
    return Catalog(path or release, names, told.ra_col, told.dec_col, files)


def _files(path: Path, pattern: str) -> tuple[Path, ...]:
    if path.is_file():
        return (path,)
    return tuple(file for file in sorted(path.glob(pattern)) if file.is_file())


def missing_columns(
    catalog: Catalog, param: Param, document: Document, problems: Problems
) -> None:
    """Note columns that are asked for and that the catalogue lacks."""
    for loc, name in _asked(param):
        if name not in (*catalog.names, *LAYOUT):
            problems.add(Code.CATALOG_COLUMN, document.where(loc), found=f"no column `{name}`",
                         expected=f"a column of {catalog.path}", remedy=near(name, catalog.names))


def _asked(param: Param) -> list[tuple[Loc, str]]:
    """Columns of the catalogue that a configuration names, with their places."""
    if param.hats_config is None:
        return [(("param", "selected_cols", index), name)
                for index, name in enumerate(param.selected_cols)]
    told = param.hats_config.input
    asked: list[tuple[Loc, str]] = [((*_HATS_CONFIG, "user_selected_cols", index), name)
                                    for index, name in enumerate(told.user_selected_cols)]
    for key in ("filter", "initial_cut"):
        part = getattr(told, key)
        if part.enabled:
            asked.append(((*_HATS_CONFIG, key, "column"), part.column))
    asked += [((*_HATS_CONFIG, key), name) for key in ("ra_col", "dec_col")
              if (name := getattr(told, key))]
    for _, value, error, *_ in param.hats_config.bands:
        asked += [((*_HATS_CONFIG, "col_pattern"), value), ((*_HATS_CONFIG, "err_pattern"), error)]
    return asked
