"""`tsm combine` on the command line; what it makes is tested in tests/unit/crc."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TSM = Path(sys.executable).with_name("tsm")
RULES = """\
tiebreaking_priority: [z_flag_homogenized]
translation_rules:
  MINE: {z_flag_translation: {default: 3}, instrument_type_translation: {default: s}}
"""
CONFIG = """\
inputs:
  specz:
    - {path: mine.csv, internal_name: 001_mine, columns: {survey: survey}}
param: {flags_translation_file: rules.yaml}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.csv").write_text(
        "ra,dec,z,survey\n1,1,0.5,mine\n1,1,0.5,mine\n2,2,0.7,mine\n")
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def call(folder, *arguments):
    done = subprocess.run([TSM, "combine", *arguments], cwd=folder, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_person_is_told_what_was_made_and_where(folder):
    code, out, err = call(folder, "config.yaml")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "product     outputs/crd.parquet",
        "rows        3 from 1 of 1 catalogues",
        "pairs       1 within 0.75 arcsec; 2 groups",  # June's radius where the file has none
        "tie_result  0 (lost): 0, 1 (won): 1, 2 (tied): 2, 3 (excluded): 0",
        "log         process001/process_info/pipeline.log"]


def test_a_program_is_told_in_json(folder):
    code, out, _ = call(folder, "config.yaml", "--base_dir", "run7", "--json")
    told = json.loads(out)
    assert (code, told["folder"], told["rows"], told["groups"]) == (0, "run7", 3, 2)
    assert told["catalogs"] == [{"name": "001_mine", "rows": 3, "kept": 3, "dropped": {}}]


def test_a_failure_ends_with_1_and_is_told_in_process_yml(folder):
    (folder / "config.yaml").write_text(CONFIG.replace("mine.csv", "none.csv"))
    code, out, err = call(folder, "config.yaml", "--base-dir", "run")
    assert (code, out) == (1, "")
    assert "[file.missing] config.yaml line 3: inputs.specz.0.path" in err
    assert yaml.safe_load((folder / "run" / "process.yml").read_text())["status"] == "Failed"
    assert not (folder / "outputs").exists()


def test_a_warning_goes_to_standard_error_and_the_run_goes_on(folder):
    (folder / "config.yaml").write_text(CONFIG + "remark: ours\n")
    code, _, err = call(folder, "config.yaml")
    assert code == 0
    assert err == "config.yaml line 5: remark: nobody knows this key; it is passed over\n"
