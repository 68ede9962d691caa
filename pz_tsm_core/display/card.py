"""Everything that the definition of a survey says, for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pz_tsm_core.citations import cite
from pz_tsm_core.display.listing import BY_HAND, trust
from pz_tsm_core.display.page import Cell, Grid, Page
from pz_tsm_core.model.native_columns import AngleColumn, NumberColumn, PositionErrorColumn
from pz_tsm_core.model.survey import Region, RuleList, Source, Survey

_QUANTITIES = ("quality", "object_class", "instrument_type")


def card(survey: Survey, folder: str | None = None, held: Sequence[str] = ()) -> Page:
    """Metadata, columns, flag table, credit, and how to use a survey.

    Parameters
    ----------
    folder : of a user's own definitions, where the survey is one of them
    held : products of the store that were fetched of it
    """
    grids = {"columns": _columns(survey)}
    grids.update((name, _rules(survey, name)) for name in _QUANTITIES)
    if survey.sources:
        grids["sources"] = Grid("where it is published",
                                ("service", "part", "table", "address", "columns"),
                                tuple(map(_source, survey.sources)))
    return Page(f"{survey.key}: {survey.name}", _facts(survey, folder, held), grids)


def _source(source: Source) -> tuple[Cell, ...]:
    release = f" of release {source.release}" if source.release else ""
    return (source.service if source.service != "page" else BY_HAND, source.part,
            source.table + release, source.url,
            [f"{native} as {there}" for native, there in source.columns.items()])


def _facts(survey: Survey, folder: str | None, held: Sequence[str]) -> dict[str, Cell]:
    seen = survey.footprint
    path = f"survey_path: {folder}, " if folder else ""
    where, option = "" if held else ", file: FILE", f" --survey-path {folder}" if folder else ""
    return {
        "facility": survey.facility, "release": survey.release, "year": survey.year,
        "footprint": seen.about, "regions": [_region(each) for each in seen.regions],
        "area": f"{seen.area_deg2:g} deg2" if seen.area_deg2 else None,
        "objects": f"{seen.objects:,}" if seen.objects else None,
        "redshifts": "{:g} to {:g}".format(*seen.z_range) if seen.z_range else None,
        "cite": "; ".join(f"{cite(work)} ({work})" for work in survey.citation),
        "doi": list(survey.doi), "acknowledge": survey.acknowledgement, "licence": survey.licence,
        "from": list(survey.services) or BY_HAND, "in the store": list(held),
        "verified": trust(survey),
        "columns are told": survey.evidence.columns if survey.evidence else None,
        "flags are told": survey.evidence.flags if survey.evidence else None,
        "unverified": "; ".join(survey.unverified),
        "rank": survey.rank or None, "ordinal": survey.ordinal,
        "fetch it": f"tsm fetch {survey.key}{option}" if survey.services else "",
        "in a recipe": f"redshifts: {{{path}surveys: [{{survey: {survey.key}{where}}}]}}",
        "in Python": f"pz_tsm_core.standardize(table, {survey.key!r}"
                     + (f", survey_path={folder!r})" if folder else ")"),
    }


def _region(region: Region) -> str:
    if region.cone:
        return "within {2:g} deg of ({0:g}, {1:g})".format(*region.cone)
    return "ra {:g} to {:g} and dec {:g} to {:g}".format(*(region.box or ()))


def _columns(survey: Survey) -> Grid:
    lines = ((standard, ", ".join(natives) or what, what if natives else "formula",
              list(map(str, dict.fromkeys(survey.types[name] for name in natives
                                         if name in survey.types))),
              nulls, *valid)
             for standard, natives, what, nulls, valid in _named(survey))
    return Grid("columns", ("standard", "native", "unit", "type", "not known", "from", "to"),
                tuple(lines), frozenset({"from", "to"}))


def _named(survey: Survey) -> Iterator[tuple[str, tuple[str, ...], str, Cell, tuple[Any, Any]]]:
    """Standard name, native names, unit or formula, sentinels, valid range of every column."""
    columns, nothing = survey.columns, (None, None)
    if columns.id:
        yield "native_id", columns.id.from_, "", None, nothing
    frame = f"B1950, epoch {columns.epoch:g}" if columns.epoch else "ICRS"
    for name in ("ra", "dec"):
        angle: AngleColumn = getattr(columns, name)
        yield name, angle.natives, f"{angle.unit}, {frame}", None, nothing
    for name in ("z", "z_err"):
        number: NumberColumn | None = getattr(columns, name)
        if number is not None:
            first = "first that is known" if number.first_of else ""
            what = number.formula or ", ".join(filter(None, (number.unit, first)))
            valid = tuple(limit if math.isfinite(limit) else None for limit in number.valid)
            yield (name, number.natives, what, [told_null(null) for null in number.nulls],
                   (valid[0], valid[1]))
    for name, side in columns.beside.items():
        unit = side.unit if isinstance(side, PositionErrorColumn) else ""
        yield name, (side.from_,), unit, [told_null(null) for null in side.nulls], nothing
    if columns.native_flag:
        yield "native_flag", (columns.native_flag.from_,), "", None, nothing
    for name in columns.others:
        yield "", (name,), "", None, nothing


def told_null(null: float | str) -> str:
    """A sentinel as its definition writes it."""
    return f"'{null}'" if isinstance(null, str) else f"{null:g}"


def _rules(survey: Survey, name: str) -> Grid:
    rules: RuleList[Any] = getattr(survey, name)
    lines = [(rule.when, plain(rule.then), rule.source) for rule in rules.rules]
    return Grid(f"{name}: the first rule that holds decides", ("rule", "gives", "source"),
                (*lines, ("otherwise", plain(rules.otherwise), rules.source)))


def plain(choice: Any) -> int | str | None:
    """What a rule gives, without its type."""
    return choice if choice is None else int(choice) if isinstance(choice, int) else str(choice)
