"""Which native column of a survey, or what made of several, is which standard column."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from pz_tsm_core.model.artifact import Value

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


class HeldNumber(NativeColumns):
    """How native columns hold numbers.

    Parameters
    ----------
    cast : "number" where the native column is text that holds numbers
    nulls : values that stand for "not known", compared in the type of the native column
    """

    cast: Literal["number"] | None = None
    nulls: tuple[float | str, ...] = ()

    @model_validator(mode="after")
    def _text_is_cast(self) -> Self:
        if any(isinstance(null, str) for null in self.nulls) and self.cast is None:
            raise ValueError("`cast: number` beside a sentinel that is text")
        return self


class NumberColumn(HeldNumber):
    """A redshift or its error: a native column, the first of several, or a formula.

    Parameters
    ----------
    first_of : native columns of which the first that holds a value that counts is taken
    unit : km/s for a velocity c z, which becomes a redshift; else a pure number
    valid : smallest and largest redshift that is believed
    """

    from_: Text | None = Field(default=None, alias="from")
    first_of: tuple[Text, ...] = ()
    formula: Text | None = None
    unit: Literal["", "km/s"] = ""
    valid: tuple[float, float] = (-math.inf, math.inf)

    @model_validator(mode="after")
    def _one_origin(self) -> NumberColumn:
        if sum(map(bool, (self.from_, self.formula, self.first_of))) != 1:
            raise ValueError("exactly one of `from`, `first_of` and `formula`")
        if not self.valid[0] < self.valid[1]:
            raise ValueError("`valid` as [smallest, largest]")
        return self

    @property
    def natives(self) -> tuple[str, ...]:
        """Native columns that are taken as they are; those of a formula stand among `others`."""
        return (self.from_,) if self.from_ else self.first_of


class SideColumn(HeldNumber):
    """A number beside position and redshift, not negative; it has no part in any id."""

    from_: Text = Field(alias="from")


class PositionErrorColumn(SideColumn):
    """Error of the position on each axis, 1 sigma."""

    unit: Literal["arcsec", "deg", "mas"] = "arcsec"


class AngleColumn(NativeColumns):
    """One coordinate: a native column of numbers or sexagesimal text, or its parts in several.

    Parameters
    ----------
    parts : hours or degrees, minutes and seconds; before them, if need be, a column of signs
    unit : deg and hour for numbers, hms and dms for sexagesimal text and parts
    """

    from_: Text | None = Field(default=None, alias="from")
    parts: tuple[Text, ...] = ()
    unit: Literal["deg", "hour", "hms", "dms"]

    @model_validator(mode="after")
    def _one_origin(self) -> AngleColumn:
        if (self.from_ is None) == (not self.parts):
            raise ValueError("exactly one of `from` and `parts`")
        if self.parts and (len(self.parts) not in (3, 4) or self.unit not in ("hms", "dms")):
            raise ValueError("`parts` as three columns, or a sign and three, of unit hms or dms")
        return self

    @property
    def natives(self) -> tuple[str, ...]:
        """Native columns that it is made of."""
        return (self.from_,) if self.from_ else self.parts


class SurveyColumns(Value):
    """Which native column, or what made of several, is which standard column.

    Parameters
    ----------
    frame : of ra and dec; fk4 for the equinox B1950
    epoch : Julian year at which positions in fk4 were measured
    snr : signal-to-noise ratio of the spectrum
    others : native columns that only rules and formulas read
    """

    id: IdColumns | None = None
    ra: AngleColumn
    dec: AngleColumn
    frame: Literal["icrs", "fk4"] = "icrs"
    epoch: float | None = Field(default=None, ge=1900, le=2100)
    z: NumberColumn
    z_err: NumberColumn | None = None
    pos_err: PositionErrorColumn | None = None
    snr: SideColumn | None = None
    native_flag: TextColumn | None = None
    others: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _epoch_of_fk4(self) -> SurveyColumns:
        if (self.frame == "fk4") != (self.epoch is not None):
            raise ValueError("an `epoch` beside `frame: fk4`, and nowhere else")
        return self

    @property
    def natives(self) -> frozenset[str]:
        """Every native column that is named."""
        return self.identity.union(column.from_ for column in self.beside.values())

    @property
    def beside(self) -> dict[str, SideColumn]:
        """The numbers beside position and redshift that are named, by standard column."""
        named = {"pos_err": self.pos_err, "snr": self.snr}
        return {name: column for name, column in named.items() if column is not None}

    @property
    def identity(self) -> frozenset[str]:
        """Native columns whose values are the bytes of a row, on which ids rest.

        What stands beside position and redshift is none of them: a definition can add it later.
        """
        named = {name for column in (self.ra, self.dec, self.z, self.z_err)
                 if column is not None for name in column.natives}
        flag = {self.native_flag.from_} if self.native_flag else set()
        return frozenset(named | flag).union(self.id.from_ if self.id else (), self.others)
