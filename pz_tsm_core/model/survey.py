"""A survey: how its native columns and flags become the standard ones, as data."""

from __future__ import annotations

import math
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from pz_tsm_core.model.artifact import Value, sha256_of
from pz_tsm_core.model.policy import Name
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality

#: Ordinal of tables that users bring: they name a galaxy only where no survey does.
USER_ORDINAL = 1_000_000

ChoiceT = TypeVar("ChoiceT")
Text = Annotated[str, StringConstraints(min_length=1)]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class NativeColumns(Value):
    """Base of what says from which native column a standard column comes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class IdColumns(NativeColumns):
    """The native column, or columns together, that name a row within the survey."""

    from_: Annotated[tuple[Text, ...], BeforeValidator(_as_tuple)] = Field(
        alias="from", min_length=1
    )


class TextColumn(NativeColumns):
    """A native column that is kept as text."""

    from_: Text = Field(alias="from")


class NumberColumn(NativeColumns):
    """A number: a native column or a formula over several, and which of its values count.

    Later kinds of columns (velocities, sexagesimal angles, the first of several) get their own
    key beside `from` and `formula`.

    Parameters
    ----------
    nulls : values that stand for "not known", compared in the type of the native column
    valid : smallest and largest value that is believed
    """

    from_: Text | None = Field(default=None, alias="from")
    formula: Text | None = None
    nulls: tuple[float, ...] = ()
    valid: tuple[float, float] = (-math.inf, math.inf)

    @model_validator(mode="after")
    def _one_origin(self) -> NumberColumn:
        if (self.from_ is None) == (self.formula is None):
            raise ValueError("exactly one of `from` and `formula`")
        if not self.valid[0] < self.valid[1]:
            raise ValueError("`valid` as [smallest, largest]")
        return self


class AngleColumn(NativeColumns):
    """A native column that holds one coordinate, J2000/ICRS."""

    from_: Text = Field(alias="from")
    unit: Literal["deg"]


class SurveyColumns(Value):
    """Which native column, or what made of several, is which standard column.

    Parameters
    ----------
    others : native columns that only rules and formulas read
    """

    id: IdColumns | None = None
    ra: AngleColumn
    dec: AngleColumn
    z: NumberColumn
    z_err: NumberColumn | None = None
    native_flag: TextColumn | None = None
    others: tuple[Text, ...] = ()


class Rule(Value, Generic[ChoiceT]):
    """A condition in the rule language, what follows from it, and who says so."""

    when: Text
    then: ChoiceT
    source: Text


class RuleList(Value, Generic[ChoiceT]):
    """Rules of which the first that holds decides; what holds otherwise is explicit."""

    rules: tuple[Rule[ChoiceT], ...] = ()
    otherwise: ChoiceT | None  # None: a row that no rule decides is a mistake
    source: Text  # of what holds otherwise

    @model_validator(mode="after")
    def _every_rule_once(self) -> RuleList[ChoiceT]:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.when in seen:
                raise ValueError(f"every condition once; `{rule.when}` stands twice")
            seen.add(rule.when)
        return self


class Survey(Value):
    """One release of one survey, known whole before any row of it is read.

    Parameters
    ----------
    ordinal : place in the registry, never changed and never used again; the smallest names a galaxy
    citation : ADS bibcodes; none for a table of the user's own
    acknowledgement : the sentence that the survey asks for in papers; empty where it asks none
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    key: Name
    ordinal: int = Field(ge=1, le=2**31 - 1)
    name: Text
    facility: Text
    release: Text
    year: int = Field(ge=1900, le=2200)
    citation: tuple[Text, ...] = ()
    acknowledgement: str = ""
    columns: SurveyColumns
    quality: RuleList[Quality]
    object_class: RuleList[ObjectClass]
    instrument_type: RuleList[InstrumentType]

    @property
    def native_columns(self) -> frozenset[str]:
        """Every native column that the definition names; together they are a native row."""
        columns = self.columns
        single = (columns.ra, columns.dec, columns.z, columns.z_err, columns.native_flag)
        named = {column.from_ for column in single if column is not None and column.from_}
        return frozenset(named).union(columns.id.from_ if columns.id else (), columns.others)

    @property
    def digest(self) -> str:
        """sha256 of the content, as 64 hexadecimal digits; comments and layout do not count."""
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return sha256_of(content)
