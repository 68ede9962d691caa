"""The map of Schlegel, Finkbeiner & Davis (1998), read through dustmaps."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.files import digest_file
from pz_tsm_core.model.artifact import sha256_of

POLES = ("ngp", "sgp")


class SfdMap:
    """E(B-V) anywhere on the sky, from the two FITS files of the SFD map.

    Parameters
    ----------
    directory : folder that holds `sfd/SFD_dust_4096_{ngp,sgp}.fits`, as dustmaps lays it out

    Raises
    ------
    TsmError
        `dust.map` when a file is missing or is no SFD map.
    """

    def __init__(self, directory: str | Path) -> None:
        self._query = _open_query(sfd_files(directory)[0].parent)

    def ebv(
        self, ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float32]:
        """E(B-V) in mag at ICRS positions in degrees, shape (n,), by bilinear interpolation."""
        if not len(ra):
            return np.empty(0, dtype=np.float32)
        from astropy.coordinates import SkyCoord  # here: a plan must not wait for it

        coordinates = SkyCoord(ra, dec, unit="deg", frame="icrs")
        return np.asarray(self._query(coordinates), dtype=np.float32)

    @staticmethod
    def digest(directory: str | Path) -> str:
        """sha256 over both files, as 64 hexadecimal digits, without opening the map."""
        return sha256_of([digest_file(file) for file in sfd_files(directory)])


def sfd_files(directory: str | Path) -> list[Path]:
    """The two files of the map, or a refusal that names what is missing."""
    files = [Path(directory) / "sfd" / f"SFD_dust_4096_{pole}.fits" for pole in POLES]
    bad = [str(file) for file in files if not _is_fits(file)]
    if bad:
        raise refuse(Code.DUST_MAP, str(directory), found=f"no FITS file {', '.join(bad)}",
                     expected="the two files of the SFD dust map",
                     remedy="set photometry.dereddening.directory, or there `map: none`")
    return files


def _is_fits(file: Path) -> bool:
    """Whether a file begins as FITS does; dustmaps would print its own complaint of others."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(6) == b"SIMPLE"


def _open_query(directory: Path) -> Any:
    """Open the map where it lies; the user's dustmaps configuration is neither read nor written."""
    with warnings.catch_warnings():
        # dustmaps warns on import when it finds no configuration; none is needed here.
        warnings.simplefilter("ignore")
        from dustmaps.sfd import SFDQuery
    try:
        return SFDQuery(map_dir=str(directory))
    except (OSError, ValueError, IndexError) as error:
        raise refuse(Code.DUST_MAP, str(directory), found=str(error),
                     expected="two readable SFD map files",
                     remedy="fetch the map again; a download may have been cut") from error
