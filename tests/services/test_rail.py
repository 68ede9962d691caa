"""An outside client reads what we write: RAIL's KNN learns redshifts from our HDF5 files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-rail" / "bin" / "python"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv-rail" / ".ready").exists(),
    reason="RAIL's environment is not here; `make rail` installs it",
)


def _sigma_nmad(train: Path, test: Path, folder: Path) -> float:
    folder.mkdir()
    script = Path(__file__).with_name("rail_knn.py")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [PYTHON, script, train, test, folder], cwd=folder, env=environment, check=True,
        capture_output=True, text=True, timeout=240,
    )
    return float(json.loads(done.stdout.splitlines()[-1])["sigma_nmad"])


@pytest.mark.timeout(300)
def test_knn_learns_from_our_files_and_from_permuted_redshifts_does_not(mock_run, tmp_path) -> None:
    files = mock_run.store.directory(mock_run.manifests["export"].ref)
    train, test = files / "training_set_train.hdf5", files / "training_set_test.hdf5"
    learned = _sigma_nmad(train, test, tmp_path / "learned")

    permuted = tmp_path / "permuted.hdf5"
    shutil.copyfile(train, permuted)
    with h5py.File(permuted, "r+") as file:
        dataset = file["photometry/redshift"]
        dataset[:] = np.random.default_rng(0).permutation(dataset[:])
    ignorant = _sigma_nmad(permuted, test, tmp_path / "ignorant")

    assert learned < 0.08
    assert learned < 0.5 * ignorant
