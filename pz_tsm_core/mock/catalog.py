"""The Object catalogue of the mock: what LSST would have measured of the true sky."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.mock.dust import R_DESC_DC2
from pz_tsm_core.mock.galaxies import BANDS, CLASSES, STAR, Population

Floats = npt.NDArray[np.float64]

#: 5 sigma point-source depths like those of DP1's deepest field (AB magnitudes).
DEPTH = {"u": 24.55, "g": 26.18, "r": 25.96, "i": 25.71, "z": 25.07, "y": 23.10}
ZERO_POINT = 31.4  # AB magnitude of 1 nJy
SYSTEMATIC = 0.005  # relative flux error of bright objects
FAILED_CMODEL, FAILED_PSF = 0.002, 0.001  # fraction of rows, per band; failed fluxes are NaN
TRACT_SIZE, PATCH_SIZE = 1.6, 0.16  # deg
OBJECT_ID_BASE = 1 << 59  # ids as long as real ones: a float would spoil them

_FLUXES = [
    field for band in BANDS for field in (
        (f"{band}_cModelFlux", pa.float32()), (f"{band}_cModelFluxErr", pa.float32()),
        (f"{band}_cModel_flag", pa.bool_()),
        (f"{band}_psfFlux", pa.float32()), (f"{band}_psfFluxErr", pa.float32()),
        (f"{band}_psfFlux_flag", pa.bool_()),
    )
]
#: 46 columns with the names and types of the DP1 Object table.
OBJECT_SCHEMA = pa.schema([
    ("objectId", pa.int64()),
    ("coord_ra", pa.float64()), ("coord_dec", pa.float64()),
    ("coord_raErr", pa.float32()), ("coord_decErr", pa.float32()),
    ("tract", pa.int64()), ("patch", pa.int64()),
    ("ebv", pa.float32()),
    ("refExtendedness", pa.float32()), ("refSizeExtendedness", pa.float32()),
    *_FLUXES,
])

TRUTH_SCHEMA = pa.schema([
    ("objectId", pa.int64()), ("galaxy", pa.int64()),
    ("ra", pa.float64()), ("dec", pa.float64()),
    ("z", pa.float64()), ("object_class", pa.string()), ("ebv", pa.float64()),
    ("hard", pa.bool_()),
    *((f"{band}_mag", pa.float64()) for band in BANDS),
])


def object_id(number: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Id of the object that shows a galaxy."""
    return OBJECT_ID_BASE + number


def object_table(sky: Population, rng: np.random.Generator) -> pa.Table:
    """Measured columns of every object, in the schema `OBJECT_SCHEMA`."""
    n = len(sky.ra)
    extended = sky.object_class != STAR
    seen = extended ^ (rng.random(n) < np.where(sky.magnitudes["i"] > 24, 0.1, 0.005))
    columns: dict[str, npt.NDArray[Any]] = {
        "objectId": object_id(sky.number), "coord_ra": sky.ra, "coord_dec": sky.dec,
        "tract": np.floor((sky.dec + 90) / TRACT_SIZE).astype(np.int64) * 250
                 + np.floor(sky.ra / TRACT_SIZE).astype(np.int64),
        "patch": np.floor(np.mod(sky.dec + 90, TRACT_SIZE) / PATCH_SIZE).astype(np.int64) * 10
                 + np.floor(np.mod(sky.ra, TRACT_SIZE) / PATCH_SIZE).astype(np.int64),
        "ebv": sky.ebv, "refExtendedness": seen, "refSizeExtendedness": extended,
    }
    visible = np.where(extended, 0.55 + 0.4 * rng.random(n), 1.0)
    for band in BANDS:
        flux = flux_nanojansky(sky.magnitudes[band] + R_DESC_DC2[band] * sky.ebv)
        columns |= _fluxes(f"{band}_cModel", flux, DEPTH[band] - 0.1, FAILED_CMODEL, rng)
        psf = _fluxes(f"{band}_psf", flux * visible, DEPTH[band], FAILED_PSF, rng)
        columns |= psf | {f"{band}_psfFlux_flag": psf.pop(f"{band}_psf_flag")}
        if band == "i":
            error = 0.2 / 3600 * np.minimum(1.0, columns["i_psfFluxErr"] / flux)
            columns |= {"coord_raErr": error, "coord_decErr": error}
    return pa.table([pa.array(columns[field.name]).cast(field.type) if field.type != pa.float32()
                     else pa.array(columns[field.name].astype(np.float32))
                     for field in OBJECT_SCHEMA], schema=OBJECT_SCHEMA)


def truth_table(sky: Population) -> pa.Table:
    """What is true of every object, in the schema `TRUTH_SCHEMA`."""
    kinds = pa.DictionaryArray.from_arrays(sky.object_class.astype(np.int8), list(CLASSES))
    magnitudes = [sky.magnitudes[band] for band in BANDS]
    return pa.table([object_id(sky.number), sky.number, sky.ra, sky.dec, sky.z,
                     kinds.cast(pa.string()), sky.ebv, sky.hard, *magnitudes], schema=TRUTH_SCHEMA)


def flux_nanojansky(magnitude: Floats) -> Floats:
    """Flux in nJy of AB magnitudes."""
    return np.asarray(10 ** (0.4 * (ZERO_POINT - magnitude)))


def _fluxes(
    name: str, flux: Floats, depth: float, failed: float, rng: np.random.Generator
) -> dict[str, npt.NDArray[Any]]:
    """Flux, error and flag columns of one kind in one band."""
    error = np.hypot(flux_nanojansky(np.array(depth)) / 5, SYSTEMATIC * flux)
    measured = flux + error * rng.standard_normal(len(flux), dtype=np.float32)
    flag = rng.random(len(flux), dtype=np.float32) < failed
    measured[flag] = np.nan
    return {f"{name}Flux": measured, f"{name}FluxErr": error, f"{name}_flag": flag}
