"""A stage whose result changes must change its version, or the store would serve the old one.

`golden.json` holds version and result of every stage over a few rows made by hand. When a change
is meant: raise the version in `model/stages.py`, run with PZ_TSM_UPDATE_GOLDEN=1, commit both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.mock.dust import write_sfd_maps
from pz_tsm_core.model.artifact import sha256_of
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.model.stages import STAGES
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.store import open_store, table_digest

GOLDEN = Path(__file__).with_name("golden.json")

DESI = """\
TARGETID,SURVEY,PROGRAM,TARGET_RA,TARGET_DEC,Z,ZERR,ZWARN,SPECTYPE,ZCAT_PRIMARY,OBJTYPE
1,main,dark,150.10,2.10,0.5,0.0001,0,GALAXY,true,TGT
2,main,dark,150.20,2.20,0.6,0.002,0,GALAXY,true,TGT
3,main,dark,150.30,2.30,0.7,0.0001,4,GALAXY,true,TGT
4,main,dark,150.40,2.40,1.7,0.0001,0,QSO,true,TGT
5,main,dark,150.50,2.50,0.0,0.0001,0,STAR,true,TGT
"""
MINE = """\
name,RA,DEC,Z,Q
a,150.1001,2.1,0.501,3
b,150.60,2.60,0.8,4
b,150.70,2.70,0.9,4
"""


@pytest.fixture(scope="module")
def results(run, tmp_path_factory) -> dict[str, tuple[int, str]]:
    folder = tmp_path_factory.mktemp("golden")
    (folder / "desi.csv").write_text(DESI)
    (folder / "mine.csv").write_text(MINE)
    ra = [150.1, 150.2, 150.3, 150.4, 150.5, 150.6, 150.7]
    objects = pa.table({
        "objectId": pa.array(range(7)), "coord_ra": ra, "coord_dec": [x - 148.0 for x in ra],
        "ebv": pa.array([0.01] * 7, pa.float32()), "refExtendedness": pa.array([1.0] * 7),
        "i_cModelFlux": pa.array([100.0, 200, 300, -4, 500, 600, 700], pa.float32()),
        "i_cModelFluxErr": pa.array([10.0] * 7, pa.float32()), "i_cModel_flag": [False] * 7,
    })
    write_table_as_collection(objects, folder / "objects", "objects", ra_column="coord_ra",
                              dec_column="coord_dec")
    write_sfd_maps(folder / "dust")
    recipe = Recipe.model_validate({
        "schema": 1, "name": "golden",
        "redshifts": {
            "surveys": [{"survey": "desi_dr1", "file": str(folder / "desi.csv")}],
            "tables": [{"name": "mine", "file": str(folder / "mine.csv"), "columns": {
                "id": "name", "ra": "RA", "dec": "DEC", "z": "Z", "quality": "Q"}}],
        },
        "catalog": {"path": str(folder / "objects"), "release": "dp1",
                    "access": {"kind": "public"}},
        "photometry": {"bands": ["i"], "dereddening": {"directory": str(folder / "dust")}},
        "output": {"directory": str(folder / "out")},
    })
    done = run(recipe, open_store(folder / "store"))
    found: dict[str, tuple[int, str]] = {}
    for stage in STAGES:
        labels = [label for label in done.manifests if label.split()[0] == stage.name]
        parts = [part for label in labels for part in _parts(done, label)]
        found[stage.name] = (stage.version, sha256_of(parts))
    return found


def _parts(done, label: str) -> Iterator[Any]:
    """Whatever a stage left: tables with the metadata of their columns, HATS files, HDF5."""
    manifest = done.manifests[label]
    folder = done.store.directory(manifest.ref)
    for file in manifest.files:
        path = folder / file.path
        if path.suffix == ".parquet" and not path.name.startswith("_"):
            table = pq.read_table(path, partitioning=None)
            yield [file.path, table_digest(_rounded(table)), _metadata(table.schema)]
        elif path.suffix == ".hdf5":
            with h5py.File(path) as hdf5:
                for name, dataset in sorted(hdf5["photometry"].items()):
                    values = np.round(dataset[:], 6).tolist()
                    yield [file.path, name, str(dataset.dtype), repr(values),
                           {key: str(value) for key, value in dataset.attrs.items()}]


def _metadata(schema: pa.Schema) -> list[Any]:
    return [[field.name, str(field.type),
             {key.decode(): value.decode() for key, value in sorted((field.metadata or {}).items())
              if not key.startswith(b"PARQUET")}]
            for field in schema]


def _rounded(table: pa.Table) -> pa.Table:
    """Floats to six decimals: another processor's logarithm may differ in its last bit."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            table = table.set_column(place, field, pc.round(table[field.name], 6))
    return table


def test_no_stage_changes_its_result_without_a_new_version(results) -> None:
    recorded = json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}
    golden = {stage: tuple(entry) for stage, entry in recorded.items()}
    changed = {stage for stage, entry in results.items() if entry != golden.get(stage)}
    silent = {stage for stage in changed if results[stage][0] == golden.get(stage, (0,))[0]}
    assert not silent, f"raise the version of {silent} in model/stages.py"
    if os.environ.get("PZ_TSM_UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        return
    assert not changed, f"run with PZ_TSM_UPDATE_GOLDEN=1 to record the new result of {changed}"
