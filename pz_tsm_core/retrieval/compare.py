"""Whether what a service gives is what the definition says, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pz_tsm_core.errors import Code, Problem
from pz_tsm_core.model.retrieval import ColumnSaid, FetchRecord
from pz_tsm_core.model.survey import Survey

#: A kind that a service declares -> the kinds in which a definition may know such values.
_SERVES = {
    "int": {"int", "float", "text", "bool"},
    "float": {"float", "int"},  # whole numbers beside missing ones: each value is tried
    "text": {"text", "int", "float", "bool"},  # services that send text alone: each value is tried
    "bool": {"bool", "int", "text"},
}

#: How services write units that astropy spells otherwise.
_SPELT = {"degree": "deg", "degrees": "deg", "h": "hourangle", "hour": "hourangle",
          "hours": "hourangle", "-": "", "--": "", "---": "", "none": ""}

#: Of a whole catalogue this share of the rows that once came must come again.
STANDING_SHARE = 0.9


def breaches(
    survey: Survey, said: Mapping[str, ColumnSaid], where: str, names: Mapping[str, str]
) -> Iterator[Problem]:
    """What is at a service and is not what the definition says, column by column.

    Parameters
    ----------
    said : columns by native name, as the service or its file declares them
    where : the service and its table, for people
    names : native name -> name at the service
    """
    units = _units(survey)
    for native in sorted(survey.native_columns):
        there = f"{where}: column `{names.get(native, native)}`"
        column = said.get(native)
        remedy = f"correct `sources` of {survey.key}, or use another service or release"
        if column is None:
            yield Problem(Code.SERVICE_SCHEMA, there, "no such column",
                          f"the column `{native}` of {survey.name}", remedy)
            continue
        kind = survey.types.get(native)
        if kind and column.kind and kind not in _SERVES[column.kind]:
            yield Problem(Code.SERVICE_SCHEMA, there, f"values of type {column.kind}", kind, remedy)
        unit = units.get(native)
        if unit is not None and column.unit and not _same_unit(column.unit, unit):
            yield Problem(Code.SERVICE_SCHEMA, there, f"the unit `{column.unit}`",
                          unit or "a pure number", remedy)


def _units(survey: Survey) -> dict[str, str]:
    """Native columns of which the definition says the unit."""
    columns = survey.columns
    units = {name: "deg" if angle.unit == "deg" else "hourangle"
             for angle in (columns.ra, columns.dec) if angle.unit in ("deg", "hour")
             for name in angle.natives}
    for number in (columns.z, columns.z_err):
        if number is not None:
            units |= dict.fromkeys(number.natives, number.unit)
    if columns.pos_err is not None:
        units[columns.pos_err.from_] = columns.pos_err.unit
    return units


def _same_unit(said: str, wanted: str) -> bool:
    """Whether two texts name one unit; one that nobody knows is no unit of ours."""
    from astropy import units  # half a second that only a declared unit costs

    plain = _SPELT.get(said.strip().casefold(), said.strip())
    try:
        return bool(units.Unit(plain) == units.Unit(wanted))
    except (ValueError, TypeError):
        return False


def drift(former: FetchRecord, columns: Mapping[str, ColumnSaid], rows: int) -> Iterator[str]:
    """What has changed since a former retrieval of the same request, in words."""
    for name in sorted(former.columns.keys() | columns.keys()):
        before, after = former.columns.get(name), columns.get(name)
        if before is None or after is None:
            yield f"column {name} " + ("is new" if before is None else "is gone")
            continue
        if before.unit != after.unit:
            yield f"unit of {name}: `{before.unit}` before, `{after.unit}` now"
        if before.kind != after.kind:
            yield f"type of {name}: {before.kind or 'not said'} before, {after.kind or 'not'} now"
    if rows != former.rows:
        yield f"rows: {former.rows:,} before, {rows:,} now ({rows - former.rows:+,})"


def shrunk(former: FetchRecord, rows: int, survey: Survey) -> Iterator[Problem]:
    """A catalogue of which too much has gone since: more likely a fault than a correction."""
    if rows < STANDING_SHARE * former.rows:
        yield Problem(
            Code.SOURCE_CHANGED, f"survey `{survey.key}`", f"{rows:,} rows",
            f"at least {STANDING_SHARE:.0%} of the {former.rows:,} that came {former.fetched}",
            "look at the source; if it is right so, fetch with --accept",
        )
