"""Fluxes and magnitudes: the formulas, in float64, over arrays of shape (n,)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pz_tsm_core.model.photometry import NJY_ZERO_POINT

Floats = npt.NDArray[np.float64]

#: Pogson's ratio: magnitudes in a factor e of flux, 2.5 / ln 10 = 1.0857.
POGSON = 2.5 / np.log(10)


def deredden(flux: Floats, ebv: Floats, coefficient: float) -> Floats:
    """Flux without the Milky Way's dust: f * 10**(0.4 R E(B-V)); errors scale alike."""
    return np.asarray(flux * 10 ** (0.4 * coefficient * ebv), dtype=np.float64)


def magnitude(flux: Floats, zero_point: float = NJY_ZERO_POINT) -> Floats:
    """AB magnitude -2.5 log10(f) + zero point of a flux in nJy; NaN unless positive and finite.

    The zero point 31.4 is 8.90 (Oke & Gunn 1983, ApJ 266, 713, in Jy) + 22.5.
    """
    positive = np.where((flux > 0) & np.isfinite(flux), flux, np.nan)
    return np.asarray(zero_point - 2.5 * np.log10(positive), dtype=np.float64)


def magnitude_error(flux: Floats, flux_err: Floats) -> Floats:
    """First-order error of a magnitude, 2.5 / ln 10 * sigma_f / f; NaN unless both are positive."""
    known = (flux > 0) & np.isfinite(flux) & (flux_err > 0) & np.isfinite(flux_err)
    ratio = np.divide(flux_err, flux, out=np.full(len(flux), np.nan), where=known)
    return np.asarray(POGSON * ratio, dtype=np.float64)


def flux_of(mag: Floats, mag_err: Floats) -> tuple[Floats, Floats]:
    """Flux and error in nJy of AB magnitudes: the two formulas above, solved for them."""
    with np.errstate(over="ignore", invalid="ignore"):  # of what is no magnitude: infinite
        flux = np.asarray(10 ** (0.4 * (NJY_ZERO_POINT - mag)), dtype=np.float64)
        return flux, np.asarray(flux * mag_err / POGSON, dtype=np.float64)


def asinh_magnitude(
    flux: Floats, softening: float, zero_point: float = NJY_ZERO_POINT
) -> Floats:
    """Asinh magnitude of a flux of any sign: zp - 2.5 / ln 10 * [asinh(f / 2b) + ln b].

    Lupton, Gunn & Szalay (1999, AJ 118, 1406), eq. 3, with flux and softening b in nJy; for f far
    above b it is the magnitude.
    """
    return np.asarray(zero_point - POGSON * (np.arcsinh(flux / (2 * softening))
                                             + np.log(softening)), dtype=np.float64)


def asinh_error(flux: Floats, flux_err: Floats, softening: float) -> Floats:
    """First-order error of an asinh magnitude, 2.5 / ln 10 * sigma_f / sqrt(f**2 + 4 b**2)."""
    return np.asarray(POGSON * flux_err / np.hypot(flux, 2 * softening), dtype=np.float64)
