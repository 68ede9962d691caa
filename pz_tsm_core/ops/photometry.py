"""Fluxes of matched objects into dereddened AB magnitudes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.dust import Dust
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.policy import NJY_ZERO_POINT, PhotometryPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import EBV, magnitude_columns

Floats = npt.NDArray[np.float64]

@dataclass(frozen=True)
class BandFlux:
    """Where a catalogue keeps the flux of one band: column names of flux and error, in nJy."""

    band: str
    flux: str
    flux_err: str


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
    return np.asarray(2.5 / np.log(10) * ratio, dtype=np.float64)


def add_magnitudes(
    table: pa.Table,
    bands: Sequence[BandFlux],
    *,
    ebv: Floats,
    coefficients: Mapping[str, float],
    zero_point: float = NJY_ZERO_POINT,
) -> pa.Table:
    """Append `ebv_applied` and, for every band, `mag_{b}` and `mag_err_{b}`.

    Parameters
    ----------
    table : with the flux columns that `bands` name, in nJy
    ebv : mag, shape (n,); zeros for no dereddening
    coefficients : R_b of every band

    Raises
    ------
    TsmError
        `dust.twice` when the table is dereddened already.

    Notes
    -----
    A flux that is not positive has no magnitude: both columns are null there, and the flux
    itself stays in the table.
    """
    if EBV.name in table.column_names:
        raise refuse(Code.DUST_TWICE, EBV.name, found="a table that was dereddened before",
                     expected="fluxes as observed", remedy="start again from the matched fluxes")
    table = table.append_column(EBV.field, pa.array(ebv.astype(np.float32)))
    for band in bands:
        flux = deredden(_floats(table, band.flux), ebv, coefficients[band.band])
        flux_err = deredden(_floats(table, band.flux_err), ebv, coefficients[band.band])
        values = magnitude(flux, zero_point), magnitude_error(flux, flux_err)
        for column, value in zip(magnitude_columns(band.band), values, strict=True):
            table = table.append_column(column.field, pa.array(value, from_pandas=True))
    return table


def correct_batches(
    batches: Iterable[pa.RecordBatch],
    release: Release,
    policy: PhotometryPolicy,
    dust: Dust,
    *,
    without: Counter[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Append magnitudes to a stream of matched rows, with E(B-V) at each object's position.

    Parameters
    ----------
    without : counts, by band, the rows that have no magnitude
    """
    bands = [BandFlux(band, *release.flux(policy.flux).of(band)[:2]) for band in policy.bands]
    for batch in batches:
        table = pa.Table.from_batches([batch])
        ebv = dust.reddening(table, release)
        corrected = add_magnitudes(
            table, bands, ebv=ebv, coefficients=dust.coefficients,
            zero_point=policy.zero_point,
        )
        if without is not None:
            without.update({band: corrected[f"mag_{band}"].null_count for band in policy.bands})
        yield from corrected.to_batches()


def _floats(table: pa.Table, name: str) -> Floats:
    """Column as float64, null as NaN."""
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)
