"""kill -9 at every point of what writes to a store on S3: old or new, and nothing left for long."""

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
from pz_tsm_core.store import open_store, table_digest

ROOT = Path(pz_tsm_core.__file__).parents[1]
REQUEST = StageRequest(stage="combine", version=1)
TABLE = pa.table({"galaxy_id": range(1000), "z": [i / 1000 for i in range(1000)]})
POINTS = {name for path in (ROOT / "pz_tsm_core/store/s3").glob("*.py")
          for name in re.findall(r'^ +point\("([a-z_.]+)"\)', path.read_text(), re.M)}

# Finds a damaged artifact, sets it aside, and publishes it anew.
PUBLISH = """
import sys
import pyarrow as pa
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store
table = pa.table({"galaxy_id": range(1000), "z": [i / 1000 for i in range(1000)]})
def fill(draft):
    draft.write_table("galaxies", table)
    (draft.directory / "sub").mkdir()
    (draft.directory / "sub" / "note.txt").write_text("x")
open_store(sys.argv[1]).publish(StageRequest(stage="combine", version=1), fill)
"""
# The same of somebody who does not wait for a turn.
OVERTAKE = PUBLISH.replace('.publish(StageRequest(stage="combine", version=1), fill)', """.take_in(
    fill, lambda draft: StageRequest(stage="combine", version=1))""")
# While it writes, another publishes the same.
LOSE = PUBLISH.replace("    (draft.dir", """
    import subprocess
    subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], check=True,
                   env=__import__("os").environ | {"PZ_TSM_KILL_AT": ""})
    (draft.dir""", 1)
COLLECT = "import sys; from pz_tsm_core.store import open_store; open_store(sys.argv[1]).collect()"
REPLACE = """
import sys
from pz_tsm_core.store.s3 import Place, S3Backend
S3Backend(Place.at(sys.argv[1])).replace("sources/x/record.json", b"new")
"""


def fill(draft):
    draft.write_table("galaxies", TABLE)
    (draft.directory / "sub").mkdir()
    (draft.directory / "sub" / "note.txt").write_text("x")


def killed(code, root, place, *arguments):
    env = os.environ | {"PYTHONPATH": str(ROOT), "PZ_TSM_KILL_AT": place}
    done = subprocess.run([sys.executable, "-c", code, str(root), *arguments], env=env, check=False,
                          capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def below(root, folder):
    return sorted(path.path.removeprefix(f"{root.path}/") for path in root.glob(f"{folder}/**/*")
                  if path.is_file())


def assert_mended(root, cache):
    """The next run gets the artifact, and the next collection leaves nothing else."""
    store = open_store(root)
    seen = store.find(REQUEST.address)
    assert seen is None or store.read_table(seen.ref, "galaxies").equals(TABLE)
    again = store.publish(REQUEST, fill)
    assert again.tables == {"galaxies": table_digest(TABLE)}
    assert store.read_table(again.ref, "galaxies").equals(TABLE)
    store.products.add("deep", "table", {"a": again.ref}, "a")
    data = store.directory(again.ref)
    del store
    for shelf in {path.split("/")[1] for path in below(root, ".quarantine")}:
        (root / ".quarantine" / shelf / "manifest.json").unlink()  # it names the damaged files
    open_store(root).collect()
    standing = (data.parent / "manifest.json", data / "galaxies.parquet", data / "sub/note.txt")
    assert {f"{root}/{path}" for path in below(root, "objects")} == set(map(str, standing))
    assert below(root, ".holds") == below(root, ".probe") == below(root, ".turns") == []
    assert len(below(root, ".alone")) == 1
    assert not list(cache.glob("pz-tsm/s3/*/.staging/*"))
    assert not list(cache.glob("pz-tsm/s3/*/.owners/*"))


def test_there_are_points_around_every_request_that_counts():
    assert {
        "publish.before_upload", "publish.before_manifest", "publish.after", "publish.lost",
        "turn.before", "turn.after", "turn.before_end", "turn.after_end",
        "hold.before", "hold.after", "lease.before", "lease.after",
        "set_aside.before", "set_aside.between", "set_aside.after",
        "collect.before_move", "collect.after_move", "collect.before_delete",
        "replace.before_put", "replace.after_put"} == POINTS


def places(*telling, also):
    """The points that tell most, and others that `make prove` tries as well."""
    return pytest.mark.parametrize(
        "place", [*telling, *(pytest.param(each, marks=pytest.mark.prove) for each in also)])


@places("turn.after", "turn.before_end", "hold.after", "set_aside.between", "set_aside.after",
        "publish.before_manifest", "publish.after",
        also=("turn.before", "turn.after_end", "stage.after", "hold.before", "lease.before",
              "lease.after", "set_aside.before", "publish.before_upload"))
def test_a_writer_killed_anywhere_leaves_old_or_new_and_the_next_run_mends_it(s3, tmp_path, place):
    store = open_store(s3)
    (store.directory(store.publish(REQUEST, fill).ref) / "sub" / "note.txt").unlink()
    del store
    killed(PUBLISH, s3, place)
    assert_mended(s3, tmp_path / "cache")


def test_a_loser_that_is_killed_leaves_the_winners_files_alone(s3, tmp_path):
    killed(LOSE, s3, "publish.lost", OVERTAKE)
    assert_mended(s3, tmp_path / "cache")


@places("lease.after:2", "collect.after_move:1", "collect.before_delete:1",
        also=("lease.after:1", "lease.after:3", "collect.before_move:1", "collect.after_move:2",
              "collect.before_delete:2"))
def test_a_collection_killed_anywhere_leaves_a_sound_store(s3, place):
    store = open_store(s3)
    refs = [store.publish(REQUEST.model_copy(update={"version": number}), fill).ref
            for number in (1, 2, 3)]
    store.products.add("deep", "table", {"a": refs[0]}, "a")
    del store
    killed(COLLECT, s3, place)
    store = open_store(s3)
    assert store.verify(store.products.get("deep")).damages == ()
    for ref in refs[1:]:
        found = store.find(ref.address)
        assert found is None or store.read_table(ref, "galaxies").equals(TABLE)
    del store
    open_store(s3).collect()
    assert {path.split("/")[3] for path in below(s3, "objects")} == {refs[0].address}
    assert len(below(s3, "objects")) == 3


def test_a_record_is_the_old_one_or_the_new_whenever_its_writer_dies(s3):
    record = s3 / "sources" / "x" / "record.json"
    record.write_bytes(b"old")
    for place, expected in (("replace.before_put", b"old"), ("replace.after_put", b"new")):
        killed(REPLACE, s3, place)
        assert record.read_bytes() == expected
