"""Fluxes of matched objects into dereddened magnitudes, by the policy of a recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pz_tsm_core.dust import Dust
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import (
    EBV,
    OBJECT_SUFFIX,
    Column,
    photometric_columns,
    photometry_added,
)
from pz_tsm_core.ops.fluxes import (
    Floats,
    asinh_error,
    asinh_magnitude,
    deredden,
    magnitude,
    magnitude_error,
)
from pz_tsm_core.ops.measured import (
    BandFlux,
    Measured,
    Truths,
    fluxes_of,
    measure,
    require_measured,
)

#: Reasons for which rows leave, in the order in which they are asked.
DROPPED = ("flux_flagged", "flux_missing", "not_detected")


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
        `dust.twice` when the table is dereddened already; `table.missing-column`.

    Notes
    -----
    The fluxes of the catalogue stay as they are. A column of it that has the name of one that is
    appended gets the suffix that tells objects' columns from galaxies' (`OBJECT_SUFFIX`).
    """
    account = Account() if account is None else account
    if EBV.name in table.column_names:
        raise refuse(Code.DUST_TWICE, EBV.name, found="a table that was dereddened before",
                     expected="fluxes as observed", remedy="start again from the matched fluxes")
    require_measured(table, sources)
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
