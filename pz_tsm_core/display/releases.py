"""The profiles of object catalogues by `tsm releases`: list and show."""

from __future__ import annotations

from pathlib import Path

from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.files import expanded
from pz_tsm_core.model.release import Release
from pz_tsm_core.releases import find_release, get_release, release_keys
from pz_tsm_core.sky.catalog import catalog_schema


def list_releases() -> Page:
    """A line for each profile of the library."""
    known = [get_release(key) for key in release_keys()]
    rows = tuple((each.key, each.name, "".join(each.bands), len(each.flux_types),
                  each.data_rights or "everybody's") for each in known)
    return Page(f"{len(rows)} releases", grids={"releases": Grid(
        "", ("key", "name", "bands", "kinds of flux", "data rights"), rows,
        frozenset({"kinds of flux"}))})


def show_release(named: str, catalog: str | Path | None = None) -> Page:
    """Show a profile: its columns, and for every kind of flux the columns of it.

    Parameters
    ----------
    named : its key, or a YAML file of one's own
    catalog : a HATS catalogue, of which to tell the kinds of flux that it has
    """
    release = find_release(named)
    facts: dict[str, Cell] = {
        "key": release.key, "id": release.id, "position": [release.ra, release.dec],
        "bands": "".join(release.bands), "unit of fluxes": release.flux_unit,
        "rows that count": release.primary_filter or "all", "E(B-V)": release.ebv,
        "extendedness": release.extendedness, "dereddened": release.dereddened,
        "data rights": release.data_rights, "cite": list(release.citation)}
    return Page(release.name, facts, {"flux_types": _fluxes(release, catalog)})


def _fluxes(release: Release, catalog: str | Path | None) -> Grid:
    headings: tuple[str, ...] = ("kind", "flux or mag", "err", "flag")
    rows: list[tuple[Cell, ...]] = [
        (kind, each.value, each.err, each.flag) for kind, each in release.flux_types.items()]
    if catalog is not None:
        there = release.flux_kinds(catalog_schema(expanded(catalog)).names)
        headings = (*headings, "there in")
        rows = [(*row, "".join(there.get(str(row[0]), ()))) for row in rows]
    return Grid("{b} stands for the band", headings, tuple(rows))
