"""An existing configuration on the thirteen real catalogues gives the existing pipeline's table.

Differences are listed in docs/adr/017. In this table there is one: numbers of groups, which there
depend on partitions of the sky and here on the smallest CRD_ID alone. The groups are the same.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import pz_tsm_core as tsm

ROWS = 12_698
#: The configuration carried out, and the CPU seconds that it takes after imports.
CODE = """
import sys, time
import pz_tsm_core.api, scipy.spatial, scipy.sparse.csgraph
from pz_tsm_core import crc
begin = time.process_time()
crc.run(sys.argv[1])
print(time.process_time() - begin)
"""


@pytest.fixture(scope="module")
def done(shared_data, tmp_path_factory) -> tuple[Path, float]:
    """The working folder, elsewhere than the configuration, and what it took."""
    folder = tmp_path_factory.mktemp("crc")
    config = shared_data / "linea" / "config_13_catalogues.yaml"
    ran = subprocess.run([sys.executable, "-c", CODE, config], cwd=folder, capture_output=True,
                         text=True, check=True)
    assert ran.stderr == ""
    return folder, float(ran.stdout)


@pytest.fixture(scope="module")
def ours(done) -> pa.Table:
    return pq.read_table(done[0] / "storage_dev" / "outputs" / "crd.parquet")


@pytest.fixture(scope="module")
def theirs(shared_data) -> pa.Table:
    return pq.read_table(shared_data / "linea" / "crd_13_catalogues.parquet")


def test_columns_and_their_types_are_the_same(ours, theirs) -> None:
    assert [(field.name, field.type) for field in ours.schema] == [
        (field.name, field.type) for field in theirs.schema]


def test_every_row_has_the_same_values(ours, theirs) -> None:
    assert len(ours) == len(theirs) == ROWS
    ours, theirs = ours.sort_by("CRD_ID"), theirs.sort_by("CRD_ID")
    for name in set(theirs.column_names) - {"group_id", "compared_to"}:
        assert ours[name].to_pylist() == theirs[name].to_pylist(), name


def neighbours(table: pa.Table) -> dict[str, set[str]]:
    near = zip(table["CRD_ID"].to_pylist(), table["compared_to"].to_pylist(), strict=True)
    return {id_: set(text.split(", ")) if text else set() for id_, text in near}


def test_every_row_is_near_the_same_others(ours, theirs) -> None:
    assert neighbours(ours) == neighbours(theirs)


def groups(table: pa.Table) -> set[frozenset[str]]:
    members = defaultdict(set)
    for id_, group in zip(table["CRD_ID"].to_pylist(), table["group_id"].to_pylist(), strict=True):
        members[group].add(id_)
    return set(map(frozenset, members.values()))


def test_the_groups_are_the_same_and_only_their_numbers_differ(ours, theirs) -> None:
    assert groups(ours) == groups(theirs)
    assert len(groups(ours)) == 12_465


def test_the_other_two_ways_to_combine_follow_from_the_marked_table(shared_data, theirs) -> None:
    folder = shared_data / "linea"
    config = yaml.safe_load((folder / "config_13_catalogues.yaml").read_text("utf-8"))
    for entry in config["inputs"]["specz"]:
        entry["path"] = str(folder / entry["path"])
    param = config["param"]
    param["flags_translation_file"] = str(folder / param["flags_translation_file"])
    marked = dict(zip(theirs["CRD_ID"].to_pylist(), theirs["tie_result"].to_pylist(),
                      strict=True))
    param["combine_type"] = "concatenate"
    assert set(tsm.combine_catalogs(config)["CRD_ID"]) == set(marked)
    param["combine_type"] = "concatenate_and_remove_duplicates"
    for option, kept in (("remove_all", {1}), ("keep_all", {1, 2})):
        param["tie_treatment_option"] = option
        assert set(tsm.combine_catalogs(config)["CRD_ID"]) == {
            id_ for id_, tie in marked.items() if tie in kept}


def test_the_table_takes_less_than_four_cpu_seconds(done) -> None:
    assert done[1] < 4
