"""What was found in a table, and what a person should look at, as sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pz_tsm_core.inspection.column import Column, shown


@dataclass(frozen=True)
class Finding:
    """One thing that was seen or assumed.

    Parameters
    ----------
    about : the key of a recipe or definition that follows from it: ra, z, quality, catalog ...
    text : one sentence; names of columns in it may hold anything
    check : a guess, or something odd: worth a look
    """

    about: str
    text: str
    check: bool = False


def by_key(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by what they are about; nothing for what none is about."""
    sorted_: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        sorted_[finding.about].append(finding)
    return sorted_


def rows(count: int) -> str:
    """So many rows, in words.

    >>> rows(1), rows(12)
    ('1 row', '12 rows')
    """
    return "1 row" if count == 1 else f"{count} rows"


def evidence(column: Column) -> str:
    """What a column says of itself: its name, unit, UCD and range."""
    return ", ".join(_evidence(column))


def _evidence(column: Column) -> Iterator[str]:
    yield f"column {column.name}"
    for key, word in (("unit", "unit"), ("ucd", "UCD")):
        if text := column.told(key):
            yield f"{word} {text}"
    if column.bounds:
        yield "values {} to {}".format(*map(shown, column.bounds))
    elif column.kind and column.values.null_count < len(column.values):
        yield f"{column.distinct} different values"
    if column.empty:
        yield f"empty in {rows(column.empty)}"
