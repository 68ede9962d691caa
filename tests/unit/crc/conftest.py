"""A small combination: two catalogues, a rule file and a configuration, each to be changed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pz_tsm_core import crc
from pz_tsm_core.existing.log import Log

ARCSEC = 1 / 3600

RULES = {
    "tiebreaking_priority": ["z_flag_homogenized", "instrument_type_homogenized"],
    "instrument_type_priority": {"s": 3, "g": 2, "p": 1},
    "delta_z_threshold": 0.001,
    "crossmatch_radius_arcsec": 0.5,
    "translation_rules": {
        "ONE": {"z_flag_translation": {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 6: 6},
                "instrument_type_translation": {"default": "s"}},
        "TWO": {"z_flag_translation": {"default": 3},
                "instrument_type_translation": {"default": "g"}},
    },
}
#: The same surveys in the newer dialect: a star has no quality but an object type.
NEWER_RULES = {
    **RULES,
    "translation_rules": {
        "ONE": {"z_flag_translation": {0: 0, 1: 1, 2: 2, 3: 3, 4: 4},
                "instrument_type_translation": {"default": "s"},
                "object_type_translation": {
                    "source": "class", "STAR": "star", "GALAXY": "galaxy", "QSO": "qso"}},
        "TWO": {"z_flag_translation": {"default": 3},
                "instrument_type_translation": {"default": "g"}},
    },
}
#: Row 1 is near row 1 of the other, row 3 a star, row 4 near row 2 of the other.
ONE = {
    "ID": [101, 102, 103, 104], "RA": [10.0, 20.0, 30.0, 40.0], "DEC": [0.0, 0.0, 0.0, 0.0],
    "Z": [0.5, 0.6, 0.0, 0.8], "Q": [4, 2, 6, 3], "class": ["GALAXY", "QSO", "STAR", None],
    "name": ["one"] * 4,
}
TWO = {
    "id": ["a", "b", "c"], "ra": [10.0 + 0.3 * ARCSEC, 40.0, 50.0], "dec": [0.0, 0.3 * ARCSEC, 0.0],
    "z": [0.5004, 0.9, 1.0], "survey": ["Two"] * 3,
}


@dataclass
class Setup:
    """Files of a combination, written when it is carried out."""

    folder: Path
    config: dict[str, Any]
    rules: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(RULES))
    tables: dict[str, Any] = field(
        default_factory=lambda: copy.deepcopy({"one.parquet": ONE, "two.parquet": TWO}))

    @property
    def entries(self):
        return self.config["inputs"]["specz"]

    @property
    def param(self):
        return self.config["param"]

    def write(self) -> Path:
        for name, columns in self.tables.items():
            pq.write_table(pa.table(columns), self.folder / name)
        (self.folder / "rules.yaml").write_text(yaml.safe_dump(self.rules, sort_keys=False))
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        return path

    def nest(self) -> None:
        """Lay `param` out as July 2026 does."""
        names = ("combine_type", "tie_treatment_option", "flags_translation_file")
        run = {key: self.param[key] for key in names if key in self.param}
        cut = self.param.get("z_flag_homogenized_value_to_cut", 0.0)
        self.config["param"] = {"run": run, "filters": {"z_flag_homogenized_value_to_cut": cut},
                                "output": {}}

    def combine(self) -> pa.Table:
        log = Log("crc")
        return crc.combine(crc.load_plan(self.write()), log.tell, log.warn).table

    def rows(self) -> dict[str, dict[str, Any]]:
        """The product by CRD_ID."""
        return {row["CRD_ID"]: row for row in self.combine().to_pylist()}

    def column(self, name) -> dict[str, Any]:
        return {id_: row[name] for id_, row in self.rows().items()}

    def run(self, folder="run"):
        return crc.run(self.write(), self.folder / folder)


@pytest.fixture
def setup(tmp_path, monkeypatch) -> Setup:
    """The combination, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return Setup(tmp_path, {
        "output_root_dir": "out", "output_dir": "outputs", "output_name": "crd",
        "output_format": "parquet",
        "executor": {"name": "local", "args": {"n_workers": 2, "memory_limit": "1GiB"}},
        "inputs": {"specz": [
            {"path": "one.parquet", "internal_name": "001_one", "columns": {
                "id": "ID", "ra": "RA", "dec": "DEC", "z": "Z", "z_flag": "Q", "z_err": None,
                "survey": "name"}},
            {"path": "two.parquet", "internal_name": "002_two", "columns": {
                "id": "id", "ra": "ra", "dec": "dec", "z": "z", "z_flag": "null", "z_err": "",
                "survey": "survey"}}]},
        "param": {"combine_type": "concatenate_and_mark_duplicates",
                  "tie_treatment_option": "remove_all", "z_flag_homogenized_value_to_cut": 0.0,
                  "flags_translation_file": "rules.yaml"},
    })
