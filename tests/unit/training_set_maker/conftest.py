"""A small match: redshifts, a release with one catalogue and a configuration, to be changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pz_tsm_core import training_set_maker
from pz_tsm_core.existing.log import Log
from pz_tsm_core.sky.write import write_table_as_collection

ARCSEC = 1 / 3600

#: Row 1 has two objects, row 2 one that row 3 has as well, row 4 none.
SPECZ = {
    "ID": ["a", "b", "c", "d"], "ra": [10.0, 20.0, 20.0, 30.0],
    "DEC": [0.0, 0.0, 0.2 * ARCSEC, 0.0], "Z": [0.5, 0.6, 0.7, 0.8],
}
OBJECTS = {
    "id": [900000000000000001, 900000000000000002, 900000000000000003, 4],
    "ra": [10.0, 10.0, 20.0, 200.0],
    "dec": [0.5 * ARCSEC, -0.3 * ARCSEC, 0.0, 45.0],
    "mag_i": [20.0, 21.0, 22.0, 23.0],
}


@dataclass
class Setup:
    """Files of a match, written when it is carried out."""

    folder: Path
    config: dict[str, Any]
    specz: dict[str, Any] = field(default_factory=lambda: {k: list(v) for k, v in SPECZ.items()})
    objects: dict[str, Any] = field(
        default_factory=lambda: {k: list(v) for k, v in OBJECTS.items()})
    catalog: str = "release/mag/auto/sfd"
    rows_per_partition: int = 300_000

    @property
    def param(self):
        return self.config["param"]

    @property
    def entries(self):
        return self.config["inputs"]["specz"]

    def write(self) -> Path:
        pq.write_table(pa.table(self.specz), self.folder / "specz.parquet")
        place = self.folder / self.catalog
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            position = {"ra_column": "coord_ra", "dec_column": "coord_dec"} if (
                "coord_ra" in self.objects) else {}
            write_table_as_collection(pa.table(self.objects), place, "catalog", **position,
                                      rows_per_partition=self.rows_per_partition)
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        return path

    def make(self):
        log = Log("tsm")
        return training_set_maker.make(
            training_set_maker.load_plan(self.write()), log.tell, log.warn)

    def rows(self) -> list[dict[str, Any]]:
        return self.make().table.to_pylist()

    def run(self, folder="run"):
        return training_set_maker.run(self.write(), self.folder / folder)


@pytest.fixture
def setup(tmp_path, monkeypatch) -> Setup:
    """The match, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return Setup(tmp_path, {
        "output_root_dir": str(tmp_path / "out"), "output_dir": "outputs", "output_name": "tsm",
        "output_format": "parquet",
        "executor": {"name": "local", "args": {
            "n_workers": 2, "threads_per_worker": 2, "memory_limit": "1GiB"}},
        "inputs": {
            "dataset": {"path": "release", "columns": {"id": "id"}},
            "specz": [{"path": "specz.parquet", "format": "parquet",
                       "columns": {"id": "ID", "ra": "ra", "dec": "DEC", "z": "Z"}}]},
        "param": {"crossmatch": {"radius_arcsec": 1.0, "n_neighbors": 1},
                  "use_absolute_lsdb_path": False, "selected_cols": [], "flux_type": "auto",
                  "convert_flux_to_mag": True, "dereddening": "sfd", "split_method": "random",
                  "train_fraction": 0.7, "random_seed": None}})


@pytest.fixture
def sky(setup):
    """Redshifts and objects by thousands, pairs of them across borders of many partitions."""
    rng = np.random.default_rng(20261129)
    n = 4000
    ra = np.concatenate([rng.uniform(359.9, 360.1, n) % 360, rng.uniform(0, 360, 200)])
    dec = np.concatenate([rng.uniform(-0.1, 0.1, n), rng.choice([-89.9999, 89.9999], 200)])
    setup.specz = {"ra": ra, "DEC": dec, "Z": rng.uniform(0, 2, len(ra)),
                   "ID": np.arange(len(ra))}
    near = rng.permutation(len(ra))[:3500]
    shift = rng.normal(0, 0.5 * ARCSEC, (2, len(near)))
    turned = (ra[near] + shift[0] / np.cos(np.radians(dec[near]))) % 360
    setup.objects = {"id": np.arange(len(near)) + 10**15, "ra": turned,
                     "dec": np.clip(dec[near] + shift[1], -90, 90),
                     "mag_i": rng.uniform(18, 25, len(near))}
    setup.rows_per_partition = 20
    return setup
