"""A dust field that can be written down, and the same field as the files of every map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from cdshealpix import nested, ring

from pz_tsm_core.dust import get_map

Floats = npt.NDArray[np.float64]

#: ICRS position of the north galactic pole, degrees (astropy 8, `Galactic` frame).
GALACTIC_POLE = (192.85947789, 27.12825241)
MAP_SIDE = 512  # pixels; the real maps have 4096
MAP_NSIDE = 64  # of HEALPix maps; the real ones have 2048

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


def write_healpix_map(folder: Path, name: str) -> None:
    """Write the files of map csfd, planck or gnilc as dustmaps' classes read them.

    CSFD (Chiang 2023) is in rings, 1024 pixels a row, and has a file of flags beside it. Those of
    Planck are nested; GNILC is of the optical depth at 353 GHz, which is E(B-V) / 1.49e4 (Planck
    Collaboration 2014, A&A 571, A11).
    """
    paths = get_map(name).paths(folder)
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(12 * MAP_NSIDE**2, dtype=np.uint64)
    if name == "csfd":
        _, latitude = ring.healpix_to_lonlat(pixels, MAP_NSIDE)
        ebv = ebv_at_latitude(np.asarray(latitude.deg))
        for path, values in zip(paths, (ebv, np.zeros(len(ebv))), strict=True):
            _healpix("xtension", "RING", "T", values.reshape(-1, 1024)).writeto(path)
        return
    _, latitude = nested.healpix_to_lonlat(pixels, MAP_NSIDE.bit_length() - 1)
    ebv = ebv_at_latitude(np.asarray(latitude.deg))
    column, values = ("EBV", ebv) if name == "planck" else ("TAU353", ebv / 1.49e4)
    _healpix("COMP-MAP", "NESTED", column, values[:, None]).writeto(paths[0])


def _healpix(extension: str, ordering: str, column: str, values: Floats) -> fits.BinTableHDU:
    """A map as a table with so many pixels a row as `values` has columns."""
    format_ = f"{values.shape[1]}E"
    hdu = fits.BinTableHDU.from_columns([fits.Column(column, format_, array=values)])
    hdu.header["EXTNAME"], hdu.header["PIXTYPE"] = extension, "HEALPIX"
    hdu.header["ORDERING"], hdu.header["COORDSYS"] = ordering, "GALACTIC"
    hdu.header["NSIDE"] = MAP_NSIDE
    return hdu


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
