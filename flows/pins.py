"""What a recipe names outside the store, pinned by content before any stage runs.

A path or a key may mean something else tomorrow; its digest may not. Everything that a stage reads
and no other stage made is found and read here, so that all mistakes are reported at once, and
`tsm plan` and every run see the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pz_tsm_core.dust import dust_digests
from pz_tsm_core.errors import Code, Problem, Problems, TsmError, refuse
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef, strictest
from pz_tsm_core.model.pins import CatalogPin, DustPin, FilePin
from pz_tsm_core.model.policy import PhotometryPolicy
from pz_tsm_core.model.product import ProductKind, ProductVersion
from pz_tsm_core.model.recipe import (
    ObjectCatalog,
    Recipe,
    Redshifts,
    SurveyFile,
    TableSource,
    is_address,
)
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.recipes import check_recipe, survey_of_entry, wanted_of_entry
from pz_tsm_core.releases import get_release, release_keys
from pz_tsm_core.sky.catalog import pin_catalog
from pz_tsm_core.store import Store
from pz_tsm_core.surveys import own_surveys, survey_of_table
from pz_tsm_core.tables import digest
from tasks.fetch import label_of


@dataclass(frozen=True)
class Source:
    """Native redshifts, in a file or in the store already, and the survey whose shape they have.

    Parameters
    ----------
    native : in a plan also what stands for a survey that was never fetched
    """

    survey: Survey
    native: Any


@dataclass(frozen=True)
class Pins:
    """The outside of a recipe; the last three are for recipes with a catalogue alone."""

    sources: tuple[Source, ...] = ()
    compilation: ArtifactRef | None = None
    release: Release | None = None
    catalog: CatalogPin | None = None
    dust: DustPin | None = None


def pin(recipe: Recipe, store: Store, *, absent: Callable[[str], Any] | None = None) -> Pins:
    """Find and read whatever the recipe names.

    Parameters
    ----------
    absent : gives what stands for a survey that is yet to be fetched, by its label; without it
        such a survey is a mistake

    Raises
    ------
    TsmError
        with every mistake: what `check_recipe` finds, products that the store lacks, data that
        the principal may not see, a name for the result that stands for something else.
    """
    problems = Problems()
    problems.extend(check_recipe(recipe))
    problems.extend(_forbidden(recipe, store))
    problems.extend(_misplaced(recipe, store))
    problems.extend(_missing_products(recipe.redshifts, store))
    problems.raise_if_any()
    redshifts = recipe.redshifts
    pins = Pins(_sources(redshifts, store, absent), _compilation(redshifts, store))
    if recipe.catalog:
        pins = replace(pins, **_sky(recipe.catalog, recipe.photometry))
    store.products.check(recipe.name, product_kind(recipe), _access_of(pins))
    return pins


def product_kind(recipe: Recipe) -> ProductKind:
    """What the result of a recipe is."""
    return "training_set" if recipe.catalog else "compilation"


def _access_of(pins: Pins) -> Access:
    """Who will see the result: those who may see all that goes in."""
    inputs = [*(source.native for source in pins.sources), pins.compilation, pins.catalog]
    return strictest(each.access for each in inputs if hasattr(each, "access"))


def _entries(redshifts: Redshifts) -> tuple[TableSource, ...]:
    return (*redshifts.surveys, *redshifts.tables)


def _missing_products(redshifts: Redshifts, store: Store) -> Iterator[Problem]:
    """Products that the principal does not see, or that are of another kind."""
    for entry in _entries(redshifts):
        if entry.product is not None:
            try:
                _table_product(entry.product, store)
            except TsmError as error:
                yield from error.problems
    try:
        _compilation(redshifts, store)
    except TsmError as error:
        yield from error.problems


def _sources(
    redshifts: Redshifts, store: Store, absent: Callable[[str], Any] | None
) -> tuple[Source, ...]:
    own, problems = own_surveys(redshifts.survey_path), Problems()
    surveys = []
    for each in redshifts.surveys:
        survey = survey_of_entry(each, own)
        try:
            native = _fetched(each, survey, store) if each.fetched else _native(each, store)
        except TsmError as error:
            if absent is None or error.codes != (Code.SOURCE_MISSING,):
                problems.extend(error.problems)
                continue
            native = absent(label_of(each))
        surveys.append(Source(survey, native))
    problems.raise_if_any()
    tables = [Source(survey_of_table(each), _native(each, store)) for each in redshifts.tables]
    return (*surveys, *tables)


def _fetched(entry: SurveyFile, survey: Survey, store: Store) -> ArtifactRef:
    """What the store has of a survey; nobody else is asked."""
    from pz_tsm_core.remote import Reach
    from pz_tsm_core.retrieval import fetch_survey

    return fetch_survey(store, survey, wanted_of_entry(entry), reach=Reach(), policy="never",
                        access=entry.access).ref


def _native(entry: TableSource, store: Store) -> FilePin | ArtifactRef:
    if entry.product is not None:
        return _table_product(entry.product, store)
    path = str(entry.file)
    return FilePin(path=path, sha256=digest(path), access=entry.access)


def _table_product(reference: str, store: Store) -> ArtifactRef:
    version = store.products.get(reference)
    if version.kind != "table":
        raise _other_kind(version, "a table, as `tsm put` leaves it",
                          "name it under redshifts.compilation" if "combine" in version.artifacts
                          else "name a table")
    return version.ref


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
    named = [(each.file, each.access) for each in _entries(recipe.redshifts) if each.file]
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


def _compilation(redshifts: Redshifts, store: Store) -> ArtifactRef | None:
    """The compilation that a recipe starts from: of a product, or at an address."""
    named = redshifts.compilation
    if named is None:
        return None
    if is_address(named):
        manifest = store.look_up(named)
        if manifest is not None and manifest.request.stage == COMBINE.name:
            return manifest.ref
        raise refuse(
            Code.STORE_MISSING, "recipe: redshifts.compilation", found=named,
            expected=f"the address of a `combine` artifact in {store.location} that "
            f"`{store.principal.name}` may see",
            remedy="give a product, or an address that a run of a compilation printed",
        )
    version = store.products.get(named)
    if COMBINE.name not in version.artifacts:
        raise _other_kind(version, "a compilation, or a training set made with one",
                          "name it under redshifts.tables, with its columns")
    return version.artifacts[COMBINE.name]


def _other_kind(version: ProductVersion, expected: str, remedy: str) -> TsmError:
    return refuse(Code.PRODUCT_NAME, f"recipe: redshifts, product {version}",
                  found=f"a product of kind {version.kind}", expected=expected, remedy=remedy)
