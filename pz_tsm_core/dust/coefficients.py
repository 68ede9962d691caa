"""Extinction coefficients: named sets, each with its source."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.files import read_document
from pz_tsm_core.model.artifact import Value, sha256_of
from pz_tsm_core.model.document import build


class Coefficients(Value):
    """One set of R_b = A_b / E(B-V).

    Parameters
    ----------
    citation : ADS bibcodes
    """

    name: str
    values: dict[str, float]
    source: str
    citation: tuple[str, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """sha256 over the numbers, as 64 hexadecimal digits."""
        return sha256_of(self.values)


class _CoefficientSets(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_: Literal[1] = Field(alias="schema")
    sets: dict[str, Coefficients]


@cache
def _sets() -> dict[str, Coefficients]:
    resource = files("pz_tsm_core.dust") / "coefficients.yaml"
    return build(_CoefficientSets, read_document(resource, code=Code.DUST_MAP)).sets


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
