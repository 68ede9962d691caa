"""What a recipe names outside the store, pinned by content before any stage runs.

A path or a key may mean something else tomorrow; its digest may not. Everything that a stage reads
and no other stage made is found and read here, so that all mistakes are reported at once, and
`tsm plan` and every run see the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pz_tsm_core.dust import dust_digests
from pz_tsm_core.errors import Code, Problem, Problems, TsmError, refuse
from pz_tsm_core.files import digest_file
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef
from pz_tsm_core.model.pins import CatalogPin, DustPin, FilePin
from pz_tsm_core.model.policy import PhotometryPolicy
from pz_tsm_core.model.recipe import ObjectCatalog, Recipe, Redshifts, TableSource
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.recipes import check_recipe, survey_of_entry
from pz_tsm_core.releases import get_release, release_keys
from pz_tsm_core.sky.catalog import pin_catalog
from pz_tsm_core.store import Store
from pz_tsm_core.surveys import survey_of_table


@dataclass(frozen=True)
class Source:
    """Native redshifts, in a file or in the store already, and the survey whose shape they have."""

    survey: Survey
    native: FilePin | ArtifactRef


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
        with every mistake: what `check_recipe` finds, a compilation that the store lacks, data
        that the principal may not see.
    """
    problems = Problems()
    problems.extend(check_recipe(recipe))
    problems.extend(_forbidden(recipe, store))
    problems.extend(_misplaced(recipe, store))
    compilation = None
    try:
        compilation = _compilation(recipe, store)
    except TsmError as error:
        problems.extend(error.problems)
    problems.raise_if_any()
    pins = Pins(_sources(recipe.redshifts), compilation)
    return replace(pins, **_sky(recipe.catalog, recipe.photometry)) if recipe.catalog else pins


def _sources(redshifts: Redshifts) -> tuple[Source, ...]:
    surveys = [Source(survey_of_entry(entry), _native(entry)) for entry in redshifts.surveys]
    tables = [Source(survey_of_table(entry), _native(entry)) for entry in redshifts.tables]
    return (*surveys, *tables)


def _native(entry: TableSource) -> FilePin | ArtifactRef:
    if entry.file is None:
        raise refuse(Code.PRODUCT_UNKNOWN, "recipe: redshifts", found=f"{entry.product}",
                     expected="a product of the store", remedy="name a file")
    return FilePin(path=entry.file, sha256=digest_file(entry.file), access=entry.access)


def _sky(catalog: ObjectCatalog, photometry: PhotometryPolicy) -> dict[str, Any]:
    digest = pin_catalog(catalog.path)
    dust = photometry.dereddening
    return {
        "release": get_release(catalog.release),
        "catalog": CatalogPin(path=catalog.path, digest=digest, access=_access(catalog)),
        "dust": DustPin(choice=dust, digests=dust_digests(dust)),
    }


def _access(catalog: ObjectCatalog) -> Access:
    """Who may see the catalogue: as the recipe says, else as its release's data rights say."""
    right = get_release(catalog.release).data_rights
    return catalog.access or (Access(kind="rights", name=right) if right else PUBLIC)


def _misplaced(recipe: Recipe, store: Store) -> Iterator[Problem]:
    """An output that is no folder, or one that would change what it came from."""
    target = Path(recipe.output.directory).resolve()
    if target.exists() and not target.is_dir():
        yield Problem(Code.RECIPE_BAD_VALUE, "recipe: output.directory", f"a file, {target}",
                      "a folder, or nothing yet", "name another folder")
    places = [store.location, *([recipe.catalog.path] if recipe.catalog else [])]
    for place in places:
        if target.is_relative_to(Path(place).resolve()):
            yield Problem(Code.RECIPE_BAD_VALUE, "recipe: output.directory", str(target),
                          f"a folder that is not inside {place}", "name another folder")


def _forbidden(recipe: Recipe, store: Store) -> Iterator[Problem]:
    """Data that the principal may not see, told before anything runs."""
    entries: list[TableSource] = [*recipe.redshifts.surveys, *recipe.redshifts.tables]
    named = [(entry.file, entry.access) for entry in entries if entry.file is not None]
    if recipe.catalog and recipe.catalog.release in release_keys():
        named.append((recipe.catalog.path, _access(recipe.catalog)))
    for path, access in named:
        if not access.admits(store.principal):
            yield Problem(
                Code.STORE_ACCESS, path, f"principal `{store.principal.name}`",
                f"one who may see {access}",
                f"run as `--principal {access.name}`" if access.kind == "private"
                else f"say `--right {access.name}` if you hold it; if all may see the data, give "
                "them `access: {kind: public}` in the recipe",
            )


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
