"""What a recipe names outside the store, pinned by content before any stage runs.

A path or a key may mean something else tomorrow; its digest may not. Everything that a stage reads
and no other stage made is found and read here, so that all mistakes are reported at once, and
`tsm plan` and every run see the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar, cast

from pz_tsm_core.errors import Code, Problems, TsmError, refuse
from pz_tsm_core.model.artifact import Access, ArtifactRef
from pz_tsm_core.model.pins import CatalogPin, DustPin, FilePin
from pz_tsm_core.model.recipe import ObjectCatalog, Recipe, SurveyFile, UserTable
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """A file of redshifts, and the survey whose shape it has."""

    file: FilePin
    survey: Survey


@dataclass(frozen=True)
class Pins:
    """The outside of a recipe; the last three are for recipes with a catalogue alone."""

    sources: tuple[Source, ...] = ()
    compilation: ArtifactRef | None = None
    release: Release | None = None
    catalog: CatalogPin | None = None
    dust: DustPin | None = None


def pin(recipe: Recipe, store: Store) -> Pins:
    """Find and read whatever the recipe names.

    Raises
    ------
    TsmError
        with every mistake: unknown surveys and releases, missing files, folders that are no
        catalogue, a compilation that the store lacks.
    """
    problems = Problems()
    sources = _sources(recipe, problems)
    compilation = _collect(problems, lambda: _compilation(recipe, store))
    sky = _sky(recipe, problems) if recipe.catalog else (None, None, None)
    problems.raise_if_any()
    return Pins(tuple(sources), compilation, *sky)


def _collect(problems: Problems, find: Callable[[], T]) -> T | None:
    """Give what is found, or note why it is not."""
    try:
        return find()
    except TsmError as error:
        problems.extend(error.problems)
        return None


def _sources(recipe: Recipe, problems: Problems) -> list[Source]:
    from pz_tsm_core.surveys import get_survey, survey_of_table

    redshifts = recipe.redshifts
    definitions = [
        *(partial(get_survey, entry.survey) for entry in redshifts.surveys),
        *(partial(survey_of_table, entry) for entry in redshifts.tables),
    ]
    entries: list[SurveyFile | UserTable] = [*redshifts.surveys, *redshifts.tables]
    sources = []
    for entry, define in zip(entries, definitions, strict=True):
        survey = _collect(problems, define)
        file = _collect(problems, partial(_pin_file, entry.file, entry.access))
        if survey and file:
            sources.append(Source(file, survey))
    return sources


def _sky(
    recipe: Recipe, problems: Problems
) -> tuple[Release | None, CatalogPin | None, DustPin | None]:
    from pz_tsm_core.dust import dust_digests
    from pz_tsm_core.releases import get_release
    from pz_tsm_core.sky.catalog import pin_catalog

    catalog, dust = cast("ObjectCatalog", recipe.catalog), recipe.photometry.dereddening
    digest = _collect(problems, lambda: pin_catalog(catalog.path))
    digests = _collect(problems, lambda: dust_digests(dust))
    return (
        _collect(problems, lambda: get_release(catalog.release)),
        CatalogPin(path=catalog.path, digest=digest, access=catalog.access) if digest else None,
        DustPin(choice=dust, digests=digests) if digests is not None else None,
    )


def _pin_file(path: str, access: Access) -> FilePin:
    return FilePin(path=path, sha256=digest_file(path), access=access)


def digest_file(file: str) -> str:
    """sha256 of a file's bytes, read anew only when its size or time has changed.

    Raises
    ------
    TsmError
        ``file.missing`` when there is no such file or it cannot be read.
    """
    try:
        stat = Path(file).stat()
        return _digest(file, stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError as error:
        raise refuse(
            Code.FILE_MISSING, file, found=error.strerror or str(error),
            expected="a file that can be read", remedy="correct the path in the recipe",
        ) from None


@lru_cache(maxsize=1024)
def _digest(file: str, _size: int, _mtime_ns: int, _inode: int) -> str:
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _compilation(recipe: Recipe, store: Store) -> ArtifactRef | None:
    address = recipe.redshifts.compilation
    if address is None:
        return None
    manifest = store.find(address)
    if manifest is None or manifest.request.stage != "combine":
        raise refuse(
            Code.STORE_MISSING, "recipe: redshifts.compilation", found=address,
            expected=f"the address of a `combine` artifact in {store.location}",
            remedy="give an address that a run of a compilation printed",
        )
    return manifest.ref
