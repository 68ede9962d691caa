"""Many processes at one address: one artifact, and all of them succeed."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import pz_tsm_core
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store

ROOT = Path(pz_tsm_core.__file__).parents[1]
REQUEST = StageRequest(stage="combine", version=1)

# All wait for the file `go`, then publish the same addresses.
CHILD = """
import sys, time
from pathlib import Path
import pyarrow as pa
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store
root, me = Path(sys.argv[1]), int(sys.argv[2])
store = open_store(sys.argv[3])
(root / f"ready-{me}").touch()
while not (root / "go").exists():
    time.sleep(0.001)
for version in range(int(sys.argv[4])):
    request = StageRequest(stage="combine", version=version)
    table = pa.table({"x": range(version, 1000)})
    ref = store.publish(request, lambda draft: draft.write_table("t", table) and None).ref
    print(ref.content)
"""


@pytest.mark.parametrize(("processes", "addresses"), [
    (4, 5), pytest.param(8, 50, marks=pytest.mark.prove)])
def test_processes_at_once_leave_one_artifact_each_address(root, tmp_path, processes, addresses):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    children = [subprocess.Popen([*command, str(i), str(root), str(addresses)], env=env,
                                 stdout=subprocess.PIPE, text=True) for i in range(processes)]
    while len(list(tmp_path.glob("ready-*"))) < processes:
        assert all(child.poll() in (None, 0) for child in children)
    (tmp_path / "go").touch()
    outputs = [child.communicate(timeout=120)[0] for child in children]
    assert [child.returncode for child in children] == [0] * processes
    assert len(set(outputs)) == 1, "all see the same contents"
    assert len(list(root.glob("objects/*/*/*/manifest.json"))) == addresses
    assert len(list(root.glob("objects/**/t.parquet"))) == addresses, "the losers left files"
    assert not list(tmp_path.glob("**/.staging/*"))


def table(start):
    return pa.table({"x": range(start, 100)})


def overtake(root, start):
    """Publish at the address of a request, whoever makes it: as one who has lost its turn."""
    return open_store(root).take_in(
        lambda draft: draft.write_table("t", table(start)) and None, lambda draft: REQUEST).ref


def overtaken_by(start, root):
    """A stage that, while it works, sees its address published by somebody else."""
    def fill(draft):
        draft.write_table("t", table(0))
        overtake(root, start)
    return fill


def test_who_comes_second_gets_the_first_ones_artifact(root, tmp_path):
    store = open_store(root)
    manifest = store.publish(REQUEST, overtaken_by(0, root))
    assert store.find(REQUEST.address) == manifest
    assert not list(tmp_path.glob("**/.staging/*"))


def test_two_results_of_one_request_are_a_conflict(root):
    with pytest.raises(TsmError) as caught:
        open_store(root).publish(REQUEST, overtaken_by(1, root))
    assert caught.value.codes == (Code.STORE_CONFLICT,)
    assert open_store(root).read_table(
        open_store(root).find(REQUEST.address).ref, "t").equals(table(1))


def test_who_comes_second_to_a_damaged_artifact_replaces_it(root):
    store = open_store(root)

    def fill(draft):
        draft.write_table("t", table(0))
        ref = overtake(root, 0)
        (store.directory(ref) / "t.parquet").unlink()

    manifest = store.publish(REQUEST, fill)
    assert store.read_table(manifest.ref, "t").equals(table(0))


def test_a_damaged_artifact_that_was_replaced_meanwhile_is_not_moved(root):
    store = open_store(root)
    manifest = store.publish(REQUEST, lambda d: d.write_table("t", table(0)) and None)
    key = f"objects/combine/{manifest.address[:2]}/{manifest.address}"
    assert store._backend.set_aside(key, lambda: store._is_damaged(key)) is False
    assert store.find(REQUEST.address) == manifest
