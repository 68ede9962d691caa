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


def rail_names(object_id: str, bands: Sequence[str]) -> dict[str, str]:
    """Names of the datasets by the name of the column that fills them."""
    names = {object_id: "object_id", **_NAMES}
    for band in bands:
        names[f"mag_{band}"] = f"mag_{band}_lsst"
        names[f"mag_err_{band}"] = f"mag_err_{band}_lsst"
    return names


def write_rail(
    directory: Path,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    stem: str,
    parts: Sequence[str],
    names: Mapping[str, str],
    provenance: Mapping[str, Any],
) -> dict[str, int]:
    """Write `{stem}_{part}.hdf5` for every part of column `split`; return their row counts.

    Non-detections (null magnitudes) are written as 99.0, other nulls as NaN. Memory holds one
    batch. The files hold no time or path: equal rows in equal order give equal bytes.

    Parameters
    ----------
    names : dataset name by column name, as `rail_names` gives them
    provenance : JSON values for the file attribute `pz_tsm_manifest`
    """
    with ExitStack() as stack:
        files = {part: stack.enter_context(_open(directory / f"{stem}_{part}.hdf5", provenance))
                 for part in parts}
        for file in files.values():
            for column, name in names.items():
                _create(file, name, schema.field(column))
        for batch in batches:
            split = batch["split"].to_numpy(zero_copy_only=False)
            for part, file in files.items():
                chosen = split == part
                for column, name in names.items():
                    _append(file[GROUP][name], _values(batch[column], name)[chosen])
        return {part: len(file[GROUP]["redshift"]) for part, file in files.items()}


def _open(path: Path, provenance: Mapping[str, Any]) -> h5py.File:
    file = h5py.File(path, "w")
    file.attrs["pz_tsm_manifest"] = json.dumps(provenance, sort_keys=True)
    file.create_group(GROUP)
    return file


def _create(file: h5py.File, name: str, field: pa.Field) -> None:
    dataset = file[GROUP].create_dataset(
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
