"""What a recipe's choice of dust map and coefficients comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.dust.coefficients import get_coefficients
from pz_tsm_core.dust.maps import get_map
from pz_tsm_core.dust.pairs import NO_MAP, mistakes
from pz_tsm_core.dust.reading import open_map, read_ebv
from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.model.artifact import sha256_of
from pz_tsm_core.model.photometry import BANDS, PhotometryPolicy
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import object_column

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Dust:
    """E(B-V) of objects, and what a unit of it costs each band.

    It is small, and may be sent anywhere: the map itself is read where it is first asked.
    """

    choice: Dereddening

    @property
    def coefficients(self) -> Mapping[str, float]:
        """R_b = A_b / E(B-V) by band; without a map nothing is undone."""
        if self.choice.map == "none":
            return dict.fromkeys(BANDS, 0.0)
        return _values(self.choice)

    def reddening(self, table: pa.Table, release: Release) -> Floats:
        """E(B-V) in mag of every row, shape (n,); NaN where it is not known.

        Parameters
        ----------
        table : after the match
        release : tells which columns are the object's: its position, its E(B-V)

        Raises
        ------
        TsmError
            `dust.map`; `catalog.missing-column` for `map: catalog` without such a column.
        """
        choice = self.choice
        if choice.map == "none":
            return np.zeros(len(table))
        if choice.map == "catalog":
            return choice.scale * _catalog_ebv(table, release)
        ra, dec = (_floats(table, object_column(name)) for name in (release.ra, release.dec))
        return choice.scale * read_ebv(choice.map, choice.directory, ra, dec)


def check_dust(photometry: PhotometryPolicy, release: Release) -> None:
    """Refuse a choice of map and coefficients that cannot be, or whose parts do not fit.

    Raises
    ------
    TsmError
        `recipe.bad-value` with all that is wrong with it.
    """
    if found := tuple(mistakes(photometry, release)):
        raise TsmError(*(replace(each, where=f"photometry.dereddening.{each.where}")
                         for each in found))


def open_dust(choice: Dereddening) -> Dust:
    """Open the map that a recipe chose, if it chose one.

    Raises
    ------
    TsmError
        `dust.map` when the map is not where the recipe says.
    """
    if choice.map not in NO_MAP:
        open_map(choice.map, choice.directory)
    return Dust(choice)


def dust_digests(choice: Dereddening) -> dict[str, str]:
    """Digests of the data that a dereddening reads: its map and its coefficients.

    Raises
    ------
    TsmError
        `dust.map` when the map is not where it should be.
    """
    if choice.map == "none":
        return {}
    coefficients = {"dust_coefficients": sha256_of(dict(_values(choice)))}
    if choice.map == "catalog":
        return coefficients
    return {"dust_map": get_map(choice.map).digest(choice.directory), **coefficients}


def _values(choice: Dereddening) -> Mapping[str, float]:
    if choice.coefficients == "custom":
        return {str(band): value for band, value in choice.values.items()}
    return get_coefficients(choice.coefficients).values


def _catalog_ebv(table: pa.Table, release: Release) -> Floats:
    name = None if release.ebv is None else object_column(release.ebv)
    if name is None or name not in table.column_names:
        raise refuse(
            Code.CATALOG_COLUMN, f"column {name or 'of E(B-V)'}", found="no such column",
            expected=f"the E(B-V) of {release.name}",
            remedy="choose a dust map, such as photometry.dereddening.map: sfd")
    return _floats(table, name)


def _floats(table: pa.Table, name: str) -> Floats:
    """A column as float64, null as NaN."""
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)
