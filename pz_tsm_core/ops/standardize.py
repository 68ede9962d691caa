"""From a survey's native table to the standard columns on the one quality scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.model.artifact import Rows
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.ops.admit import Admitted, admit
from pz_tsm_core.ops.decide import decide, hits, refuse_undecided, undecided_values
from pz_tsm_core.ops.identify import identify, row_ids
from pz_tsm_core.ops.native_row import native_text
from pz_tsm_core.ops.native_values import number_beside, numbers
from pz_tsm_core.rules import FirstMatch
from pz_tsm_core.sphere import order_along, spatial_index
from pz_tsm_core.surveys import SurveyRules, survey_rules


@dataclass(frozen=True)
class Standardized:
    """The measurements of one survey and the account of how they came about.

    Parameters
    ----------
    table : `model.schema.MEASUREMENT`, along the sphere: sorted by the HEALPix number of ra and
        dec (order 29, nested; `sphere.spatial_index`) and, where that is equal, by row_id
    rows : native rows in, measurements out, the others by their reason for leaving
    rule_hits : `quality: ZWARN == 0` -> measurements that the rule decided, `quality: otherwise`
        -> those that none did; every rule is listed, also with 0
    undecided : `quality: ZWARN 7` -> measurements with that native value that no rule decided
    """

    table: pa.Table
    rows: Rows
    rule_hits: dict[str, int]
    undecided: dict[str, int]


def standardize(
    table: pa.Table, survey: Survey, *, bad_positions: Literal["refuse", "drop"] = "refuse"
) -> Standardized:
    """Bring a native table to the standard columns; the order of its rows does not matter.

    The result is sorted along the sphere, so that whoever reads several of them side by side meets
    all measurements of one place together.

    A row leaves as `no_redshift` (null, NaN, infinite or a sentinel of the survey), as
    `redshift_out_of_range`, or, where bad positions are dropped and not refused, as `no_position`
    or `position_out_of_range`; the reason of a row with several is the first of
    no_position, position_out_of_range, no_redshift, redshift_out_of_range.

    Parameters
    ----------
    table : at least the native columns that the survey names
    bad_positions : what to do with rows whose ra is not in [0, 360) or dec not in [-90, 90] deg

    Raises
    ------
    TsmError
        with every missing or unusable column, or with every kind of bad position.
    """
    rows = admit(table, survey, bad_positions=bad_positions)
    columns = _names(rows, survey)
    rows = rows.without_others()  # whose memory is free again
    native = rows.native
    decided = decide(native, survey)
    refuse_undecided(survey, native, decided)
    columns |= {
        "ra": rows.ra, "dec": rows.dec, "z": rows.z,
        "z_err": _z_err(native, survey, survey_rules(survey)),
        "native_flag": _native_flag(native, survey),
        **_beside(native, survey),
        **decided,
    }
    result = _measurements(survey, columns)
    account = Rows(taken=len(table), given=len(result), dropped=rows.dropped)
    return Standardized(result, account, hits(survey, decided),
                        undecided_values(native, survey, decided))


def _names(rows: Admitted, survey: Survey) -> dict[str, Any]:
    """By what the rows that are kept are known; ranks count all rows of a key."""
    identity = identify(rows.native, survey).filter(rows.kept)
    return {
        "row_id": row_ids(survey, identity),
        "native_id": identity.native_id,
        "native_key": identity.native_key,
        "native_rank": identity.native_rank,
    }


def _z_err(native: pa.Table, survey: Survey, rules: SurveyRules) -> pa.Array:
    if survey.columns.z_err is None:
        return pa.nulls(len(native), pa.float64())
    low, high = survey.columns.z_err.valid
    error = numbers(native, survey.columns.z_err, rules.formulas.get("z_err"))
    return pa.array(error, mask=~(np.isfinite(error) & (error >= low) & (error <= high)))


def _native_flag(native: pa.Table, survey: Survey) -> pa.Array:
    if survey.columns.native_flag is None:
        return pa.nulls(len(native), pa.string())
    return native_text(native[survey.columns.native_flag.from_])


def _beside(native: pa.Table, survey: Survey) -> dict[str, pa.Array]:
    """What stands beside position and redshift, null where it is not known or not told."""
    beside = {name: pa.nulls(len(native), _type(name)) for name in ("pos_err", "snr")}
    for name, column in survey.columns.beside.items():
        beside[name] = pa.array(number_beside(native, column), from_pandas=True)
    return beside


def _measurements(survey: Survey, columns: dict[str, Any]) -> pa.Table:
    """All standard columns along the sphere; each column is taken out of the others for good.

    So memory holds one of them twice, not all.
    """
    same = {"survey": survey.key, "survey_ordinal": survey.ordinal, "release": survey.release,
            "year": survey.year, "survey_rank": survey.rank}
    order = order_along(spatial_index(columns["ra"], columns["dec"]), columns["row_id"])
    arrays = {
        **{name: pa.repeat(pa.scalar(value, _type(name)), len(order))
           for name, value in same.items()},
        **{name: _ordered(columns.pop(name), order, _type(name)) for name in tuple(columns)},
    }
    return pa.table([arrays[name] for name in MEASUREMENT_SCHEMA.names], schema=MEASUREMENT_SCHEMA)


def _ordered(values: Any, order: npt.NDArray[np.intp], type_: pa.DataType) -> pa.Array:
    """Values of whatever form in another order, as a standard column."""
    if isinstance(values, FirstMatch):  # numbers of rules are moved faster than texts
        return FirstMatch(values.index[order], values.choices).values(type_)
    if isinstance(values, pa.Array):
        return values.take(pa.array(order))
    return pa.array(values[order], type_)


def _type(name: str) -> pa.DataType:
    return MEASUREMENT_SCHEMA.field(name).type
