"""The catalogue of errors: what went wrong, where, what was expected and what to do.

Every refusal of the library is one `TsmError` that carries one or more `Problem`s; all mistakes of
one input are collected and reported together. Codes are stable: scripts may depend on them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """The stable codes, each with what it means (docs/reference/errors.md)."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make a member of the code itself, and keep what it means beside it."""
        code = str.__new__(cls, value)
        code._value_, code.meaning = value, meaning
        return code

    RECIPE_SYNTAX = "recipe.syntax", "no YAML mapping, or more than a person writes"
    RECIPE_UNKNOWN_KEY = "recipe.unknown-key", "a key that no part of a recipe has"
    RECIPE_MISSING_KEY = "recipe.missing-key", "a key that a recipe must have"
    RECIPE_BAD_VALUE = "recipe.bad-value", "a value of a wrong type or out of its range"
    SURVEY_UNKNOWN = "survey.unknown", "no survey of that key in the registry"
    SURVEY_INVALID = "survey.invalid", "a survey definition that contradicts itself or its schema"
    RULE_SYNTAX = "rule.syntax", "text that is no flag rule"
    RULE_COLUMN = "rule.unknown-column", "a flag rule that reads a column which the table lacks"
    RULE_TYPE = "rule.type", "operands of a flag rule that cannot be compared or combined"
    LEGACY_FILE = "legacy.rule-file", "a rule file of the older pipeline that breaks its format"
    LEGACY_CONFIG = "legacy.config", "a configuration of the older pipeline that breaks its format"
    LEGACY_EXPRESSION = "legacy.expression", "a Python expression that no flag rule can say"
    LEGACY_SURVEY = "legacy.survey", "a survey for which a rule file has no rules"
    RELEASE_UNKNOWN = "release.unknown", "no release profile of that key"
    RELEASE_INVALID = "release.invalid", "a release profile against its schema or the catalogue"
    FILE_MISSING = "file.missing", "a file that is not there or cannot be read"
    FILE_FORMAT = "file.format", "a format that is not known or not supported"
    FILE_DAMAGED = "file.damaged", "truncated, corrupt, or not what its name says"
    FILE_CHANGED = "file.changed", "a file that changed while it was read"
    FILE_LIMIT = "file.limit", "larger than a reader may take in"
    TABLE_EMPTY = "table.empty", "a table without rows"
    TABLE_MISSING_COLUMN = "table.missing-column", "a column that is asked for and not there"
    TABLE_DUPLICATE_COLUMN = "table.duplicate-column", "two columns of one name"
    TABLE_COLUMN_TYPE = "table.column-type", "a column whose type cannot serve"
    TABLE_UNIT = "table.unit", "a column in a unit that is not the one it must have"
    TABLE_KIND = "table.kind", "a table that is neither pandas, astropy nor Arrow"
    POSITION_MISSING = "position.missing", "NaN or null where a position must be"
    POSITION_RANGE = "position.out-of-range", "a position that is not on the sphere"
    VALUE_RANGE = "value.out-of-range", "a number out of its range"
    ID_COLLISION = "id.collision", "one id for two different things"
    CATALOG_INVALID = "catalog.invalid", "no HATS catalogue, or one that is damaged"
    CATALOG_COLUMN = "catalog.missing-column", "a column that the object catalogue lacks"
    CATALOG_MARGIN = "catalog.margin", "a margin too narrow for the radius or too wide"
    MATCH_EMPTY = "match.empty", "redshifts and objects of which none match"
    DUST_MAP = "dust.map", "a dust map that is missing or unreadable"
    DUST_TWICE = "dust.twice", "fluxes or magnitudes that are dereddened already"
    SELECT_EMPTY = "select.empty", "cuts, or drops by photometry, that leave no row"
    STORE_ACCESS = "store.access", "data that the principal may not see"
    STORE_CORRUPT = "store.corrupt", "an artifact that differs from its manifest"
    STORE_MISSING = "store.missing", "an artifact that the store lacks"
    STORE_CONFLICT = "store.conflict", "one address, two different results"
    STORE_UNSUPPORTED = "store.unsupported", "a location or layout of another kind or later date"
    STORE_IO = "store.io", "a disk or server that refuses: no room, no permission, no answer"
    PRODUCT_NAME = "product.name", "text that is no name of a product, or a name of another kind"
    PRODUCT_UNKNOWN = "product.unknown", "no product or version of that name for this principal"
    PRODUCT_SUPERSEDED = "product.superseded", "a version that a newer one has passed by"
    OUTPUT_EXISTS = "output.exists", "something is there already and is not overwritten"
    OUTPUT_WRITE = "output.write", "the output folder cannot be written to"
    SERVICE_UNREACHABLE = "service.unreachable", "a service that does not answer"
    SERVICE_TIMEOUT = "service.timeout", "a service that took longer than it may"
    SERVICE_REFUSED = "service.refused", "a service that answers with an error"
    SERVICE_INCOMPLETE = "service.incomplete", "fewer rows or bytes than a service promised"
    SERVICE_SCHEMA = "service.schema", "columns at a service that are not those of the definition"
    REMOTE_FORBIDDEN = "remote.forbidden", "an address that may not be contacted"
    REMOTE_LIMIT = "remote.limit", "a transfer larger than it may be"
    SOURCE_NONE = "source.none", "a survey that no service gives, or not the one asked for"
    SOURCE_MISSING = "source.missing", "a survey that the store lacks, and nobody may fetch now"
    SOURCE_CHANGED = "source.changed", "a catalogue that no longer is what its definition says"
    SITE_MISSING = "site.missing", "a service that nobody has described, or that does not answer"
    SITE_INVALID = "site.invalid", "a description of a service against its schema"
    INTERNAL = "internal", "a failure that no other code tells: a mistake of ours"
    APPLICATION_MISSING = "application.missing", "the library alone, without flows and tasks"


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
            f"[{self.code}] {printable(self.where)}\n"
            f"    found:    {printable(self.found)}\n"
            f"    expected: {printable(self.expected)}\n"
            f"    to do:    {printable(self.remedy)}"
        )


def printable(text: str) -> str:
    """The text on one line, without what could move a cursor: names in files are anybody's."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class TsmError(Exception):
    """A refusal that carries every mistake found, for people and for programs."""

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
