"""Collection killed at any point, and collection while others work: nothing needed is ever lost."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

import pz_tsm_core
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store

ROOT = Path(pz_tsm_core.__file__).parents[1]
POINT = re.compile(r'^ +point\("(collect\.[a-z_]+)"\)', re.MULTILINE)
POINTS = sorted({name for path in (ROOT / "pz_tsm_core/store").glob("*.py")
                 for name in POINT.findall(path.read_text())})
COLLECT = "import sys; from pz_tsm_core.store import open_store; open_store(sys.argv[1]).collect()"

# Publishes, finds and reads a few addresses again and again; whatever it has found or published
# must be there, with the right rows, each time it reads it. Now and then it names one.
WORK = """
import random, sys, time
import pyarrow as pa
from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store

root, me, until = sys.argv[1], int(sys.argv[2]), time.time() + float(sys.argv[3])
rng = random.Random(me)
turns = remade = 0
while time.time() < until:
    store = open_store(root)  # what it holds ends with it
    held = {}
    for _ in range(rng.randrange(1, 12)):
        number = rng.randrange(1, 30)
        request = StageRequest(stage="combine", version=number)
        table = pa.table({"x": range(number)})
        if rng.random() < 0.5:
            found = store.find(request.address)
        else:
            found = store.publish(request, lambda draft: draft.write_table("t", table) and None)
        if found:
            held[number] = found.ref
        elif number in held:
            raise SystemExit(f"{number} was held and is gone")
        if found and rng.random() < 0.1:
            store.products.add(f"p{me}", "table", {"a": found.ref}, "a")
        if rng.random() < 0.1:
            try:
                store.products.withdraw(f"p{me}")
            except TsmError as error:
                assert error.codes == ("product.unknown",), error
        for number, ref in held.items():
            assert store.read_table(ref, "t").num_rows == number
            assert sum(batch.num_rows for batch in store.batches(ref, "t")) == number
            assert (store.directory(ref) / "t.parquet").stat().st_size > 0
        turns += 1
print(turns)
"""
# Collects again and again, for so many seconds or until it is told to end.
GC = """
import sys, time
from pathlib import Path
from pz_tsm_core.store import open_store
root, until = sys.argv[1], time.time() + float(sys.argv[2])
removed = 0
while time.time() < until and not Path(root, "end").exists():
    removed += len(open_store(root).collect().removed)
print(removed)
"""


def table(number):
    return pa.table({"x": range(number)})


def publish(store, number):
    request = StageRequest(stage="combine", version=number)
    return store.publish(request, lambda d: d.write_table("t", table(number)) and None).ref


def child(code, *arguments, **environment):
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed(code, root, place):
    process = child(code, root, PZ_TSM_KILL_AT=place)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err


def visible(root):
    return {path.parent.name for path in root.glob("objects/*/*/*/manifest.json")}


def sound(root, refs):
    """Whether each of these is whole or gone, and can be had either way."""
    store = open_store(root)
    for number, ref in refs.items():
        found = store.find(ref.address)
        assert found is None or store.read_table(ref, "t").equals(table(number))
        assert publish(store, number) == ref
    assert not (root / ".quarantine").exists()


def test_there_are_points_around_every_step_of_a_collection():
    assert {"collect.before_move", "collect.after_move", "collect.before_delete"} <= set(POINTS)


@pytest.mark.parametrize("place", [f"{name}:{nth}" for name in POINTS for nth in (1, 2, 3)])
def test_a_collection_killed_anywhere_leaves_a_sound_store(tmp_path, place):
    store = open_store(tmp_path)
    refs = {number: publish(store, number) for number in range(1, 6)}
    store.products.add("deep", "table", {"a": refs[1], "b": refs[2]}, "a")
    del store
    killed(COLLECT, tmp_path, place)
    assert {refs[1].address, refs[2].address} <= visible(tmp_path)
    version = open_store(tmp_path).products.get("deep")
    assert open_store(tmp_path).verify(version).damages == ()
    sound(tmp_path, refs)
    open_store(tmp_path).collect()
    assert visible(tmp_path) == {refs[1].address, refs[2].address}
    assert not list(tmp_path.glob(".trash/*"))
    assert not list(tmp_path.glob(".holds/*"))


@pytest.mark.parametrize("place", ["hold.before", "hold.after", "publish.after_rename",
                                   "publish.after", "add.before", "add.after"])
def test_what_a_killed_process_used_is_collected_unless_it_was_named(tmp_path, place):
    code = """
import sys
import pyarrow as pa
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store
store = open_store(sys.argv[1])
table = pa.table({"x": range(3)})
ref = store.publish(StageRequest(stage="combine", version=3),
                    lambda draft: draft.write_table("t", table) and None).ref
store.products.add("deep", "table", {"a": ref}, "a")
"""
    killed(code, tmp_path, place)
    open_store(tmp_path).collect()
    assert len(visible(tmp_path)) == (1 if place == "add.after" else 0)
    assert not list(tmp_path.glob(".holds/*"))
    assert not list(tmp_path.glob(".staging/*"))
    named = open_store(tmp_path).products.list()
    assert [version.version for version in named] == ([1] if place == "add.after" else [])


def test_a_process_that_is_only_stopped_keeps_what_it_holds(tmp_path):
    store = open_store(tmp_path)
    refs = {number: publish(store, number) for number in (1, 2)}
    del store
    code = ("import sys, time; from pz_tsm_core.store import open_store; "
            "store = open_store(sys.argv[1]); store.find(sys.argv[2]); "
            "print('held', flush=True); time.sleep(600)")
    holder = child(code, tmp_path, refs[1].address)
    try:
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        open_store(tmp_path).collect()
        assert visible(tmp_path) == {refs[1].address}
    finally:
        holder.kill()
        holder.communicate()
    open_store(tmp_path).collect()
    assert visible(tmp_path) == set()


def work_and_collect(root, seconds, workers, collectors, *, kill=False):
    """Processes that work while others collect; all must end well. Gives turns and removals."""
    working = [child(WORK, root, me, seconds) for me in range(workers)]
    collecting = [child(GC, root, seconds) for _ in range(collectors)]
    rng, until = random.Random(3), time.time() + seconds
    while kill and time.time() < until:
        victim = child(GC, root, seconds)
        time.sleep(0.3 + rng.random() / 2)
        victim.kill()
        victim.communicate()
    told = [process.communicate(timeout=seconds + 120) for process in (*working, *collecting)]
    for _, err in told:
        assert err == ""
    numbers = [int(out) for out, _ in told]
    return sum(numbers[:workers]), sum(numbers[workers:])


def assert_whole_at_the_end(root):
    store = open_store(root)
    for version in store.products.list():
        assert store.verify(version).damages == ()
    named = {ref.address for each in store.products.list() for ref in each.artifacts.values()}
    del store
    open_store(root).collect()
    assert visible(root) == named
    assert not (root / ".quarantine").exists()
    assert not list(root.glob(".holds/*"))


def test_nothing_is_missed_by_runs_while_others_collect(root):
    turns, removed = work_and_collect(root, 4, workers=2, collectors=1)
    if isinstance(root, Path):  # on S3 every step is a request: the long proof says how many
        assert turns > 20
        assert removed > 5, "the collector met nothing to do"
    assert_whole_at_the_end(root)


def wait_until_few(root, count, collector):
    while len(visible(root)) > count:
        assert collector.poll() is None, collector.communicate()[1]
        time.sleep(0.05)


def test_a_whole_run_is_untouched_while_others_collect(run, mock_recipe, tmp_path):
    root = tmp_path / "store"
    publish(open_store(root), 1)  # needed by nobody
    collector = child(GC, root, 600)
    try:
        wait_until_few(root, 0, collector)
        done = run(mock_recipe, open_store(root))
        made = {label: manifest.ref for label, manifest in done.manifests.items()}
        version = done.store.products.add("mock", "training_set", made, "export")
        del done
        publish(open_store(root), 1)
        wait_until_few(root, len(made), collector)
    finally:
        (root / "end").touch()
        out, err = collector.communicate(timeout=120)
    assert (out, err) == ("2\n", "")
    assert open_store(root).verify(version).damages == ()


@pytest.mark.prove
def test_nothing_is_missed_by_many_runs_while_many_collect_and_are_killed(root):
    turns, removed = work_and_collect(root, 60, workers=4, collectors=2, kill=True)
    few = not isinstance(root, Path)  # every step is a request there
    assert turns > (20 if few else 500)
    assert removed > (5 if few else 100)
    assert_whole_at_the_end(root)
