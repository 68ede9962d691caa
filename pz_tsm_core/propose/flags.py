"""What a flag column means: the convention that its values follow, as rules of a survey."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import TsmError
from pz_tsm_core.inspection.column import Column, Mask, shown
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality
from pz_tsm_core.propose.findings import rows
from pz_tsm_core.propose.vocabulary import Convention, FlagRule, conventions, plain
from pz_tsm_core.rules import parse

KindT = TypeVar("KindT", ObjectClass, InstrumentType)

#: Share of the flagged rows that a convention must explain.
_FITS = 0.98
#: More values than a person would list.
_LISTED = 24
#: What rules may hold of a name; a longer one is no part of a rule.
_LONGEST_NAME = 400
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Rule:
    """A proposed rule: a condition of the rule language, what follows, and what is said of it."""

    when: str
    then: Any
    means: str


@dataclass(frozen=True)
class Reading:
    """How a flag column is understood.

    Parameters
    ----------
    convention : its name
    means : the scale, in words
    change : what to look at when the survey means something else
    same_scale : the flag is the quality itself
    sure : whether the values themselves tell the convention
    """

    column: Column
    convention: str
    means: str
    change: str
    quality: tuple[Rule, ...]
    otherwise: Quality
    otherwise_means: str
    object_class: tuple[Rule, ...] = ()
    same_scale: bool = False
    sure: bool = True


def can_be_read(column: Column) -> bool:
    """Whether a rule can name the column: backquotes have no escape in the rule language."""
    return "`" not in column.name and 0 < len(column.name) <= _LONGEST_NAME


def read_flag(column: Column, has_redshift: Mask, *, guess: bool = True) -> Reading | None:
    """The first convention that a column's values follow; None when none does.

    Parameters
    ----------
    has_redshift : whether each row has a redshift, shape (n,)
    guess : take whole numbers of no known convention as grades, when rows without a redshift tell
        which end of them is the bad one
    """
    if not can_be_read(column):
        return None
    table = pa.table([column.values], names=[column.name])
    for convention in conventions():
        if _follows(column, convention, table):
            return _scale(column, convention) if convention.same_scale else _reading(
                column, convention)
    return _grades(column, has_redshift) if guess else None


def _follows(column: Column, convention: Convention, table: pa.Table) -> bool:
    if column.kind not in convention.kinds:
        return False
    if not re.fullmatch(convention.named, plain(column.name)):
        return False
    flagged = len(table) - column.values.null_count - _nans(column)
    fits = parse(_about(column, convention.fits)).mask(table).sum()
    shows = parse(_about(column, convention.shows)).mask(table).any()
    return bool(flagged and shows and fits >= _FITS * flagged)


def _nans(column: Column) -> int:
    if column.kind != "number":
        return 0
    return column.empty - int(column.values.null_count)


def _reading(column: Column, known: Convention) -> Reading:
    return Reading(
        column, known.name, known.means, known.change, quality=_rules(column, known.quality),
        otherwise=known.otherwise, otherwise_means=known.otherwise_means,
        object_class=_rules(column, known.object_class),
    )


def _scale(column: Column, known: Convention) -> Reading:
    """The scale itself; with rules where some rows have no flag or another."""
    rules = tuple(Rule(f"{quoted(column)} == {level}", level, f"{level} on the same scale")
                  for level in reversed(Quality) if level)
    plain = not column.values.null_count and np.isin(column.numbers, list(Quality)).all()
    return Reading(column, known.name, known.means, known.change, rules, Quality.NONE,
                   "0, any other value, or no flag", same_scale=bool(plain))


def _rules(column: Column, rules: Sequence[FlagRule]) -> tuple[Rule, ...]:
    return tuple(Rule(_about(column, rule.when), rule.then, rule.means) for rule in rules)


def _about(column: Column, condition: str) -> str:
    return condition.replace("{flag}", quoted(column))


def quoted(column: Column) -> str:
    """The column's name as the rule language takes it: in backquotes where it must be."""
    return column.name if _is_bare(column.name) else f"`{column.name}`"


def _is_bare(name: str) -> bool:
    """Whether a name is one in the rule language, and no word of it."""
    if not _BARE.fullmatch(name):
        return False
    try:
        return parse(f"{name} is null").columns == {name}
    except TsmError:
        return False


def _grades(column: Column, has_redshift: Mask) -> Reading | None:
    """Whole numbers whose best and worst end the rows without a redshift tell."""
    if not column.is_whole or not 3 <= len(column.counts) <= _LISTED:
        return None
    shares = redshift_shares(column, has_redshift)
    grades = sorted(shares)
    low, high = shares[grades[0]], shares[grades[-1]]
    if abs(high - low) < 0.5:
        return None
    grades = grades if high > low else grades[::-1]
    worst, best = shown(grades[0]), shown(grades[-1])
    return Reading(
        column, f"grades, {best} the best and {worst} the worst",
        means=f"{shares[grades[-1]]:.0%} of the rows with {best} have a redshift, "
              f"{shares[grades[0]]:.0%} of those with {worst}; a scale that is not known otherwise",
        change="look up what every value means in your survey: this is a guess",
        quality=_graded(column, grades), otherwise=Quality.NONE,
        otherwise_means=f"{worst}, or no flag", sure=False,
    )


def _graded(column: Column, grades: list[Any]) -> tuple[Rule, ...]:
    """The best grade is certain, the next secure, the upper half likely, the rest tentative."""
    better = grades[:0:-1]
    levels = [Quality.CERTAIN, Quality.SECURE]
    levels += [Quality.LIKELY] * max(0, len(grades) // 2 - 2)
    levels += [Quality.TENTATIVE] * len(grades)
    return tuple(Rule(f"{quoted(column)} == {shown(grade)}", level, f"grade {shown(grade)}")
                 for grade, level in zip(better, levels, strict=False))


def redshift_shares(column: Column, has_redshift: Mask) -> dict[Any, float]:
    """Share of the rows with a redshift, by value of a flag."""
    known = pa.array(list(column.counts), column.field.type)
    which = np.asarray(pc.fill_null(pc.index_in(column.values, known), -1))
    return {value: float(has_redshift[which == n].mean()) for n, value in enumerate(column.counts)}


def value_lines(column: Column, has_redshift: Mask) -> Iterator[str]:
    """The values of a flag with their rows, and how many of these have a redshift."""
    if len(column.counts) > _LISTED:
        yield f"{len(column.counts)} different values"
        return
    shares = redshift_shares(column, has_redshift)
    for value in sorted(column.counts, key=lambda value: (isinstance(value, str), value)):
        told = f"{value!r}" if isinstance(value, str) else shown(value)
        yield f"{told}: {rows(column.counts[value])}, {shares[value]:.0%} with a redshift"


def class_rules(
    column: Column, words: Mapping[KindT, Sequence[str]]
) -> tuple[tuple[str, KindT], ...]:
    """A condition for every class that a column of words tells, with the class."""
    said = {text.strip().lower() for text in column.counts}
    rules = []
    for kind, known in words.items():
        spoken = [word for word in known if word in said and word]
        if spoken:
            listed = ", ".join("'" + word.replace("'", "''") + "'" for word in spoken)
            which = f"in ({listed})" if len(spoken) > 1 else f"== {listed}"
            rules.append((f"lower(strip({quoted(column)})) {which}", kind))
    return tuple(rules)
