"""From many measurements of a galaxy to the one that speaks for it, with a reason for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.policy import CombinePolicy
from pz_tsm_core.model.quality import InstrumentType
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.schema import (
    GALAXY_SCHEMA,
    MEASUREMENT_SCHEMA,
    PAIR_SCHEMA,
    RESOLVED_SCHEMA,
)
from pz_tsm_core.ops.associate import components, pairs_within
from pz_tsm_core.ops.identify import galaxy_ids
from pz_tsm_core.ops.runs import run_lengths, run_starts

Ints = npt.NDArray[np.int64]

#: Rank of an instrument type: the place in the enumeration, most reliable first.
_INSTRUMENT_RANK = pa.array([kind.value for kind in InstrumentType])


@dataclass(frozen=True)
class Combined:
    """The three tables of a compilation and the account of its rows.

    Parameters
    ----------
    measurements : every distinct measurement with galaxy_id and reason, by (galaxy_id, row_id)
    galaxies : the winning measurement of every galaxy that has one, by galaxy_id
    pairs : all pairs within the grouping radius, by (row_id_1, row_id_2)
    rows : measurements in, galaxies out, losers by reason
    """

    measurements: pa.Table
    galaxies: pa.Table
    pairs: pa.Table
    rows: Rows


def combine(measurements: pa.Table, policy: CombinePolicy) -> Combined:
    """Group measurements of one galaxy and choose the best of each group.

    All pairs within the radius are found, not only nearest neighbours; a group is a connected
    component of the pairs. Every measurement takes part in the grouping; only those of sufficient
    quality and of no excluded class may win. Best is, in this order: higher quality, more
    reliable kind of instrument, smaller redshift error, smaller row_id.

    Parameters
    ----------
    measurements : standard columns (`model.schema.MEASUREMENT`), in any order

    Raises
    ------
    TsmError
        `id.collision` when two different measurements have one row_id.
    """
    table, repeated = _distinct(measurements)
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    first, second, separation = pairs_within(ra, dec, policy.radius_arcsec)
    group = components(len(table), first, second)
    reason = _reasons(table, group, policy)
    galaxy_id = galaxy_ids(table, group)
    resolved = table.add_column(0, RESOLVED_SCHEMA.field("galaxy_id"), pa.array(galaxy_id))
    resolved = resolved.add_column(1, RESOLVED_SCHEMA.field("reason"), pa.array(reason, pa.int8()))
    resolved = resolved.sort_by([("galaxy_id", "ascending"), ("row_id", "ascending")])
    galaxies = _galaxies(resolved)
    dropped = {kind.name.lower(): int(np.count_nonzero(reason == kind)) for kind in Reason
               if not kind.winner}
    dropped["repeated_row"] = repeated
    rows = Rows(taken=len(measurements), given=len(galaxies), dropped=dropped)
    pairs = _pair_table(table["row_id"].to_numpy(), first, second, separation)
    return Combined(resolved, galaxies, pairs, rows)


def _distinct(measurements: pa.Table) -> tuple[pa.Table, int]:
    """The measurements by row_id, each once, and how many were there twice or more."""
    if missing := set(MEASUREMENT_SCHEMA.names) - set(measurements.column_names):
        raise refuse(Code.TABLE_MISSING_COLUMN, "measurements",
                     found="no column " + ", ".join(sorted(missing)),
                     expected="standard columns", remedy="standardize the table first")
    table = measurements.select(MEASUREMENT_SCHEMA.names).sort_by("row_id").combine_chunks()
    ids = table["row_id"].to_numpy()
    again = np.zeros(len(ids), dtype=bool)
    again[1:] = ids[1:] == ids[:-1]
    if not again.any():
        return table, 0
    for name in MEASUREMENT_SCHEMA.names:
        column = table[name].combine_chunks()
        here, before = column.take(pa.array(np.flatnonzero(again))), column.take(
            pa.array(np.flatnonzero(again) - 1))
        if not here.equals(before):
            raise refuse(Code.ID_COLLISION, f"column {name}",
                         found="two different measurements with one row_id",
                         expected="one row_id, one measurement",
                         remedy="do two inputs hold other versions of one survey release?")
    return table.filter(pa.array(~again)), int(again.sum())


def _reasons(table: pa.Table, group: Ints, policy: CombinePolicy) -> npt.NDArray[np.int8]:
    """Reason code of every measurement, given the group of each."""
    quality = table["quality"].to_numpy()
    instrument = pc.index_in(table["instrument_type"], _INSTRUMENT_RANK).to_numpy()
    z_err = pc.fill_null(table["z_err"], np.inf).to_numpy()
    classes = pa.array(sorted(policy.exclude_classes), pa.string())
    excluded = np.asarray(pc.is_in(table["object_class"], classes))
    low = quality < policy.min_quality
    reason = np.full(len(table), Reason.LOST_ID, dtype=np.int8)

    eligible = np.flatnonzero(~low & ~excluded)
    # The table is sorted by row_id and lexsort is stable: equal rows stay in the order of ids.
    order = eligible[np.lexsort((z_err[eligible], instrument[eligible], -quality[eligible],
                                 group[eligible]))]
    starts = run_starts(group[order])
    sizes = run_lengths(starts, len(order))
    best = np.repeat(order[starts], sizes)
    # From the weakest to the strongest ground for losing, so that the strongest stands.
    reason[order[z_err[order] > z_err[best]]] = Reason.LOST_Z_ERR
    reason[order[instrument[order] > instrument[best]]] = Reason.LOST_INSTRUMENT
    reason[order[quality[order] < quality[best]]] = Reason.LOST_QUALITY
    reason[order[starts]] = np.where(sizes == 1, Reason.ALONE, Reason.WON)
    reason[low] = Reason.LOW_QUALITY
    reason[excluded] = Reason.EXCLUDED_CLASS
    return reason


def _galaxies(resolved: pa.Table) -> pa.Table:
    """The winners of resolved measurements (sorted by galaxy_id) with figures of their groups."""
    reason = resolved["reason"].to_numpy()
    galaxy_id = resolved["galaxy_id"].to_numpy()
    z = resolved["z"].to_numpy()
    eligible = reason <= Reason.LOST_ID
    winner = np.flatnonzero(reason <= Reason.WON)
    starts = run_starts(galaxy_id)
    sizes = run_lengths(starts, len(galaxy_id))
    # A group without an eligible member has no winner: its figures are never looked at.
    has_winner = np.isin(galaxy_id[starts], galaxy_id[winner])
    highest = np.maximum.reduceat(np.where(eligible, z, -np.inf), starts)[has_winner]
    lowest = np.minimum.reduceat(np.where(eligible, z, np.inf), starts)[has_winner]
    figures = {
        "n_measurements": sizes[has_winner],
        "n_eligible": np.add.reduceat(eligible.astype(np.int32), starts)[has_winner],
        "z_spread": (highest - lowest) / (1 + z[winner]),
    }
    table = resolved.take(pa.array(winner))
    for name, values in figures.items():
        table = table.append_column(name, pa.array(values))
    return table.select(GALAXY_SCHEMA.names).cast(GALAXY_SCHEMA)


def _pair_table(row_id: Ints, first: Ints, second: Ints, separation: npt.NDArray[np.float64]
                ) -> pa.Table:
    """Pairs by row_id; the measurements are sorted by row_id, so first < second holds for ids."""
    columns = [pa.array(row_id[first]), pa.array(row_id[second]), pa.array(separation)]
    table = pa.Table.from_arrays(columns, schema=PAIR_SCHEMA)
    return table.sort_by([("row_id_1", "ascending"), ("row_id_2", "ascending")])
