"""Fluxes of matched objects into dereddened magnitudes, by the policy of a recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.dust import Dust
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import (
    EBV,
    OBJECT_SUFFIX,
    Column,
    object_column,
    photometric_columns,
    photometry_added,
)
from pz_tsm_core.ops.fluxes import (
    Floats,
    asinh_error,
    asinh_magnitude,
    deredden,
    flux_of,
    magnitude,
    magnitude_error,
)

Truths = npt.NDArray[np.bool_]

#: Reasons for which rows leave, in the order in which they are asked.
DROPPED = ("flux_flagged", "flux_missing", "not_detected")


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


@dataclass
class Account:
    """What happened to the rows of a stage.

    Parameters
    ----------
    counts : by what happened, then by band
    dropped : rows that left, by reason
    """

    taken: int = 0
    given: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)

    def count(self, what: str, band: str, rows: int) -> None:
        """Add rows to what happened in a band."""
        self.counts.setdefault(what, Counter())[band] += rows


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


def measure(table: pa.Table, source: BandFlux, policy: PhotometryPolicy) -> Measured:
    """Read one flux of every row: in nJy, with the policy's word on what is no measurement.

    An infinite or null flux is missing; an error that is not positive and finite is none.
    """
    value, err = _floats(table, source.value), _floats(table, source.err)
    flagged = np.zeros(len(value), dtype=bool)
    if source.flag is not None:
        flags = pc.cast(table[object_column(source.flag)], pa.bool_())
        flagged = np.asarray(pc.fill_null(flags, fill_value=False).to_numpy(), dtype=bool)
    absent = ~np.isfinite(value) | np.isin(value, source.missing)
    unseen = np.isin(value, source.not_detected)
    err = np.where((err > 0) & np.isfinite(err) & ~unseen, err, np.nan)
    value = np.where(absent | unseen | flagged, np.nan, value)
    flux, err = flux_of(value, err) if source.in_magnitudes else (
        value * source.scale, err * source.scale)
    missing = ~flagged & (absent | np.isinf(flux))
    faint = (flux <= 0) | unseen
    if policy.min_snr is not None:
        faint |= np.divide(flux, err) < policy.min_snr
    return Measured(flux, np.where(flagged | missing, np.nan, err), flagged, missing,
                    faint & ~flagged & ~missing)


def add_photometry(
    table: pa.Table,
    sources: Sequence[BandFlux],
    policy: PhotometryPolicy,
    *,
    ebv: Floats,
    coefficients: Mapping[str, float],
    account: Account | None = None,
) -> pa.Table:
    """Append what `model.schema.photometry_added` lists, and let rows go that the policy drops.

    Parameters
    ----------
    table : with the columns that `sources` name
    ebv : mag, shape (n,); zeros for no dereddening, NaN where it is not known
    coefficients : R_b of every band
    account : is added to

    Raises
    ------
    TsmError
        `dust.twice` when the table is dereddened already.

    Notes
    -----
    The fluxes of the catalogue stay as they are. A column of it that has the name of one that is
    appended gets the suffix that tells objects' columns from galaxies' (`OBJECT_SUFFIX`).
    """
    account = Account() if account is None else account
    if EBV.name in table.column_names:
        raise refuse(Code.DUST_TWICE, EBV.name, found="a table that was dereddened before",
                     expected="fluxes as observed", remedy="start again from the matched fluxes")
    leaving = {reason: np.zeros(len(table), dtype=bool) for reason in DROPPED}
    columns: list[tuple[Column, pa.Array]] = [(EBV, _array(ebv, EBV))]
    unknown = np.isnan(ebv)
    for source in sources:
        measured = measure(table, source, policy)
        coefficient = coefficients[source.band]
        columns += _columns_of(measured, source, policy, ebv=ebv, coefficient=coefficient)
        for reason, rows in zip(DROPPED, _leaving(measured, policy), strict=True):
            leaving[reason] |= rows
        _count(account, measured, source, unknown)
    table = set_aside(table, [column.name for column, _ in columns])
    for column, values in columns:
        table = table.append_column(column.field, values)
    return _let_go(table, leaving, account)


def _columns_of(
    measured: Measured, source: BandFlux, policy: PhotometryPolicy, *, ebv: Floats,
    coefficient: float,
) -> Iterator[tuple[Column, pa.Array]]:
    """The columns of one flux in their order."""
    named = photometric_columns(source.band, source.kind)
    flux = deredden(measured.flux, ebv, coefficient)
    err = deredden(measured.err, ebv, coefficient)
    seen = np.where(measured.detected, flux, np.nan)
    mag, mag_err = magnitude(seen, policy.zero_point), magnitude_error(seen, err)
    if policy.not_detected == "limit":
        limit = magnitude(policy.limit_sigma * err, policy.zero_point)
        mag = np.where(measured.undetected, limit, mag)
    yield named["mag"], _array(mag, named["mag"])
    yield named["mag_err"], _array(mag_err, named["mag_err"])
    if "flux" in policy.values:
        yield named["flux"], _array(flux, named["flux"])
        yield named["flux_err"], _array(err, named["flux_err"])
    if "asinh" in policy.values:
        soft = policy.softening_njy[source.band]  # type: ignore[index]
        yield named["asinh"], _array(asinh_magnitude(flux, soft, policy.zero_point), named["asinh"])
        yield named["asinh_err"], _array(asinh_error(flux, err, soft), named["asinh_err"])
    yield named["snr"], _array(measured.snr, named["snr"])
    nothing = measured.flagged | measured.missing
    yield named["det"], pa.array(measured.detected.astype(np.int8), mask=nothing)


def _leaving(measured: Measured, policy: PhotometryPolicy) -> tuple[Truths, Truths, Truths]:
    """Rows that the policy drops: flagged, missing, not detected."""
    no = np.zeros(len(measured.flux), dtype=bool)
    return (measured.flagged if policy.flagged == "drop" else no,
            measured.missing if policy.missing == "drop" else no,
            measured.undetected if policy.not_detected == "drop" else no)


def _count(account: Account, measured: Measured, source: BandFlux, unknown: Truths) -> None:
    positive = measured.undetected & (measured.flux > 0)
    for what, rows in (
        ("flux flagged", measured.flagged), ("flux missing", measured.missing),
        ("flux not positive", measured.undetected & ~positive), ("flux below min_snr", positive),
        ("no E(B-V)", measured.detected & unknown),
        ("error missing", measured.detected & np.isnan(measured.err)),
    ):
        account.count(what, source.label, int(rows.sum()))


def set_aside(table: pa.Table, added: Iterable[str]) -> pa.Table:
    """The table with columns of the catalogue renamed where their names are to be taken."""
    taken = set(added)
    return table.rename_columns([name + OBJECT_SUFFIX if name in taken else name
                                 for name in table.column_names])


def _let_go(table: pa.Table, leaving: Mapping[str, Truths], account: Account) -> pa.Table:
    """The rows that stay; every other is counted under the first reason that it has."""
    account.taken += len(table)
    staying = np.ones(len(table), dtype=bool)
    for reason, rows in leaving.items():
        if gone := int((staying & rows).sum()):
            account.dropped[reason] += gone
        staying &= ~rows
    account.given += int(staying.sum())
    return table if staying.all() else table.filter(pa.array(staying))


def correct_batches(
    batches: Iterable[pa.RecordBatch],
    release: Release,
    policy: PhotometryPolicy,
    dust: Dust,
    *,
    account: Account | None = None,
) -> Iterator[pa.RecordBatch]:
    """Append photometry to a stream of matched rows, with E(B-V) at each object's position.

    Parameters
    ----------
    account : is added to

    Raises
    ------
    TsmError
        `dust.twice` for fluxes that the release says are dereddened, under any map but `none`.
    """
    require_reddened(release, policy)
    sources = fluxes_of(release, policy)
    for batch in batches:
        table = pa.Table.from_batches([batch])
        corrected = add_photometry(
            table, sources, policy, ebv=dust.reddening(table, release),
            coefficients=dust.coefficients, account=account,
        )
        # A batch of which no row stays has none, but the schema must come out.
        yield from corrected.to_batches() or [
            pa.RecordBatch.from_pylist([], schema=corrected.schema)]


def require_reddened(release: Release, policy: PhotometryPolicy) -> None:
    """Refuse to deredden fluxes that are dereddened already."""
    if release.dereddened and policy.dereddening.map != "none":
        raise refuse(Code.DUST_TWICE, "photometry.dereddening.map",
                     found=f"`{policy.dereddening.map}` for {release.name}, whose fluxes are "
                     "dereddened already", expected="`none`", remedy="write `map: none`")


def corrected_schema(matched: pa.Schema, policy: PhotometryPolicy) -> pa.Schema:
    """The schema that matched rows have after `correct`."""
    added = photometry_added(policy)
    empty = set_aside(matched.empty_table(), [column.name for column in added])
    return pa.schema([*empty.schema, *(column.field for column in added)])


def _array(values: Floats, column: Column) -> pa.Array:
    """Values in the type of a column; NaN is null."""
    return pa.array(values, from_pandas=True).cast(column.type)


def _floats(table: pa.Table, name: str) -> Floats:
    """Column of the object catalogue as float64, null as NaN."""
    return np.asarray(table[object_column(name)].to_numpy(zero_copy_only=False), dtype=np.float64)
