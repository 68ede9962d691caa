"""`tsm match` on the command line; what it makes is tested in tests/unit/training_set_maker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from pz_tsm_core.sky.write import write_table_as_collection

TSM = Path(sys.executable).with_name("tsm")
CONFIG = """\
inputs:
  dataset: {path: release}
  specz: [{path: mine.csv, format: csv, columns: {ra: ra, dec: dec, z: z}}]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.csv").write_text("ra,dec,z\n1,1,0.5\n1,1,0.6\n2,2,0.7\n")
    (tmp_path / "release" / "mag" / "auto").mkdir(parents=True)
    write_table_as_collection(pa.table({"id": [7], "ra": [1.0], "dec": [1.0]}),
                              tmp_path / "release" / "mag" / "auto" / "sfd", "catalog")
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def call(folder, *arguments):
    done = subprocess.run([TSM, "match", *arguments], cwd=folder, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_person_is_told_what_was_made_and_where(folder):
    code, out, err = call(folder, "config.yaml")
    assert (code, err) == (0, "")
    training, = {line for line in out.splitlines() if line.startswith("training")}
    assert training in ("training    0 rows; train_fraction 0.7, random_seed 2026",
                        "training    2 rows; train_fraction 0.7, random_seed 2026")
    assert [line for line in out.splitlines() if line != training] == [
        "product     process001/outputs/tsm.csv",
        "rows        2; 2 of 3 redshifts have an object within 1 arcsec",
        "shared      2 rows have an object that another row has as well",
        "log         process001/process_info/pipeline.log"]


def test_a_program_is_told_in_json(folder):
    code, out, _ = call(folder, "config.yaml", "run7", "--json")
    told = json.loads(out)
    assert (code, told["folder"], told["rows"], told["matched"]) == (0, "run7", 2, 2)
    assert told["columns_assoc"] == {"ra": "ra_specz", "dec": "dec_specz", "z": "z"}
    assert (told["random_seed"], told["remarks"]) == (2026, [])


def test_a_failure_ends_with_1_and_is_told_in_process_yml(folder):
    (folder / "config.yaml").write_text(CONFIG.replace("mine.csv", "none.csv"))
    code, out, err = call(folder, "config.yaml", "run")
    assert (code, out) == (1, "")
    assert "[file.missing] config.yaml line 3: inputs.specz.0.path" in err
    assert yaml.safe_load((folder / "run" / "process.yml").read_text())["status"] == "Failed"
    assert not (folder / "run" / "outputs").exists()


def test_a_warning_goes_to_standard_error_and_the_run_goes_on(folder):
    (folder / "config.yaml").write_text(CONFIG + "param: {duplicate_criteria: closest}\n")
    code, _, err = call(folder, "config.yaml")
    assert code == 0
    assert err == ("config.yaml line 4: param.duplicate_criteria: has no effect, as in the "
                   "existing pipeline\n")
