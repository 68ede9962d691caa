"""The catalogue of errors: what went wrong, where, what was expected and what to do.

Every refusal of the library is one `TsmError` that carries one or more `Problem`s; all mistakes of
one input are collected and reported together. Codes are stable: scripts may depend on them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable codes, one line each on what they mean."""

    RECIPE_SYNTAX = "recipe.syntax"  # not YAML, or not a mapping
    RECIPE_UNKNOWN_KEY = "recipe.unknown-key"  # a key that no part of a recipe has
    RECIPE_MISSING_KEY = "recipe.missing-key"
    RECIPE_BAD_VALUE = "recipe.bad-value"
    SURVEY_UNKNOWN = "survey.unknown"  # no definition of that key
    SURVEY_INVALID = "survey.invalid"  # a definition that contradicts itself or the schema
    RULE_SYNTAX = "rule.syntax"  # text that is no rule
    RULE_COLUMN = "rule.unknown-column"
    RULE_TYPE = "rule.type"  # operands that cannot be compared or combined
    RELEASE_UNKNOWN = "release.unknown"
    FILE_MISSING = "file.missing"
    FILE_FORMAT = "file.format"  # unknown or unsupported format
    FILE_DAMAGED = "file.damaged"  # truncated, corrupt, or not what its name says
    FILE_LIMIT = "file.limit"  # larger than the reader may take in
    TABLE_EMPTY = "table.empty"
    TABLE_MISSING_COLUMN = "table.missing-column"
    TABLE_DUPLICATE_COLUMN = "table.duplicate-column"
    TABLE_COLUMN_TYPE = "table.column-type"
    TABLE_KIND = "table.kind"  # neither pandas, astropy nor Arrow
    POSITION_MISSING = "position.missing"  # NaN or null where a position must be
    POSITION_RANGE = "position.out-of-range"
    VALUE_RANGE = "value.out-of-range"
    ID_COLLISION = "id.collision"  # two different rows with one 63-bit id
    CATALOG_INVALID = "catalog.invalid"  # a path that is no HATS catalogue
    CATALOG_COLUMN = "catalog.missing-column"
    CATALOG_MARGIN = "catalog.margin"  # margin absent or smaller than the match radius
    MATCH_EMPTY = "match.empty"
    DUST_MAP = "dust.map"  # dust map missing or unreadable
    DUST_TWICE = "dust.twice"  # dereddening what is dereddened already
    STORE_ACCESS = "store.access"  # the principal may not read this
    STORE_CORRUPT = "store.corrupt"  # an artifact that differs from its manifest
    STORE_MISSING = "store.missing"
    STORE_CONFLICT = "store.conflict"  # one address, two different results
    STORE_UNSUPPORTED = "store.unsupported"  # a location or layout of another kind or later date
    STORE_IO = "store.io"  # the file system refused: full disk, permission
    OUTPUT_EXISTS = "output.exists"
    OUTPUT_WRITE = "output.write"  # the folder that the recipe names cannot be written to
    SERVICE_UNREACHABLE = "service.unreachable"
    APPLICATION_MISSING = "application.missing"  # the wheel alone, without flows and tasks


@dataclass(frozen=True)
class Problem:
    """One mistake, told so that a stranger can mend it.

    Parameters
    ----------
    code : the stable code
    where : file, key, line, column or row that is wrong
    found : what stands there
    expected : what should stand there
    remedy : what to do next
    """

    code: Code
    where: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"[{self.code}] {self.where}\n"
            f"    found:    {self.found}\n"
            f"    expected: {self.expected}\n"
            f"    to do:    {self.remedy}"
        )


class TsmError(Exception):
    """A refusal that carries every mistake found, for people and for programs."""

    #: Whether the same call may succeed later without any change of its input.
    transient = False

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise ValueError("a TsmError carries at least one problem")
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))

    def __reduce__(self) -> tuple[type[TsmError], tuple[Problem, ...]]:
        # Exceptions cross process borders (Dask workers) and must be rebuilt from their problems.
        return type(self), self.problems

    @property
    def codes(self) -> tuple[Code, ...]:
        """Codes of all problems, in the order found."""
        return tuple(problem.code for problem in self.problems)


class TransientError(TsmError):
    """A failure that waiting may cure: the network, a busy service, a lost worker."""

    transient = True


class Problems:
    """Collects mistakes so that all of them are reported at once."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def add(self, code: Code, where: str, *, found: str, expected: str, remedy: str) -> None:
        """Note one mistake."""
        self._problems.append(Problem(code, where, found, expected, remedy))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note mistakes that another collector or error found."""
        self._problems.extend(problems)

    @property
    def found(self) -> tuple[Problem, ...]:
        """Everything noted so far."""
        return tuple(self._problems)

    def raise_if_any(self) -> None:
        """Raise one `TsmError` with everything noted so far; do nothing when that is nothing."""
        if self._problems:
            raise TsmError(*self._problems)


def refuse(code: Code, where: str, *, found: str, expected: str, remedy: str) -> TsmError:
    """Return the error for a single mistake, to be raised by the caller."""
    return TsmError(Problem(code, where, found, expected, remedy))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known word, or all of them when none is near.

    >>> nearest("radius_arsec", ["radius_arcsec", "margin_arcsec"])
    'did you mean `radius_arcsec`?'
    """
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return "choose one of: " + ", ".join(f"`{choice}`" for choice in choices)
