"""A dust field that can be written down, and the same field as SFD map files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits

Floats = npt.NDArray[np.float64]

#: ICRS position of the north galactic pole, degrees (astropy 8, `Galactic` frame).
GALACTIC_POLE = (192.85947789, 27.12825241)
MAP_SIDE = 512  # pixels; the real maps have 4096

#: A / E(B-V) by which the mock reddens (DESC DC2: CCM89, R_V = 3.1).
R_DESC_DC2 = {"u": 4.81, "g": 3.64, "r": 2.70, "i": 2.06, "z": 1.58, "y": 1.31}


def ebv_at_latitude(b: Floats) -> Floats:
    """E(B-V) in mag of the mock sky at galactic latitude in degrees."""
    return np.asarray(0.02 + 0.3 * np.exp(-np.abs(b) / 15.0))


def ebv_at(ra: Floats, dec: Floats) -> Floats:
    """E(B-V) in mag of the mock sky at ICRS positions in degrees."""
    pole_ra, pole_dec = np.radians(GALACTIC_POLE)
    sin_b = (np.sin(np.radians(dec)) * np.sin(pole_dec)
             + np.cos(np.radians(dec)) * np.cos(pole_dec) * np.cos(np.radians(ra) - pole_ra))
    return ebv_at_latitude(np.degrees(np.arcsin(np.clip(sin_b, -1.0, 1.0))))


def write_sfd_maps(folder: Path) -> None:
    """Write `sfd/SFD_dust_4096_{ngp,sgp}.fits` as dustmaps' SFDQuery reads them.

    Format: Schlegel, Finkbeiner & Davis (1998), appendix C: Lambert's equal-area projection
    centred on a galactic pole, one hemisphere a file.
    """
    (folder / "sfd").mkdir(parents=True)
    for name, sign in (("ngp", 1), ("sgp", -1)):
        image = _hemisphere().astype(np.float32)
        hdu = fits.PrimaryHDU(image, header=_header(sign))
        hdu.writeto(folder / "sfd" / f"SFD_dust_4096_{name}.fits")


def _hemisphere() -> Floats:
    """Dust at every pixel centre; the field has the same form in both hemispheres."""
    offset = np.arange(MAP_SIDE) - (MAP_SIDE - 1) / 2
    radius_squared = (offset[:, None] ** 2 + offset[None, :] ** 2) / (MAP_SIDE / 2) ** 2
    # r^2 = 1 - |sin b| in units of the half side; corners beyond the equator wrap around it.
    return ebv_at_latitude(np.degrees(np.arcsin(np.clip(1 - radius_squared, -1.0, 1.0))))


def _header(sign: int) -> fits.Header:
    scale = np.degrees(np.sqrt(2)) / (MAP_SIDE / 2)
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "GLON-ZEA", "GLAT-ZEA"
    header["CRVAL1"], header["CRVAL2"] = 90.0, 90.0 * sign
    header["CRPIX1"] = header["CRPIX2"] = (MAP_SIDE + 1) / 2
    header["LONPOLE"] = 180.0
    header["CD1_1"], header["CD1_2"] = -scale, 0.0
    header["CD2_1"], header["CD2_2"] = 0.0, scale
    header["LAM_NSGP"], header["LAM_SCAL"] = sign, MAP_SIDE // 2
    return header
