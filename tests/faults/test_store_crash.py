"""kill -9 at every point of a publish, and what stands on disk when the power goes."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import pz_tsm_core
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store, posix, table_digest

ROOT = Path(pz_tsm_core.__file__).parents[1]
REQUEST = StageRequest(stage="combine", version=1)
TABLE = pa.table({"galaxy_id": range(1000), "z": [i / 1000 for i in range(1000)]})
POINTS = sorted({name for path in (ROOT / "pz_tsm_core/store").glob("*.py")
                 for name in re.findall(r'^ +point\("([a-z_.]+)"\)', path.read_text(), re.M)
                 # The others have tests of their own.
                 if name.split(".")[0] not in ("add", "collect", "replace")})

# Finds a damaged artifact, sets it aside, and publishes it anew: passes every point.
CHILD = """
import sys
import pyarrow as pa
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store
table = pa.table({"galaxy_id": range(1000), "z": [i / 1000 for i in range(1000)]})
def fill(draft):
    draft.write_table("galaxies", table.to_batches(max_chunksize=300))
    (draft.directory / "sub").mkdir()
    (draft.directory / "sub" / "note.txt").write_text("x")
open_store(sys.argv[1]).publish(StageRequest(stage="combine", version=1), fill)
"""


def fill(draft):
    draft.write_table("galaxies", TABLE)
    (draft.directory / "sub").mkdir()
    (draft.directory / "sub" / "note.txt").write_text("x")


def publish_in_child(root, kill_at):
    env = os.environ | {"PYTHONPATH": str(ROOT), "PZ_TSM_KILL_AT": kill_at}
    return subprocess.run([sys.executable, "-c", CHILD, str(root)], env=env, check=False,
                          capture_output=True).returncode


def damaged_store(root):
    manifest = open_store(root).publish(REQUEST, fill)
    (open_store(root).directory(manifest.ref) / "sub" / "note.txt").unlink()
    return root


def visible(root):
    return [path.name for path in root.glob("objects/*/*/*")]


def test_there_are_points_around_every_durable_step():
    assert {"turn.before", "turn.after", "turn.before_end", "turn.after_end",
            "stage.before", "draft.batch", "publish.before_manifest", "publish.after_manifest",
            "publish.before_rename", "publish.after_rename", "set_aside.before"} <= set(POINTS)


@pytest.mark.parametrize("name", [*POINTS, "draft.batch:3"])
def test_a_kill_anywhere_leaves_old_or_new_and_the_next_run_mends_it(tmp_path, name):
    root = damaged_store(tmp_path)
    assert publish_in_child(root, name) == -signal.SIGKILL
    store = open_store(root)
    seen = store.find(REQUEST.address)
    assert seen is None or store.read_table(seen.ref, "galaxies").equals(TABLE)
    again = store.publish(REQUEST, fill)
    assert again.tables == {"galaxies": table_digest(TABLE)}
    assert visible(root) == [REQUEST.address]
    assert store.read_table(again.ref, "galaxies").equals(TABLE)
    other = REQUEST.model_copy(update={"version": 2})
    open_store(root).publish(other, fill)  # a new process sweeps what the killed one left
    assert not list((root / ".staging").iterdir())
    assert not list((root / ".turns").iterdir())


def test_a_point_that_is_never_reached_kills_nobody(tmp_path):
    assert publish_in_child(tmp_path, "draft.batch:9") == 0


def test_the_staging_folder_of_a_living_process_is_never_swept(tmp_path):
    def meanwhile(draft):
        draft.write_table("galaxies", TABLE)
        open_store(tmp_path).publish(REQUEST.model_copy(update={"version": 2}), fill)
        assert (draft.directory / "galaxies.parquet").exists()

    assert open_store(tmp_path).publish(REQUEST, meanwhile).table_rows == {"galaxies": 1000}


@pytest.mark.parametrize(("days", "swept"), [(1, False), (8, True)])
def test_what_another_machine_left_is_swept_only_after_a_week(tmp_path, days, swept):
    folder = tmp_path / ".staging" / "theirs"
    (folder / "artifact").mkdir(parents=True)
    (folder / "owner.json").write_text('{"pid": 1, "boot_id": "of another machine"}')
    old = folder.stat().st_mtime - days * 86_400
    for path in (folder / "owner.json", folder / "artifact", folder):
        os.utime(path, (old, old))
    open_store(tmp_path).publish(REQUEST, fill)
    assert folder.exists() is not swept


@pytest.mark.parametrize(("minutes", "swept"), [(1, False), (70, True)])
def test_a_folder_that_nobody_claimed_is_swept_after_an_hour(tmp_path, minutes, swept):
    folder = tmp_path / ".staging" / "nobodys"
    folder.mkdir(parents=True)
    (folder / "owner.json").touch()
    old = folder.stat().st_mtime - minutes * 60
    os.utime(folder / "owner.json", (old, old))
    os.utime(folder, (old, old))
    open_store(tmp_path).publish(REQUEST, fill)
    assert folder.exists() is not swept


def test_nothing_is_visible_before_every_byte_and_name_is_synced(tmp_path, monkeypatch):
    synced, log = [], []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(handle):
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        real_fsync(handle)

    def rename(source, target, **kwargs):
        files = {Path(source), *Path(source).rglob("*")}
        log.append(files - set(synced))
        log.append([path.name for path in synced if path.suffix])
        real_rename(source, target, **kwargs)
        synced.clear()

    monkeypatch.setattr(posix.os, "fsync", fsync)
    monkeypatch.setattr(posix.os, "rename", rename)
    manifest = open_store(tmp_path).publish(REQUEST, fill)
    unsynced, order = log
    assert unsynced == set()
    assert order[-1] == "manifest.json"
    assert open_store(tmp_path).directory(manifest.ref).parent in synced, "the rename itself"
