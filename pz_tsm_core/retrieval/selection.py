"""Rows of a native table that lie in a region of the sky, exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Region, Survey
from pz_tsm_core.ops.native_values import Floats, positions
from pz_tsm_core.surveys.moc import moc_of_text

Mask = npt.NDArray[np.bool_]


def selector(survey: Survey, wanted: Wanted) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Give what keeps, of native rows, those in the wanted region; rows without position go.

    Borders belong to the region. A cone is a circle on the sphere, a box is bounded by meridians
    and circles of declination, a MOC holds its cells.

    Raises
    ------
    TsmError
        `value.out-of-range` for a MOC that is none.
    """
    if wanted.region is None and not wanted.moc:
        return lambda batch: batch
    inside = _in_moc(wanted.moc) if wanted.moc else _in_region(wanted.region)

    def select(batch: pa.RecordBatch) -> pa.RecordBatch:
        ra, dec = positions(pa.Table.from_batches([batch]), survey.columns)
        placed = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
        kept = np.zeros(len(ra), dtype=bool)
        kept[placed] = inside(ra[placed] % 360.0, dec[placed])
        return batch.filter(pa.array(kept))

    return select


def _in_region(region: Region | None) -> Callable[[Floats, Floats], Mask]:
    if region is not None and region.cone is not None:
        centre_ra, centre_dec, radius = region.cone
        return lambda ra, dec: _separation(ra, dec, centre_ra, centre_dec) <= radius
    if region is None or region.box is None:
        raise ValueError("a region is a cone or a box")
    first, last, low, high = region.box
    width = last - first if last >= first else last - first + 360
    return lambda ra, dec: ((ra - first) % 360 <= width) & (dec >= low) & (dec <= high)


def _separation(ra: Floats, dec: Floats, centre_ra: float, centre_dec: float) -> Floats:
    """Degrees on the sphere."""
    from astropy.coordinates import angular_separation

    radians = np.radians
    apart = angular_separation(radians(ra), radians(dec), np.radians(centre_ra),
                               np.radians(centre_dec))
    return np.asarray(np.degrees(apart))


def _in_moc(text: str) -> Callable[[Floats, Floats], Mask]:
    from astropy import units as u
    from mocpy import MOC

    moc = MOC.from_string(moc_of_text(text), "ascii")
    return lambda ra, dec: np.asarray(moc.contains_lonlat(ra * u.deg, dec * u.deg))
