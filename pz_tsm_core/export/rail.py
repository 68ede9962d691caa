"""HDF5 as RAIL reads it: one group `photometry`, one 1-D dataset a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.errors import Code, refuse

GROUP = "photometry"

#: RAIL's `nondetect_val`: the magnitude of what was observed and not detected.
NONDETECTION = 99.0
#: RAIL's `nonobserved_val`: the magnitude of what was not observed, or not measured.
NONOBSERVATION = -99.0

#: Columns beside the magnitudes, ours -> RAIL's (rail.core.common_params).
_NAMES = {
    "galaxy_id": "galaxy_id",
    "ra": "ra",
    "dec": "dec",
    "z": "redshift",
    "z_err": "redshift_err",
    "quality": "quality",
    "ebv_applied": "ebv_applied",
}
#: Stands for a whole number that is null: in `det_{band}` for what was not measured, in `object_id`
#: for no object.
NOTHING = -1
_CHUNK = 16_384


#: Columns of a band, ours -> RAIL's; the others keep their names.
_OF_BANDS = {"mag": "mag_{}_lsst", "mag_err": "mag_err_{}_lsst"}
_KEPT = ("flux", "flux_err", "asinh", "asinh_err", "snr", "det")


def rail_names(columns: Sequence[str], object_id: str = "objectId") -> dict[str, str]:
    """Name of the dataset for each column that RAIL's stages know; the others stay behind.

    Whatever `correct` adds comes along: of the first kind of flux under RAIL's names, of others
    under ours.
    """
    names = {object_id: "object_id", **_NAMES}
    for band, kind in _magnitudes(columns):
        end = f"{band}_{kind}" if kind else band
        for name, dataset in _OF_BANDS.items():
            names[f"{name}_{end}"] = f"{name}_{end}" if kind else dataset.format(band)
        names |= {f"{name}_{end}": f"{name}_{end}" for name in _KEPT}
    there = {column: name for column, name in names.items() if column in columns}
    # A catalogue may have a `mag_i_lsst` of its own: the name is RAIL's, for the one made here.
    renamed = {name for column, name in there.items() if column != name}
    return {column: name for column, name in there.items()
            if column != name or name not in renamed}


def _magnitudes(columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Band and kind of flux of every magnitude; no kind for the first."""
    for column in columns:
        if column.startswith("mag_err_"):
            band, _, kind = column.removeprefix("mag_err_").partition("_")
            yield band, kind


def write_rail(
    files: Mapping[str, Path],
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    names: Mapping[str, str],
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Write one file for each part of column `split`; return how many rows each part got.

    Null magnitudes are written as 99.0 where `det_{band}` says that there was no detection, as
    -99.0 where there was no measurement; whole numbers as -1, other nulls as NaN. Memory
    holds one batch. The files hold no time or path: equal rows in equal order give equal datasets.

    Parameters
    ----------
    files : path by part; the part `""` takes all rows
    names : dataset name by column name, as `rail_names` gives them
    provenance : JSON values for the file attribute `pz_tsm_manifest`
    """
    if missing := {"redshift"} - set(names.values()):
        raise refuse(Code.TABLE_MISSING_COLUMN, "RAIL", found=f"no column for {missing.pop()}",
                     expected="a table of galaxies with column z", remedy="combine and match first")
    with ExitStack() as stack:
        opened = {part: stack.enter_context(h5py.File(path, "w")) for part, path in files.items()}
        for file in opened.values():
            file.attrs["pz_tsm_manifest"] = json.dumps(provenance or {}, sort_keys=True)
            group = file.create_group(GROUP)
            for column, name in names.items():
                _create(group, name, schema.field(column))
        for batch in batches:
            for part, file in opened.items():
                rows = batch if part == "" else batch.filter(pc.equal(batch["split"], part))
                for column, name in names.items():
                    _append(file[GROUP][name], _values(rows, column))
        return {part: len(file[GROUP]["redshift"]) for part, file in opened.items()}


def _create(group: h5py.Group, name: str, field: pa.Field) -> None:
    dataset = group.create_dataset(
        name, shape=(0,), maxshape=(None,), chunks=(_CHUNK,), dtype=field.type.to_pandas_dtype(),
        compression="gzip", compression_opts=1, shuffle=True, fletcher32=True,
    )
    for key, value in (field.metadata or {}).items():
        dataset.attrs[key.decode()] = value.decode()


def _append(dataset: h5py.Dataset, values: npt.NDArray[Any]) -> None:
    start = len(dataset)
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values


def _values(rows: pa.RecordBatch, column: str) -> npt.NDArray[Any]:
    """Values of a column, nulls as RAIL expects them; integers never pass through float."""
    array = rows[column]
    if pa.types.is_integer(array.type):
        array = array.fill_null(NOTHING)
    if not array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False))
    fill: Any = np.nan
    if column.startswith("mag_"):
        fill = pc.if_else(_observed(rows, column), NONDETECTION, NONOBSERVATION)
    return np.asarray(pc.coalesce(array, fill).to_numpy(zero_copy_only=False))


def _observed(rows: pa.RecordBatch, column: str) -> pa.Array:
    """Whether a null of a magnitude, or of its error, is due to a measurement that found nothing.

    An error that is not known of a magnitude that is counts as one: 99.0 is large enough.
    """
    band = column.removeprefix("mag_").removeprefix("err_")
    detected = f"det_{band}"
    if detected not in rows.schema.names:  # a table of somebody's own, without the distinction
        return pa.scalar(value=True)
    observed = pc.equal(rows[detected], 0)
    if column.startswith("mag_err_"):
        observed = pc.or_kleene(observed, pc.is_valid(rows[f"mag_{band}"]))
    return pc.fill_null(observed, fill_value=False)
