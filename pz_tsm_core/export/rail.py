"""HDF5 as RAIL reads it: one group `photometry`, one 1-D dataset a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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

#: RAIL's `nondetect_val`: a magnitude of a source that was observed and not detected.
NONDETECTION = 99.0

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
_CHUNK = 16_384


def rail_names(columns: Sequence[str], object_id: str = "objectId") -> dict[str, str]:
    """Name of the dataset for each column that RAIL's stages know; the others stay behind."""
    bands = [column.removeprefix("mag_err_") for column in columns if column.startswith("mag_err_")]
    names = {object_id: "object_id", **_NAMES}
    for band in bands:
        names[f"mag_{band}"] = f"mag_{band}_lsst"
        names[f"mag_err_{band}"] = f"mag_err_{band}_lsst"
    return {column: name for column, name in names.items() if column in columns}


def write_rail(
    files: Mapping[str, Path],
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    names: Mapping[str, str],
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Write one file for each part of column `split`; return how many rows each part got.

    Non-detections (null magnitudes) are written as 99.0, other nulls as NaN. Memory holds one
    batch. The files hold no time or path: equal rows in equal order give equal datasets.

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
                    _append(file[GROUP][name], _values(rows[column], name))
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


def _values(array: pa.Array, name: str) -> npt.NDArray[Any]:
    """Values of a column, nulls as RAIL expects them; integers never pass through float."""
    if not array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False))
    fill = NONDETECTION if name.startswith("mag_") else np.nan
    return np.asarray(array.fill_null(fill).to_numpy(zero_copy_only=False))
