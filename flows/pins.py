"""What a recipe names outside the store, pinned by content before any stage runs.

A path or a key may mean something else tomorrow; its digest may not. Everything that a stage reads
and no other stage made is found and read here, so that all mistakes are reported at once, and
`tsm plan` and every run see the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.origins import Origins, Source
from pz_tsm_core.dust import dust_digests
from pz_tsm_core.errors import Code, Problem, Problems, TsmError, nearest
from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef, strictest
from pz_tsm_core.model.pins import CatalogPin, DustPin
from pz_tsm_core.model.product import ProductKind
from pz_tsm_core.model.recipe import ObjectCatalog, Recipe
from pz_tsm_core.model.release import Release
from pz_tsm_core.ops.object_columns import columns_needed
from pz_tsm_core.recipes import check_recipe
from pz_tsm_core.releases import find_release
from pz_tsm_core.sky.catalog import catalog_schema, pin_catalog
from pz_tsm_core.store import Store
from tasks.fetch import label_of


@dataclass(frozen=True)
class Pins:
    """The outside of a recipe; the last three are for recipes with a catalogue alone."""

    sources: tuple[Source, ...] = ()
    compilation: ArtifactRef | None = None
    release: Release | None = None
    catalog: CatalogPin | None = None
    dust: DustPin | None = None

    @property
    def access(self) -> Access:
        """Who may see what is made of it: those who may see all that goes in."""
        inputs = [*(source.native for source in self.sources), self.compilation, self.catalog]
        return strictest(each.access for each in inputs if each)


def pin(
    recipe: Recipe, store: Store, *, allow_unfetched: bool = False, access: Access | None = None,
    owner: str = "",
) -> Pins:
    """Find and read whatever the recipe names; of what others publish, what the store has.

    Parameters
    ----------
    allow_unfetched : whether surveys may be yet to be fetched; else they are mistakes
    access : who may see the result under its name, if fewer than may see what is in it
    owner : whose the name of the result is, where people share a store

    Raises
    ------
    TsmError
        with every mistake: what `check_recipe` finds, products that the store lacks, data that
        the principal may not see, a name for the result that stands for something else.
    """
    origins, problems = Origins(recipe.redshifts, store, allow_unfetched), Problems()
    misnamed = check_recipe(recipe)
    problems.extend(misnamed)
    problems.extend(_forbidden(recipe, store))
    problems.extend(_misplaced(recipe, store))
    problems.extend(origins.problems(surveys=not misnamed))
    problems.raise_if_any()
    pins = Pins(origins.sources(), origins.compilation())
    problems.extend(_strangers(recipe, pins))
    try:
        pins = replace(pins, **(_sky(recipe, recipe.catalog) if recipe.catalog else {}))
    except TsmError as error:
        problems.extend(error.problems)
    problems.raise_if_any()
    store.products.check(
        recipe.name, product_kind(recipe), pins.access, narrowed_to=access, owner=owner)
    return pins


def product_kind(recipe: Recipe) -> ProductKind:
    """What the result of a recipe is."""
    return "training_set" if recipe.catalog else "compilation"


def _sky(recipe: Recipe, catalog: ObjectCatalog) -> dict[str, Any]:
    release, dust = find_release(catalog.release), recipe.photometry.dereddening
    columns = columns_needed(release, recipe.photometry, recipe.select, extra=catalog.columns,
                             known=catalog_schema(catalog.path).names)
    pinned = CatalogPin(path=catalog.path, digest=pin_catalog(catalog.path),
                        columns=tuple(columns), access=_access(catalog, release))
    return {"release": release, "catalog": pinned,
            "dust": DustPin(choice=dust, digests=dust_digests(dust))}


def _access(catalog: ObjectCatalog, release: Release) -> Access:
    """Who may see the catalogue: as the recipe says, else as its release's data rights say."""
    right = release.data_rights
    return catalog.access or (Access(kind="rights", name=right) if right else PUBLIC)


def _misplaced(recipe: Recipe, store: Store) -> Iterator[Problem]:
    """An output that is no folder, or one that would change what it came from."""
    target = Path(recipe.output.directory).resolve()
    if target.exists() and not target.is_dir():
        yield Problem(Code.RECIPE_BAD_VALUE, "recipe: output.directory", f"a file, {target}",
                      "a folder, or nothing yet", "name another folder")
    places = [store.location, *([recipe.catalog.path] if recipe.catalog else [])]
    for place in (each for each in places if "://" not in each):
        if target.is_relative_to(Path(place).resolve()):
            yield Problem(Code.RECIPE_BAD_VALUE, "recipe: output.directory", str(target),
                          f"a folder that is not inside {place}", "name another folder")


def _strangers(recipe: Recipe, pins: Pins) -> Iterator[Problem]:
    """Surveys that `combine` speaks of and that bring nothing; an earlier compilation may."""
    known = [source.survey.key for source in pins.sources]
    for field in ("survey_radius_arcsec", "survey_rank"):
        for name in getattr(recipe.combine, field) if pins.compilation is None else ():
            if name not in known:
                yield Problem(Code.RECIPE_BAD_VALUE, f"recipe: combine.{field}", f"`{name}`",
                              "a survey or table of this recipe", nearest(name, known))


def _forbidden(recipe: Recipe, store: Store) -> Iterator[Problem]:
    """Data that the principal may not see, told before anything runs."""
    redshifts = recipe.redshifts
    named = [(each.file, each.access) for each in (*redshifts.surveys, *redshifts.tables)
             if each.file]
    named += [(label_of(each), each.access) for each in redshifts.surveys if each.fetched]
    if recipe.catalog:
        with suppress(TsmError):  # a release that is none is told by `check_recipe`
            release = find_release(recipe.catalog.release)
            named.append((recipe.catalog.path, _access(recipe.catalog, release)))
    for path, access in named:
        if not access.admits(store.principal):
            yield Problem(
                Code.STORE_ACCESS, path, f"principal `{store.principal.name}`",
                f"one who may see {access}",
                f"run as `--principal {access.name}`" if access.kind == "private"
                else f"say `--right {access.name}` if you hold it; if all may see the data, give "
                "them `access: {kind: public}` in the recipe",
            )
