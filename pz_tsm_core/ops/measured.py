"""What a catalogue measured of every row: fluxes in nJy, and what is no measurement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, Problems
from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import object_column
from pz_tsm_core.ops.fluxes import Floats, flux_of

Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BandFlux:
    """Where a catalogue keeps one kind of flux in one band.

    Parameters
    ----------
    value, err, flag : columns; values that are not `in_magnitudes` are fluxes
    scale : nJy in a unit of them
    not_detected, missing : values in place of a measurement
    kind : of flux; empty for the one whose columns bear no name of it
    """

    band: str
    value: str
    err: str
    flag: str | None = None
    kind: str = ""
    in_magnitudes: bool = False
    scale: float = 1.0
    not_detected: tuple[float, ...] = ()
    missing: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """What it is called where it is counted."""
        return f"{self.band} {self.kind}".strip()


@dataclass(frozen=True)
class Measured:
    """A flux of every row in nJy as observed, and what there is to say of it.

    Parameters
    ----------
    flux, err : NaN where there is none
    flagged, missing, undetected : at most one of them is true of a row
    """

    flux: Floats
    err: Floats
    flagged: Truths
    missing: Truths
    undetected: Truths

    @property
    def detected(self) -> Truths:
        """Whether a row has a flux that stands for a detection."""
        return ~(self.flagged | self.missing | self.undetected)

    @property
    def snr(self) -> Floats:
        """Signal-to-noise ratio, shape (n,); NaN where flux or error is not known."""
        known = (self.err > 0) & np.isfinite(self.flux)
        nothing = np.full(len(self.flux), np.nan)
        return np.asarray(np.divide(self.flux, self.err, out=nothing, where=known), np.float64)


def fluxes_of(release: Release, policy: PhotometryPolicy) -> list[BandFlux]:
    """Every flux that a policy asks a catalogue for, by the names that its columns have there."""
    found = []
    for kind, suffix in policy.suffixes.items():
        columns = release.flux(kind)
        for band in policy.bands:
            value, err, *flag = columns.of(band, flag=policy.reads_flags)
            found.append(BandFlux(
                band, value, err, flag[0] if flag else None, kind=kind if suffix else "",
                in_magnitudes=columns.mag is not None, scale=release.nanojansky,
                not_detected=columns.not_detected, missing=columns.missing))
    return found


def require_measured(table: pa.Table, sources: Iterable[BandFlux]) -> None:
    """Refuse a table without a column that some flux is read from.

    Raises
    ------
    TsmError
        `table.missing-column` for each
    """
    problems = Problems()
    for source in sources:
        for name in (source.value, source.err, source.flag):
            if name is not None and object_column(name) not in table.column_names:
                problems.add(
                    Code.TABLE_MISSING_COLUMN, f"{source.band} band", found=f"no column `{name}`",
                    expected="value, error and flag of the flux",
                    remedy="believe all fluxes: photometry.flagged: keep" if name == source.flag
                    else "match with that kind of flux, or name one that is there")
    problems.raise_if_any()


def measure(table: pa.Table, source: BandFlux, policy: PhotometryPolicy) -> Measured:
    """Read one flux of every row: in nJy, with the policy's word on what is no measurement.

    An infinite or null flux is missing; an error that is not positive and finite is none.
    """
    value, err = _floats(table, source.value), _floats(table, source.err)
    flagged = np.zeros(len(value), dtype=bool)
    if source.flag is not None:
        flags = pc.cast(table[object_column(source.flag)], pa.bool_())
        flagged = np.asarray(pc.fill_null(flags, fill_value=False).to_numpy(), dtype=bool)
    absent = ~np.isfinite(value) | _is_any(table, source.value, source.missing)
    unseen = _is_any(table, source.value, source.not_detected)
    err = np.where((err > 0) & np.isfinite(err) & ~unseen, err, np.nan)
    value = np.where(absent | unseen | flagged, np.nan, value)
    flux, err = flux_of(value, err) if source.in_magnitudes else (
        value * source.scale, err * source.scale)
    missing = ~flagged & (absent | np.isinf(flux))
    faint = (flux <= 0) | unseen
    if policy.min_snr is not None:
        faint |= ~(np.divide(flux, err) >= policy.min_snr)  # without an error nothing is sure
    return Measured(flux, np.where(flagged | missing, np.nan, err), flagged, missing,
                    faint & ~flagged & ~missing)


def _is_any(table: pa.Table, name: str, sentinels: Sequence[float]) -> Truths:
    """Whether a value is one of these, as precise as the column is: 99.9 is no float32."""
    kind = table[object_column(name)].type
    said = pa.array(sentinels, pa.float64())
    if pa.types.is_floating(kind):
        said = said.cast(kind).cast(pa.float64())
    return np.isin(_floats(table, name), said.to_numpy())


def _floats(table: pa.Table, name: str) -> Floats:
    """Column of the object catalogue as float64, null as NaN."""
    return np.asarray(table[object_column(name)].to_numpy(zero_copy_only=False), dtype=np.float64)
