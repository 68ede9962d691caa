"""Something whose rows or values are in a result, and how to give credit for it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pz_tsm_core.model.artifact import Value

CitedKind = Literal["survey", "own table", "object catalogue", "dust map", "coefficients"]


class Cited(Value):
    """One survey, table, catalogue, map or set of coefficients of which something survives.

    Parameters
    ----------
    release : empty where there is none
    bibcodes : ADS bibcodes, or names of entries in `citations/references.bib`; none of an own table
    acknowledgement : what it asks papers to say; empty where it asks nothing
    rows : how many of its rows or values survive; what has none is not cited
    """

    kind: CitedKind
    key: str = Field(min_length=1)
    name: str = Field(min_length=1)
    release: str = ""
    bibcodes: tuple[str, ...] = ()
    acknowledgement: str = ""
    rows: int = Field(ge=1)

    @model_validator(mode="after")
    def _own_tables_are_own(self) -> Cited:
        if self.kind == "own table" and (self.bibcodes or self.acknowledgement):
            raise ValueError("an own table names no work of others")
        return self
