"""Dust maps: what they are called and whom to cite for them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.files import read_document
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.document import build


class DustMap(Value):
    """A map of E(B-V).

    Parameters
    ----------
    citation : ADS bibcodes
    acknowledgement : what its authors ask papers to say; empty where they ask nothing
    """

    name: str
    citation: tuple[str, ...] = Field(min_length=1)
    acknowledgement: str = ""


class _Maps(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_: Literal[1] = Field(alias="schema")
    maps: dict[str, DustMap]


@cache
def _maps() -> dict[str, DustMap]:
    resource = files("pz_tsm_core.dust") / "maps.yaml"
    return build(_Maps, read_document(resource, code=Code.DUST_MAP)).maps


def get_map(name: str) -> DustMap:
    """Return the map of that name.

    >>> get_map("sfd").citation
    ('1998ApJ...500..525S',)
    """
    maps = _maps()
    if name not in maps:
        raise refuse(Code.RECIPE_BAD_VALUE, "photometry.dereddening.map", found=f"`{name}`",
                     expected=f"one of {', '.join(maps)}", remedy=nearest(name, maps))
    return maps[name]
