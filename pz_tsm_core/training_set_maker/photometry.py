"""What science_catalogs computes of a catalogue's columns, computed for rows that are matched.

Facts: `linea-it/science_catalogs`, src/science_catalogs/processing.py (2026); formulas in
`ops.photometry`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.ops.fluxes import deredden, magnitude, magnitude_error
from pz_tsm_core.training_set_maker.science_catalogs import (
    HatsConfig,
    InitialCut,
    InvalidHandling,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
#: E(B-V) at positions (ra, dec) in degrees.
Reddening = Callable[[Floats, Floats], npt.NDArray[np.floating]]


def names_given(asked: HatsConfig, names: Collection[str]) -> list[str]:
    """Names of the columns of the catalogue that science_catalogs would make of one."""
    told = asked.input
    computed = [name for _, _, _, *pair in asked.bands for name in pair]
    gone = {name for _, value, error, *_ in asked.bands for name in (value, error)}
    gone = set() if told.keeps_inputs else gone - set(computed)
    if told.filter.enabled and told.filter.drop_column_after_filter:
        gone.add(str(told.filter.column))
    kept = [name for name in told.user_selected_cols or names if name not in gone]
    return list(dict.fromkeys((*kept, *computed)))


def names_read(asked: HatsConfig, names: Collection[str]) -> list[str]:
    """Columns of a catalogue that are needed for those that are given."""
    told = asked.input
    named = [name for _, value, error, *_ in asked.bands for name in (value, error)]
    named += [str(part.column) for part in (told.filter, told.initial_cut) if part.enabled]
    if asked.to_dereddened:
        named += [name for name in (told.ra_col, told.dec_col) if name]
    given = names_given(asked, names)
    return list(dict.fromkeys((*(name for name in given if name in names), *named)))


def chosen(asked: HatsConfig, rows: pa.Table) -> Bools:
    """Which rows of a catalogue pass the filter and are bright enough, shape (n,)."""
    told, keep = asked.input, np.ones(len(rows), dtype=bool)
    if told.filter.enabled:
        column = rows[str(told.filter.column)].to_pylist()
        keep &= np.array([value == told.filter.value for value in column], dtype=bool)
    if told.initial_cut.enabled:
        keep &= _bright(told.initial_cut, asked.output.mag_offset or 0.0, rows)
    return keep


def _bright(cut: InitialCut, offset: float, rows: pa.Table) -> Bools:
    values = _floats(rows, str(cut.column))
    with np.errstate(invalid="ignore"):
        if cut.column_type == "mag":
            faintest = cut.mag_value
            if faintest is None:
                faintest = offset - 2.5 * np.log10(cut.flux_value or np.nan)
            return np.asarray(np.isfinite(values) & (values <= faintest))
        least = cut.flux_value
        if least is None:
            least = 10 ** (0.4 * (offset - (cut.mag_value or 0.0)))
        return np.asarray(np.isfinite(values) & (values >= least))


def with_photometry(
    asked: HatsConfig, rows: pa.Table, reddening: Reddening | None
) -> pa.Table:
    """The rows with what is computed of each band, in float64; the columns of `names_given`."""
    ebv = np.zeros(len(rows))
    if reddening:
        position = (str(asked.input.ra_col), str(asked.input.dec_col))
        ebv = reddening(*(_floats(rows, name) for name in position)).astype(np.float64)
    given = {name: rows[name] for name in rows.column_names}
    for band, value, error, *final in asked.bands:
        coefficient = asked.output.A_EBV.get(band, 0.0)
        pair = _of_band(asked, _floats(rows, value), _floats(rows, error), coefficient * ebv)
        pair = _valid(asked.invalid_handling, *pair)
        given |= {name: pa.array(values) for name, values in zip(final, pair, strict=True)}
    names = names_given(asked, rows.column_names)
    return pa.table({name: given[name] for name in names})


def _of_band(
    asked: HatsConfig, value: Floats, error: Floats, extinction: Floats
) -> tuple[Floats, Floats]:
    """Value and error of a band, dereddened and as magnitude as far as is asked."""
    if asked.to_dereddened and asked.input.input_col_type == "mag":
        return value - extinction, error
    if asked.to_dereddened:
        value, error = (deredden(flux, extinction, 1.0) for flux in (value, error))
    if not asked.to_magnitude:
        return value, error
    offset = asked.output.mag_offset
    assert offset is not None  # noqa: S101 - the configuration is refused without
    return magnitude(value, offset), magnitude_error(value, error)


def _valid(told: InvalidHandling, value: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Values and errors with what stands for invalid ones, rounded if that is asked."""
    if told.replace_invalid_values:
        bad_value, bad_error = _invalid(told, value, error)
        col, err = told.how_to_replace_col_values, told.how_to_replace_err_values
        if col:
            bad = bad_value if col == "all" else bad_error
            value = np.where(bad, _number(told.col_value_to_replace), value)
        if err:
            bad = bad_error if err == "all" else bad_value
            error = np.where(bad, _number(told.err_value_to_replace), error)
    if told.round_col:
        value = np.round(value, told.round_col_decimal_cases)
    if told.round_err:
        error = np.round(error, told.round_err_decimal_cases)
    return value, error


def _invalid(told: InvalidHandling, value: Floats, error: Floats) -> tuple[Bools, Bools]:
    bad_value, bad_error = np.zeros(len(value), bool), np.zeros(len(error), bool)
    if told.set_limit_for_col:
        bad_value |= _beyond(value, told.limit_value_for_col, told.limit_comparison_for_col,
                             absolute=told.use_absolute_for_col_limits)
    if told.set_limit_for_err:
        bad_error |= _beyond(error, told.limit_value_for_err, told.limit_comparison_for_err,
                             absolute=told.use_absolute_for_err_limits)
    if told.is_nan_and_inf_invalid_for_col:
        bad_value |= ~np.isfinite(value)
    if told.is_nan_and_inf_invalid_for_err:
        bad_error |= ~np.isfinite(error)
    both = told.how_to_replace_col_values == told.how_to_replace_err_values == "all"
    if told.cross_invalidate and both:
        bad_value = bad_error = bad_value | bad_error
    return bad_value, bad_error


def _beyond(values: Floats, limit: float, how: str, *, absolute: bool) -> Bools:
    values = np.abs(values) if absolute else values
    with np.errstate(invalid="ignore"):
        return np.asarray(values >= limit if how == "greater_or_equal" else values <= limit)


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _floats(rows: pa.Table, name: str) -> Floats:
    """Column as float64, null as NaN."""
    return np.asarray(rows[name].to_numpy(zero_copy_only=False), dtype=np.float64)
