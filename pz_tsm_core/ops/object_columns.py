"""Which columns of an object catalogue a recipe reads, and whether the catalogue has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import pyarrow as pa

from pz_tsm_core.errors import Code, Problems, nearest
from pz_tsm_core.model.photometry import PhotometryPolicy, SelectPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import (
    GALAXY_SCHEMA,
    MATCH,
    OBJECT_SUFFIX,
    object_column,
    photometry_added,
)
from pz_tsm_core.ops.photometry import corrected_schema
from pz_tsm_core.ops.selection import parse_selection


def columns_needed(
    release: Release,
    photometry: PhotometryPolicy,
    select: SelectPolicy,
    *,
    extra: Iterable[str] = (),
    known: Collection[str] | None = None,
) -> list[str]:
    """Every column of the catalogue that photometry and cuts read, each once.

    E(B-V) and extendedness come along where the catalogue has them.

    Parameters
    ----------
    extra : columns to carry along
    known : columns of the catalogue; None for those of the release

    Raises
    ------
    TsmError
        for kinds of flux and bands that the release lacks, and cuts that are no expressions
    """
    named = release.columns_for(photometry.flux, photometry.bands, flags=photometry.reads_flags)
    if known is not None:
        needed = {release.ebv} if photometry.dereddening.map == "catalog" else set()
        optional = {release.ebv, release.extendedness} - needed - set(known)
        named = [name for name in named if name not in optional]
    return list(dict.fromkeys([*named, *extra, *_read_by_cuts(photometry, select, known or ())]))


def _read_by_cuts(
    photometry: PhotometryPolicy, select: SelectPolicy, known: Collection[str]
) -> list[str]:
    """Names in the catalogue of the columns that cuts read, and that no stage makes."""
    added = {column.name for column in photometry_added(photometry)}
    made = {*GALAXY_SCHEMA.names, *(column.name for column in MATCH), *added}
    found = []
    for name in sorted(parse_selection(select).reads - made):
        plain = name.removesuffix(OBJECT_SUFFIX)
        found.append(plain if plain in made and name not in known else name)
    return found


def rows_before_cuts(
    catalog: pa.Schema, columns: Iterable[str], photometry: PhotometryPolicy
) -> pa.Schema:
    """The schema that matched and corrected rows will have, known before anything is matched.

    Parameters
    ----------
    catalog : schema of the object catalogue
    columns : of it that come along; what it lacks is passed over
    """
    objects = [catalog.field(name).with_name(object_column(name))
               for name in columns if name in catalog.names]
    matched = [*GALAXY_SCHEMA, *objects, *(column.field for column in MATCH)]
    return corrected_schema(pa.schema(matched), photometry)


def require_distinct(rows: pa.Schema) -> None:
    """Refuse rows in which two columns would have one name.

    Raises
    ------
    TsmError
        `table.duplicate-column` for each name
    """
    problems = Problems()
    for name, times in Counter(rows.names).items():
        if times > 1:
            problems.add(Code.TABLE_DUPLICATE_COLUMN, f"column {name}", found=f"{times} of them",
                         expected="every name once in the rows that are made",
                         remedy="ask for fewer kinds of flux or columns at a time")
    problems.raise_if_any()


def require_objects(release: Release, known: Collection[str]) -> None:
    """Refuse a catalogue without what every match with this release reads.

    Raises
    ------
    TsmError
        `catalog.missing-column` for each column
    """
    problems = Problems()
    for name in release.required:
        if name not in known:
            problems.add(Code.CATALOG_COLUMN, f"column {name}", found="no such column",
                         expected=f"the columns of {release.name}",
                         remedy="name another release, or a YAML file of your own")
    problems.raise_if_any()


def require_columns(named: Iterable[str], known: Collection[str]) -> None:
    """Refuse columns to be carried along that the catalogue lacks.

    Raises
    ------
    TsmError
        `catalog.missing-column` for each of them
    """
    problems = Problems()
    for name in named:
        if name not in known:
            problems.add(Code.CATALOG_COLUMN, f"column {name}", found=f"`{name}`",
                         expected="a column of the catalogue", remedy=nearest(name, known))
    problems.raise_if_any()


def require_fluxes(
    release: Release, photometry: PhotometryPolicy, known: Collection[str]
) -> None:
    """Refuse kinds of flux that the catalogue has not in all bands, naming those that it has.

    Raises
    ------
    TsmError
        `recipe.bad-value` for each of them
    """
    flags = photometry.reads_flags
    there = release.flux_kinds(known, flags=flags)
    offered = "; ".join(f"{kind} in {''.join(bands)}" for kind, bands in there.items())
    problems = Problems()
    for kind in photometry.flux:
        if kind not in release.flux_types:
            problems.add(Code.RECIPE_BAD_VALUE, "photometry.flux", found=f"`{kind}`",
                         expected=f"a kind that the catalogue has: {offered or 'none is there'}",
                         remedy=nearest(kind, there))
            continue
        columns = release.flux(kind)
        lacking = [name for band in photometry.bands for name in columns.of(band, flag=flags)
                   if name not in known]
        if lacking:
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            problems.add(Code.RECIPE_BAD_VALUE, "photometry.flux",
                         found=f"`{kind}`, of which the catalogue lacks "
                               f"{', '.join(lacking[:3])}{more}",
                         expected=f"a kind that it has: {offered or 'none is there'}",
                         remedy="choose one of them, fewer `bands:`, or `flagged: keep` where "
                                "only flags are lacking")
    problems.raise_if_any()
