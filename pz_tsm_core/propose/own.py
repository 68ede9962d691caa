"""A table that is no known survey's: its columns, its flags, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pz_tsm_core.inspection.column import Column, Mask, shown
from pz_tsm_core.model.quality import InstrumentType, ObjectClass
from pz_tsm_core.propose.findings import Finding, evidence, rows
from pz_tsm_core.propose.flags import Reading, class_rules, read_flag, value_lines
from pz_tsm_core.propose.mapping import Mapping, map_columns
from pz_tsm_core.propose.position import may_lose_signs
from pz_tsm_core.propose.sentinels import Z_RANGE, has_redshift, sentinels
from pz_tsm_core.propose.text_numbers import TextNumbers
from pz_tsm_core.propose.vocabulary import COMMON, plain, vocabulary

#: Smaller redshifts are of stars, or of none (600 km/s).
_STELLAR = 0.002
#: Share of the rows from which on something odd is worth a look.
_MANY = 0.01
#: What findings are about, in the order of a recipe.
_KEYS = ("id", "ra", "dec", "z", "z_err", "quality", "object_class", "instrument_type")
#: Right ascensions of a survey that lie between these and span half of them may be hours.
_HOURS = (0, 24)


@dataclass(frozen=True)
class OwnTable:
    """What was understood of a table.

    Parameters
    ----------
    flag : how its quality is meant; None without a flag that could be read
    classes, instruments : conditions of the rule language with what follows from them
    sentinels : values of the redshift column that are none, with their rows
    findings : everything that is to be told, in the order of the keys of a recipe
    """

    mapping: Mapping
    flag: Reading | None
    classes: tuple[tuple[str, ObjectClass], ...]
    instruments: tuple[tuple[str, InstrumentType], ...]
    sentinels: dict[float, int]
    findings: tuple[Finding, ...] = ()

    @property
    def is_photometric(self) -> bool:
        """Whether the redshifts say of themselves that they are photometric."""
        z = self.mapping.z.column
        return "phot" in plain(z.name) or "phot" in z.told("ucd").lower()

    @property
    def is_simple(self) -> bool:
        """Whether an entry of a recipe tells it all, without a definition of a survey."""
        possible = [value for value in self.sentinels if Z_RANGE[0] <= value <= Z_RANGE[1]]
        mapping = self.mapping
        return not (self.classes or self.instruments or possible or mapping.id_part
                    or mapping.velocity or not (mapping.ra.is_plain and mapping.dec.is_plain)
                    or isinstance(mapping.z.column, TextNumbers)
                    or (self.flag and not self.flag.same_scale))


def understand(columns: Sequence[Column]) -> OwnTable:
    """Say which column is what, and how its values are meant.

    Raises
    ------
    TsmError
        as `map_columns`
    """
    mapping, words = map_columns(columns), vocabulary()
    z = mapping.z.column
    known = np.isfinite(z.numbers) if mapping.velocity else has_redshift(z)
    classes, instruments = mapping.object_class, mapping.instrument_type
    own = OwnTable(
        mapping, _read(mapping, known),
        class_rules(classes.column, words.object_classes) if classes else (),
        class_rules(instruments.column, words.instrument_types) if instruments else (),
        {} if mapping.velocity else sentinels(z),
    )
    found = (*_of_columns(own), *_of_flags(own, known), *_of_rows(own))
    return replace(own, findings=tuple(sorted(found, key=lambda one: _KEYS.index(one.about))))


def _read(mapping: Mapping, known: Mask) -> Reading | None:
    """The first flag that can be understood; guessed is only what is surely a flag of redshifts."""
    sure = vocabulary().roles["quality"]
    for _, column in mapping.flags:
        named = sure.points_of_name(plain(column.name)) >= COMMON or vocabulary().belongs(
            "quality", column.name, mapping.z.column.name)
        if reading := read_flag(column, known, guess=named):
            return reading
    return None


def _of_columns(own: OwnTable) -> Iterator[Finding]:
    """What each column was taken for, and what else could have been."""
    mapping = own.mapping
    for role, coordinate in (("ra", mapping.ra), ("dec", mapping.dec)):
        told = "; ".join(map(evidence, coordinate.columns))
        unit = "" if coordinate.is_plain else f"; {coordinate.unit}, made degrees"
        yield Finding(role, told + unit + _next_best(coordinate.others),
                      check=bool(coordinate.others))
    for role, choice in (("z", mapping.z), ("z_err", mapping.z_err), ("id", mapping.id)):
        if choice is None:
            yield Finding(role, f"no column for {role}" + _UNNAMED.get(role, ""))
        else:
            yield Finding(role, evidence(choice.column) + _next_best(choice.others),
                          check=bool(choice.others) and role == "z")
    if mapping.id and mapping.id_part:
        yield Finding("id", f"{mapping.id.column.name} repeats, but not together with "
                            f"{mapping.id_part.name}")
    if mapping.velocity:
        yield Finding("z", f"{mapping.z.column.name} is a velocity in km/s: divided by the speed "
                           "of light", check=True)
    if own.is_photometric:
        yield Finding("instrument_type", f"{mapping.z.column.name} is photometric by its name",
                      check=True)
    for value, count in own.sentinels.items():
        yield Finding("z", f"{shown(value)} in {rows(count)} is no redshift")


_UNNAMED = {"id": ": rows are known by their content"}


def _next_best(others: Sequence[Column]) -> str:
    names = ", ".join(column.name for column in others)
    return f"; next best: {names}" if others else ""


def _of_flags(own: OwnTable, known: Mask) -> Iterator[Finding]:
    """How flags and classes are meant, with their values; which flags were not understood."""
    read = own.flag.column.name if own.flag else None
    if own.flag:
        yield Finding("quality", f"column {read}: {own.flag.convention}; {own.flag.means}",
                      check=not own.flag.sure)
        yield from (Finding("quality", line) for line in value_lines(own.flag.column, known))
        yield Finding("quality", f"if yours is another scale: {own.flag.change}")
    else:
        yield Finding("quality", "no flag that says how sure a redshift is: every row counts as 3, "
                                 "secure", check=True)
    for _, column in own.mapping.flags:
        if column.name != read:
            values = "; ".join(value_lines(column, known))
            yield Finding("quality", f"not used: column {column.name} ({values})",
                          check=own.flag is None)
    for about, choice in (("object_class", own.mapping.object_class),
                          ("instrument_type", own.mapping.instrument_type)):
        if choice:
            said = ", ".join(f"{text.strip()!r} in {rows(count)}"
                             for text, count in choice.column.counts.items())
            yield Finding(about, f"column {choice.column.name}: {said}")


def _of_rows(own: OwnTable) -> Iterator[Finding]:
    """What is odd about the rows."""
    ra, dec, z = own.mapping.ra, own.mapping.dec, own.mapping.z.column
    if ra.is_plain and _spans(ra.columns[0], _HOURS):
        yield Finding("ra", f"{ra.columns[0].name} lies between 0 and 24 throughout: if it is in "
                            "hours, say `unit: hour` in a definition", check=True)
    if ra.is_plain and _spans(ra.columns[0], (0, 2 * np.pi)) and dec.is_plain and (
        dec.columns[0].share(-np.pi / 2, np.pi / 2) == 1
    ):
        yield Finding("ra", f"{ra.columns[0].name} may be in radians: convert it, and dec",
                      check=True)
    if may_lose_signs(dec):
        yield Finding("dec", "positions between -1 and 0 degrees cannot be told from those between "
                             "0 and 1: no column holds the sign", check=True)
    slow = int((abs(z.numbers) < _STELLAR).sum())
    if slow and not own.classes and not own.mapping.velocity:
        yield Finding("object_class", f"a redshift below {_STELLAR} in {rows(slow)}, and no column "
                      "says what they are: stars?", check=slow > _MANY * len(z.values))


def _spans(column: Column, bounds: tuple[float, float]) -> bool:
    """Whether all values lie within bounds, and far apart."""
    low, high = bounds
    return column.share(low, high) == 1 and bool(np.ptp(column.finite) > 0.6 * (high - low))
