"""Dust maps: what there is, on which scale, where its files lie, and whom to cite."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.files import digest_file, read_document
from pz_tsm_core.model.artifact import Value, sha256_of
from pz_tsm_core.model.document import build

#: `true`, or that of Schlegel, Finkbeiner & Davis (1998), which is larger.
EbvScale = Literal["sfd", "true"]
#: SFD times this is the true E(B-V): Schlafly & Finkbeiner (2011), ApJ 737, 103, section 4.
SFD_TO_TRUE = 0.86


class MapFile(Value):
    """One file of a map.

    Parameters
    ----------
    path : below the folder of the maps, as dustmaps lays out its `data_dir`
    md5 : as published; empty where the record of the data set tells it
    """

    path: str
    url: str
    md5: Annotated[str, StringConstraints(pattern="^([0-9a-f]{32})?$")] = ""

    @property
    def name(self) -> str:
        """Its name without the folder."""
        return self.path.rpartition("/")[2]


class Reddening(Value):
    """Where E(B-V) comes from.

    Parameters
    ----------
    citation : ADS bibcodes
    acknowledgement : what its authors ask papers to say; empty where they ask nothing
    """

    name: str
    ebv_scale: EbvScale
    citation: tuple[str, ...] = Field(min_length=1)
    acknowledgement: str = ""


class DustMap(Reddening):
    """A map of E(B-V) over the whole sky.

    Parameters
    ----------
    reader : the class of dustmaps that reads it
    megabytes : of all its files, about
    dataset : where the Dataverse describes the files, with the md5 of each; empty elsewhere
    """

    about: str
    reader: Literal["SFDQuery", "CSFDQuery", "PlanckQuery", "PlanckGNILCQuery"]
    megabytes: int
    dataset: str = ""
    files: tuple[MapFile, ...] = Field(min_length=1)

    def paths(self, directory: str | Path) -> list[Path]:
        """Its files below a folder of maps, or below the usual one when it is empty."""
        root = Path(directory or default_directory())
        return [root / file.path for file in self.files]

    def require(self, directory: str | Path) -> list[Path]:
        """Its files, or a refusal that names those which are missing.

        Raises
        ------
        TsmError
            `dust.map`.
        """
        paths = self.paths(directory)
        if bad := [str(path) for path in paths if not is_fits(path)]:
            raise refuse(
                Code.DUST_MAP, str(directory or default_directory()),
                found=f"no FITS file {', '.join(bad)}", expected=f"the files of {self.name}",
                remedy="fetch it (`tsm dustmaps fetch`) or set photometry.dereddening.directory; "
                "`map: catalog` takes the column of the release, `map: none` corrects nothing")
        return paths

    def digest(self, directory: str | Path) -> str:
        """sha256 over its files, as 64 hexadecimal digits, without opening the map."""
        return sha256_of([digest_file(path) for path in self.require(directory)])


class _Maps(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_: Literal[1] = Field(alias="schema")
    maps: dict[str, DustMap]
    catalog: Reddening
    unfit: dict[str, str]


@cache
def _known() -> _Maps:
    resource = files("pz_tsm_core.dust") / "maps.yaml"
    return build(_Maps, read_document(resource, code=Code.DUST_MAP))


def map_keys() -> tuple[str, ...]:
    """Names of all maps, in the order of the file."""
    return tuple(_known().maps)


def get_map(name: str) -> DustMap:
    """Return the map of that name.

    Raises
    ------
    TsmError
        `recipe.bad-value`, with the reason for a map that nobody should choose here.

    Examples
    --------
    >>> get_map("csfd").ebv_scale
    'sfd'
    """
    known = _known()
    if name in known.maps:
        return known.maps[name]
    choices = ("none", *known.maps, "catalog")
    reason = known.unfit.get(name)
    raise refuse(
        Code.RECIPE_BAD_VALUE, "dust map",
        found=f"`{name}`: {reason}" if reason else f"`{name}`",
        expected="E(B-V) of all dust, anywhere on the sky: one of " + ", ".join(choices),
        remedy="take sfd, or csfd" if reason else nearest(name, choices))


def get_reddening(name: str) -> Reddening:
    """Return the map of that name or, for `catalog`, what the releases give themselves.

    Raises
    ------
    TsmError
        as `get_map`.
    """
    return _known().catalog if name == "catalog" else get_map(name)


def default_directory() -> str:
    """Folder of the maps when nobody says: PZ_TSM_DUSTMAPS, else in the user's data folder."""
    return os.environ.get("PZ_TSM_DUSTMAPS") or str(user_data_path("pz-tsm") / "dustmaps")


def is_fits(path: Path) -> bool:
    """Whether a file begins as FITS does; dustmaps would print its own complaint of others."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(6) == b"SIMPLE"
