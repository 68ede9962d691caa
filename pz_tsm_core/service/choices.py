"""What people may choose from at a service, as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from pz_tsm_core.dust import NO_MAP, coefficient_keys, get_map, map_keys
from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.product import ProductKind, ProductVersion, candidates_of, latest_of
from pz_tsm_core.model.recipe import ObjectCatalog
from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.releases import find_release
from pz_tsm_core.service.requests import Kind
from pz_tsm_core.service.site import Site
from pz_tsm_core.sky.catalog import catalog_schema
from pz_tsm_core.store import Store, open_store
from pz_tsm_core.surveys import own_surveys, survey_keys


@dataclass(frozen=True)
class CatalogChoice:
    """An Object catalogue, and the kinds of flux that it has.

    Parameters
    ----------
    fluxes : with the bands that it has of each, most bands first
    own_ebv : whether it brings E(B-V)
    """

    title: str
    fluxes: dict[str, tuple[str, ...]]
    own_ebv: bool


@dataclass(frozen=True)
class Choices:
    """Values of each kind, in the order in which people look for them.

    Parameters
    ----------
    catalogs : by their names at the site; those that cannot be read now are no choice
    """

    by_kind: dict[Kind, tuple[str, ...]] = field(default_factory=dict)
    catalogs: dict[str, CatalogChoice] = field(default_factory=dict)

    def of(self, kind: Kind) -> tuple[str, ...]:
        """The values of a kind."""
        return tuple(self.catalogs) if kind == "catalogs" else self.by_kind.get(kind, ())


def choices_of(site: Site) -> Choices:
    """Everything that people may choose at a service: what all may see who use it.

    Raises
    ------
    TsmError
        `store.io` and the like where the store does not answer
    """
    store = open_store(site.store, site.principal(""))
    return _Look(site, store).choices()


class _Look:
    """One look at a site and its store."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site, self._store = site, store

    def choices(self) -> Choices:
        surveys = tuple(sorted({*survey_keys(), *own_surveys(self._site.survey_path)}))
        compilations = self._of_kind("compilation")
        return Choices(
            {
                "surveys": surveys,
                "fetched": tuple(key for key in surveys if Wanted().product(key) in self._latest),
                "compilations": (*map(_as_latest, compilations), *self._numbered("compilation")),
                "candidates": tuple(str(each) for same in self._by_name
                                    for each in candidates_of(same)),
                "tables": tuple(_as_latest(version) for version in self._of_kind("table")
                                if version.name not in surveys),
                "maps": tuple(self._maps()),
                "coefficients": coefficient_keys(),
            },
            dict(self._catalogs()),
        )

    @cached_property
    def _versions(self) -> tuple[ProductVersion, ...]:
        return self._store.products.list()

    @cached_property
    def _by_name(self) -> list[list[ProductVersion]]:
        """The versions of each name, the newest first."""
        return [list(same) for _, same in groupby(self._versions, lambda version: version.name)]

    @cached_property
    def _latest(self) -> dict[str, ProductVersion]:
        """What each name stands for."""
        return {version.name: version for version in map(latest_of, self._by_name) if version}

    def _of_kind(self, kind: ProductKind) -> list[ProductVersion]:
        return [version for version in self._latest.values() if version.kind == kind]

    def _numbered(self, kind: ProductKind) -> Iterator[str]:
        """Every version that is or was what its name stands for; candidates are no choice."""
        return (str(version) for version in self._versions
                if version.kind == kind and not version.waits)

    def _maps(self) -> Iterator[str]:
        """Maps whose files are there, and what needs none."""
        for key in map_keys():
            try:
                get_map(key).require(self._site.dust)
            except TsmError:
                continue
            yield key
        yield from NO_MAP

    def _catalogs(self) -> Iterator[tuple[str, CatalogChoice]]:
        for key, catalog in self._site.catalogs.items():
            try:
                yield key, catalog_choice(key, catalog)
            except TsmError:
                continue


def _as_latest(version: ProductVersion) -> str:
    return f"{version.name}@latest"


def catalog_choice(key: str, catalog: ObjectCatalog) -> CatalogChoice:
    """What an Object catalogue offers, by its columns.

    Raises
    ------
    TsmError
        as `find_release` and `catalog_schema`
    """
    release, known = find_release(catalog.release), catalog_schema(catalog.path).names
    return CatalogChoice(f"{key}: {release.name}", release.flux_kinds(known), release.ebv in known)
