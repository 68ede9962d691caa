"""The whole pipeline over the mock sky, killed in the middle of a stage, and run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pz_tsm_core.model.run import RunRecord
from pz_tsm_core.model.stages import STAGES
from tests.waiting import wait_for

TSM = Path(sys.executable).with_name("tsm")


@pytest.fixture
def recipe(mock_sky, tmp_path):
    """The mock sky's recipe in a folder of its own, on a cluster of processes."""
    text = (mock_sky.root / "recipe.yaml").read_text("utf-8")
    for name in ("surveys/", "object_collection", "dust}"):
        text = text.replace(f": {name}", f": {mock_sky.root}/{name}")
    file = tmp_path / "recipe.yaml"
    file.write_text(f"{text}\ncluster: {{kind: local, workers: 1}}\n", "utf-8")
    return file


@pytest.fixture
def start(recipe, store):
    """Start the real `tsm run` in a process of its own, with a server of its own."""
    processes = []

    def run(**environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        clean |= {"HOME": str(store.parent), **environment}
        process = subprocess.Popen(
            [TSM, "run", recipe, "--store", store], env=clean, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def _whole(store) -> set[str]:
    return {file.parent.name for file in store.rglob("objects/*/*/*/manifest.json")}


def _check_completion(start, store, recipe, mock_run) -> None:
    """Run again; nothing finished is redone, and all content is that of an undisturbed run."""
    finished = _whole(store)
    again = start()
    out, err = again.communicate(timeout=120)
    assert (again.returncode, err) == (0, "")
    cached = sum(line.startswith("cached") for line in out.splitlines())
    assert cached == len(finished)
    record = RunRecord.model_validate_json((recipe.parent / "output/manifest.json").read_bytes())
    assert {stage.label: stage.manifest.content for stage in record.stages} == mock_run.contents


def _gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _laid_out(store) -> bool:
    """Whether what comes next is the match: nothing before it needs galaxies on the sky."""
    return any(store.glob("objects/partition/*/*/manifest.json"))


def test_a_run_killed_while_dask_matches_leaves_no_process_and_is_completed(
    start, store, recipe, mock_run, family
) -> None:
    run = start()
    wait_for("partitions", lambda: run.poll() is not None or _laid_out(store), 60)
    wait_for("server and workers", lambda: run.poll() is not None or len(family(run)) > 1, 30)
    assert run.poll() is None, run.stderr.read()
    children = family(run)
    run.kill()
    wait_for("the end of all children", lambda: all(map(_gone, children)), 20)
    assert not list(store.glob("objects/crossmatch/*/*/manifest.json"))
    _check_completion(start, store, recipe, mock_run)


@pytest.mark.parametrize("stage", [
    pytest.param(stage.name, marks=() if stage.name == "combine" else pytest.mark.prove)
    for stage in STAGES
])
def test_a_run_killed_in_any_stage_is_completed(
    stage, start, store, recipe, mock_run
) -> None:
    killed = start(PZ_TSM_KILL_AT=f"computed.{stage}")
    assert killed.wait(timeout=120) == -signal.SIGKILL
    assert not (recipe.parent / "output").exists()
    _check_completion(start, store, recipe, mock_run)
