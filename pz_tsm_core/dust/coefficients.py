"""Extinction coefficients: named sets, each with its source."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pz_tsm_core.dust.maps import EbvScale
from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.files import read_document
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.document import build


class Coefficients(Value):
    """One set of R_b = A_b / E(B-V).

    Parameters
    ----------
    ebv_scale : of the E(B-V) that they are multiplied with; `any` where convention takes both
    why : what makes it that scale
    citation : ADS bibcodes
    """

    name: str
    values: dict[str, float]
    source: str
    ebv_scale: EbvScale | Literal["any"]
    why: str
    citation: tuple[str, ...] = Field(min_length=1)


class _CoefficientSets(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_: Literal[1] = Field(alias="schema")
    sets: dict[str, Coefficients]


@cache
def _sets() -> dict[str, Coefficients]:
    resource = files("pz_tsm_core.dust") / "coefficients.yaml"
    return build(_CoefficientSets, read_document(resource, code=Code.DUST_MAP)).sets


def coefficient_keys() -> tuple[str, ...]:
    """Names of all sets, the usual one first."""
    return tuple(_sets())


def get_coefficients(name: str) -> Coefficients:
    """Return the set of that name.

    >>> get_coefficients("desc_dc2").values["i"]
    2.06
    """
    sets = _sets()
    if name not in sets:
        choices = (*sets, "custom")
        raise refuse(Code.RECIPE_BAD_VALUE, "coefficients",
                     found=f"`{name}`", expected=f"one of {', '.join(choices)}",
                     remedy=nearest(name, choices))
    return sets[name]
