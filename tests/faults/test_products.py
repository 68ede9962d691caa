"""Names under fire: kill -9 in any step, many adders at once, full disks, flipped bits."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import pz_tsm_core
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Principal, StageRequest
from pz_tsm_core.store import open_store
from pz_tsm_core.store.posix import PosixBackend
from pz_tsm_core.store.store import Store

ROOT = Path(pz_tsm_core.__file__).parents[1]
#: Every step of the second publish of a process, which is that of the record.
STEPS = ("stage.before", "stage.after", "publish.before_sync", "publish.before_manifest",
         "publish.after_manifest", "publish.before_rename", "publish.after_rename", "publish.after")

# Names what it publishes, then withdraws it: two records after one artifact.
CHILD = """
import sys, time
from pathlib import Path
import pyarrow as pa
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store

def publish(store, number):
    table = pa.table({"x": range(number)})
    return store.publish(StageRequest(stage="put", version=number),
                         lambda draft: draft.write_table("t", table) and None).ref
root = Path(sys.argv[1])
"""
ADD = CHILD + """
store = open_store(root)
store.products.add("deep", "table", {"a": publish(store, 2)}, "a")
store.products.withdraw("deep@2")
"""
PROMOTE = CHILD + """
store = open_store(root)
store.products.add("deep", "table", {"a": publish(store, 2)}, "a", candidate=True)
store.products.promote("deep")
"""
RACE = CHILD + """
me, turns = int(sys.argv[2]), int(sys.argv[3])
store = open_store(root / "store")
(root / f"ready-{me}").touch()
while not (root / "go").exists():
    time.sleep(0.001)
for turn in range(turns):
    # All name one and the same in even turns, each its own in odd ones.
    number = turn + 1 if turn % 2 == 0 else turns + me * turns + turn
    print(store.products.add(f"p{turn}", "table", {"a": publish(store, number)}, "a"))
"""


def publish(store, number):
    table = pa.table({"x": range(number)})
    return store.publish(StageRequest(stage="put", version=number),
                         lambda draft: draft.write_table("t", table) and None).ref


def add(store, number, name="deep"):
    return store.products.add(name, "table", {"a": publish(store, number)}, "a")


def run(code, *arguments, **environment):
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def numbers(store, name="deep"):
    return [version.version for version in store.products.list() if version.name == name]


@pytest.mark.parametrize("record", [2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_in_any_step_leaves_the_old_versions_or_the_new(tmp_path, step, record):
    add(open_store(tmp_path), 1)
    killed = run(ADD, tmp_path, PZ_TSM_KILL_AT=f"{step}:{record}")
    _, err = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, err
    store = open_store(tmp_path)
    appended = step in ("publish.after_rename", "publish.after")
    before, after = ([1], [2, 1]) if record == 2 else ([2, 1], [1])
    assert numbers(store) == (after if appended else before)
    for version in store.products.list():
        assert store.verify(version).damages == ()
    # The same again ends where it would have ended: no number is lost or used twice.
    assert add(store, 2).version == (3 if (record, appended) == (3, True) else 2)
    del store
    open_store(tmp_path).collect()
    assert not list(tmp_path.glob(".staging/*"))


@pytest.mark.parametrize("step", [
    "stage.after", "publish.before_rename", "publish.after_rename",
    *(pytest.param(step, marks=pytest.mark.prove) for step in STEPS)])
def test_a_kill_while_a_candidate_is_promoted_leaves_it_waiting_or_the_latest(tmp_path, step):
    first = add(open_store(tmp_path), 1)
    killed = run(PROMOTE, tmp_path, PZ_TSM_KILL_AT=f"{step}:3")
    _, err = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, err
    store = open_store(tmp_path)
    promoted = step in ("publish.after_rename", "publish.after")
    assert numbers(store) == [2, 1]
    assert store.products.get("deep").version == (2 if promoted else first.version)
    assert len(store.products.candidates("deep")) == (not promoted)
    # Whoever asks again gets what was asked for.
    assert store.products.promote("deep@2") == store.products.get("deep")


def race(root, adders, turns):
    children = [run(RACE, root, me, turns) for me in range(adders)]
    while len(list(root.glob("ready-*"))) < adders:
        assert all(child.poll() in (None, 0) for child in children)
    (root / "go").touch()
    told = [child.communicate(timeout=300) for child in children]
    for _, err in told:
        assert err == ""
    return [out.split() for out, _ in told]


@pytest.mark.parametrize(("adders", "turns"), [
    (4, 6), pytest.param(16, 40, marks=pytest.mark.prove)])
def test_adders_at_once_all_succeed_with_numbers_dense_and_their_own(tmp_path, adders, turns):
    told = race(tmp_path, adders, turns)
    store = open_store(tmp_path / "store")
    for turn in range(turns):
        given = sorted(int(lines[turn].split("@")[1]) for lines in told)
        equal = turn % 2 == 0
        assert given == ([1] * adders if equal else list(range(1, adders + 1)))
        assert sorted(numbers(store, f"p{turn}")) == sorted(set(given))
    for version in store.products.list():
        assert store.manifest(version.ref).content == version.ref.content


@pytest.mark.parametrize("limit", [0, 100])
def test_a_full_disk_while_a_record_is_written_is_one_clear_error(tmp_path, limit):
    store = open_store(tmp_path)
    ref = publish(store, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(TsmError) as caught:
            store.products.add("deep", "table", {"a": ref}, "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.codes == (Code.STORE_IO,)
    assert store.products.names() == ()
    assert store.products.add("deep", "table", {"a": ref}, "a").version == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(
    "verb", ["add", "promote", "withdraw", "get", "list", "collect", "verify"])
def test_whichever_call_fails_it_is_told_and_the_next_try_succeeds(tmp_path, faulty, verb, code):
    for nth in range(1, 80):
        root = tmp_path / str(nth)
        sound = open_store(root)
        version = add(sound, 1)
        ref = publish(sound, 2)
        loose = publish(sound, 3)
        verbs = {
            "add": lambda s, ref=ref: s.products.add("deep", "table", {"a": ref}, "a"),
            "promote": lambda s: s.products.promote("deep@1"),
            "withdraw": lambda s: s.products.withdraw("deep@1"),
            "get": lambda s: s.products.get("deep"),
            "list": lambda s: s.products.list(),
            "collect": lambda s: s.collect(),
            "verify": lambda s, version=version: s.verify(version),
        }
        del sound
        backend = faulty(PosixBackend(root), nth, code)
        codes = ()
        try:
            verbs[verb](Store(str(root), Principal(), backend))
        except TsmError as error:
            codes = error.codes
        assert codes == (() if backend.spared else (Code.STORE_IO,)), nth
        del backend
        again = open_store(root)
        if not (root / "products/public/deep/1-withdrawn").exists():
            verbs[verb](again)
            assert again.read_table(version.ref, "t").num_rows == 1
        del again
        open_store(root).collect()
        assert not (root / "objects/put" / loose.address[:2] / loose.address).exists()
        if not codes:
            return
    pytest.fail("it never succeeds")


def test_every_flipped_bit_of_a_record_is_found(tmp_path):
    store = open_store(tmp_path)
    version = add(store, 1)
    file = tmp_path / "products/public/deep/1/manifest.json"
    sound = file.read_bytes()
    file.chmod(0o644)
    for at in range(0, len(sound), 7):
        file.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << at % 8]) + sound[at + 1:])
        with pytest.raises(TsmError) as caught:
            store.products.get("deep")
        assert caught.value.codes == (Code.STORE_CORRUPT,)
    file.write_bytes(sound)
    assert store.products.get("deep") == version


def test_a_record_of_a_later_release_is_left_alone_and_stops_a_collection(tmp_path):
    from pz_tsm_core.store.seal import sealed, unsealed

    add(open_store(tmp_path), 1)
    file = tmp_path / "products/public/deep/1/manifest.json"
    file.chmod(0o644)
    said = unsealed(file.read_bytes(), "x", schema=2)
    file.write_bytes(sealed(said | {"schema": 3}))
    for call in (lambda: open_store(tmp_path).products.get("deep"), open_store(tmp_path).collect):
        with pytest.raises(TsmError) as caught:
            call()
        assert caught.value.codes == (Code.STORE_UNSUPPORTED,)
    assert len(list(tmp_path.glob("objects/*/*/*"))) == 1
