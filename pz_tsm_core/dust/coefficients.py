"""Extinction coefficients: named sets, each with its source."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.model.artifact import Value, canonical_json
from pz_tsm_core.model.document import build, parse_document


class Coefficients(Value):
    """One set of R_b = A_b / E(B-V)."""

    values: dict[str, float]
    source: str

    @property
    def digest(self) -> str:
        """sha256 over the numbers, as 64 hexadecimal digits."""
        return hashlib.sha256(canonical_json(self.values)).hexdigest()


class _CoefficientSets(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_: Literal[1] = Field(alias="schema")
    sets: dict[str, Coefficients]


@cache
def _sets() -> dict[str, Coefficients]:
    resource = files("pz_tsm_core.dust").joinpath("coefficients.yaml")
    document = parse_document(resource.read_text(), resource.name)
    return build(_CoefficientSets, document).sets


def get_coefficients(name: str) -> Coefficients:
    """Return the set of that name.

    >>> get_coefficients("desc_dc2").values["i"]
    2.06
    """
    sets = _sets()
    if name not in sets:
        raise refuse(Code.RECIPE_BAD_VALUE, "photometry.dereddening.coefficients",
                     found=f"`{name}`", expected=f"one of {', '.join(sets)}",
                     remedy=nearest(name, sets))
    return sets[name]
