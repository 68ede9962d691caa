"""What a recipe's choice of dust map and coefficients comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.dust.coefficients import get_coefficients
from pz_tsm_core.dust.sfd import SfdMap
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import object_column

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Dust:
    """E(B-V) anywhere, and what a unit of it costs each band.

    Parameters
    ----------
    ebv : mag at ICRS positions (ra, dec) in degrees
    coefficients : R_b = A_b / E(B-V) by band
    """

    ebv: Callable[[Floats, Floats], npt.NDArray[np.float32]]
    coefficients: Mapping[str, float]

    def reddening(self, table: pa.Table, release: Release) -> Floats:
        """E(B-V) in mag at the objects of matched rows, shape (n,); NaN where it is not known."""
        ra, dec = (table[object_column(name)].to_numpy() for name in (release.ra, release.dec))
        return self.ebv(ra, dec).astype(np.float64)


def open_dust(choice: Dereddening) -> Dust:
    """Open the map that a recipe chose; map `none` reddens nothing.

    Raises
    ------
    TsmError
        `dust.map` when the map is not where the recipe says.
    """
    coefficients = get_coefficients(choice.coefficients).values
    if choice.map == "none":
        return Dust(lambda ra, _dec: np.zeros(len(ra), np.float32), coefficients)
    return Dust(SfdMap(choice.directory).ebv, coefficients)


def dust_digests(choice: Dereddening) -> dict[str, str]:
    """Digests of the data that a dereddening reads: its map and its coefficients."""
    if choice.map == "none":
        return {}
    return {
        "dust_map": SfdMap.digest(choice.directory),
        "dust_coefficients": get_coefficients(choice.coefficients).digest,
    }
