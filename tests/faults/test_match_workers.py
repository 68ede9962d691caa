"""Workers that die or freeze in the middle of a match: its right result, or a clear failure soon.

They search a catalogue on a web server, which lets them wait until something has happened to them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pz_tsm_core
from pz_tsm_core.errors import Code, TransientError
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.sky.cluster import pool_of
from pz_tsm_core.sky.write import write_table_as_collection
from tests.faults.match_alone import SILENCE, matched
from tests.web import Web

ROOT = Path(pz_tsm_core.__file__).parents[1]
#: Workers import it before they are asked, so that patience is for their work alone.
SEARCH = "pz_tsm_core.sky.search"
THREADS = ClusterPolicy(kind="threads")
ROWS = 600
#: Seconds in which a process whose work is over, or given up, has ended; the machine may be busy.
PROMPTLY = 40.0
#: Seconds of patience in which workers come to search, also there.
ENOUGH = 8.0


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, Path]:
    """Rows, and a catalogue of objects near most of them in more files than there are workers."""
    rng = np.random.default_rng(17)
    ra, dec = 10 + rng.uniform(0, 4, ROWS), rng.uniform(-2, 2, ROWS)
    left = pa.table({"row_id": np.arange(ROWS), "ra": ra, "dec": dec})
    objects = pa.table({
        "id": rng.permutation(ROWS) + 10**12, "ra": ra + rng.normal(0, 0.5 / 3600, ROWS),
        "dec": dec, "value": rng.normal(size=ROWS)})
    folder = tmp_path_factory.mktemp("sky") / "objects"
    write_table_as_collection(objects, folder, "objects", rows_per_partition=80)
    return left, folder


@pytest.fixture(scope="module")
def left(sky: tuple[pa.Table, Path]) -> pa.Table:
    return sky[0]


@pytest.fixture(scope="module")
def truth(sky: tuple[pa.Table, Path]) -> pa.Table:
    """What threads find on disk."""
    found = matched(*sky[:1], str(sky[1]), THREADS)
    assert 0 < found["id"].null_count < ROWS / 2
    return found


@pytest.fixture
def catalog(web: Web, sky: tuple[pa.Table, Path]) -> str:
    return web.serve(sky[1], "objects")


@contextmanager
def once_they_search(web: Web, number: int, act: Callable[[], None]) -> Iterator[None]:
    """Do something when so many files are being read at a time, which are held until it is done."""
    waiting: Queue[str] = Queue()
    go_on = threading.Event()

    def hold(name: str) -> None:
        if "Npix" in name and not go_on.is_set():
            waiting.put(name)
            go_on.wait(PROMPTLY)

    def then() -> None:
        for _ in range(number):
            waiting.get(timeout=PROMPTLY)
        act()
        go_on.set()

    web.before = hold
    with ThreadPoolExecutor(1) as executor:
        done = executor.submit(then)
        yield
        assert go_on.is_set(), "the match was over before"
        done.result()


def lose(process: subprocess.Popen[str], act: Callable[[psutil.Process], None]) -> None:
    """Do this to one worker of a program, and freeze the other."""
    one, another = (each for each in psutil.Process(process.pid).children(recursive=True)
                    if any("spawn_main" in word for word in each.cmdline()))
    another.suspend()
    act(one)


# Clusters that we start


@contextmanager
def alone(
    left: pa.Table, catalog: str, folder: Path, policy: ClusterPolicy
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A match in a process of its own; those that it starts must end with it."""
    pq.write_table(left, folder / "left.parquet")
    command = [sys.executable, "-m", "tests.faults.match_alone", folder / "left.parquet", catalog,
               policy.model_dump_json(), folder / "matched.parquet"]
    environment = os.environ | {"PYTHONPATH": str(ROOT),
                                "DASK_DISTRIBUTED__WORKER__PRELOAD": f"['{SEARCH}']"}
    with subprocess.Popen(command, env=environment, text=True, cwd=folder,
                          stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process, folder / "matched.parquet"
            _, alive = psutil.wait_procs(_of_session(process.pid), timeout=10)
            assert not alive
        finally:
            for each in _of_session(process.pid):
                each.kill()


def _of_session(leader: int) -> list[psutil.Process]:
    """Living processes that a program has started, also if it is gone."""
    def is_of(each: psutil.Process) -> bool:
        try:
            return os.getsid(each.pid) == leader and each.status() != psutil.STATUS_ZOMBIE
        except (OSError, psutil.Error):
            return False

    return list(filter(is_of, psutil.process_iter()))


@pytest.mark.prove
def test_one_worker_killed_and_one_frozen_cost_their_tasks_and_not_the_match(
    web: Web, left: pa.Table, catalog: str, truth: pa.Table, tmp_path: Path
) -> None:
    policy = ClusterPolicy(kind="local", workers=2, patience_seconds=PROMPTLY)
    with alone(left, catalog, tmp_path, policy) as (process, target):
        with once_they_search(web, 2, lambda: lose(process, psutil.Process.kill)):
            _, said = process.communicate(timeout=2 * PROMPTLY)
        assert process.returncode == 0, said
    assert pq.read_table(target).equals(truth)


def test_a_program_whose_workers_are_all_frozen_ends_when_its_patience_does(
    web: Web, left: pa.Table, catalog: str, tmp_path: Path
) -> None:
    policy = ClusterPolicy(kind="local", workers=2, patience_seconds=ENOUGH)
    with alone(left, catalog, tmp_path, policy) as (process, target):
        with once_they_search(web, 2, lambda: lose(process, psutil.Process.suspend)):
            _, said = process.communicate(timeout=2 * PROMPTLY)
        assert process.returncode == 1
    assert f"[{Code.SERVICE_TIMEOUT.value}] cluster" in said
    assert not target.exists()


# Clusters of others


@contextmanager
def dask(program: str, *arguments: str | Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or a worker, as operators start them."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": SILENCE,
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments, "--host",
         "127.0.0.1", "--no-dashboard"],
        env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def two_workers(address: str, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    from distributed import Client

    alone = ("--no-nanny", "--nthreads", "1", "--death-timeout", "60",
             "--preload", SEARCH)
    with dask("worker", address, *alone, folder=folder) as one, \
            dask("worker", address, *alone, folder=folder) as another:
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield [one, another]


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    told = folder / "scheduler.json"
    with dask("scheduler", "--port", "0", "--scheduler-file", told, folder=folder) as process:
        while not (told.exists() and told.read_text().strip()):
            assert process.poll() is None
            time.sleep(0.02)
        yield json.loads(told.read_text())["address"], process


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a scheduler that somebody else runs."""
    with scheduler(tmp_path_factory.mktemp("dask")) as (address, _):
        yield address


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_workers_of_others_may_be_lost_too(
    web: Web, left: pa.Table, catalog: str, truth: pa.Table, address: str, tmp_path: Path,
    how: signal.Signals,
) -> None:
    policy = ClusterPolicy(kind="address", address=address, patience_seconds=PROMPTLY)
    with two_workers(address, tmp_path) as workers, \
            once_they_search(web, 2, lambda: workers[0].send_signal(how)):
        assert matched(left, catalog, policy).equals(truth)


@pytest.mark.parametrize(("how", "code"), [
    (signal.SIGKILL, Code.SERVICE_UNREACHABLE),
    pytest.param(signal.SIGSTOP, Code.SERVICE_TIMEOUT, marks=pytest.mark.prove),
])
def test_where_no_worker_is_left_the_match_is_given_up(
    web: Web, left: pa.Table, catalog: str, address: str, tmp_path: Path,
    how: signal.Signals, code: Code,
) -> None:
    policy = ClusterPolicy(kind="address", address=address, patience_seconds=ENOUGH)

    def lose_all() -> None:
        for each in workers:
            each.send_signal(how)

    with two_workers(address, tmp_path) as workers, once_they_search(web, 2, lose_all), \
            pytest.raises(TransientError) as caught:
        matched(left, catalog, policy)
    assert caught.value.codes == (code,)


def test_work_that_costs_one_worker_after_another_its_life_is_given_up(
    address: str, tmp_path: Path
) -> None:
    policy = ClusterPolicy(kind="address", address=address, patience_seconds=PROMPTLY)
    with two_workers(address, tmp_path), pytest.raises(TransientError) as caught, \
            pool_of(policy) as pool:
        list(pool.in_order(signal.raise_signal, [signal.SIGKILL]))
    assert caught.value.codes == (Code.SERVICE_UNREACHABLE,)
    assert "died" in str(caught.value)


@pytest.mark.prove
@pytest.mark.parametrize(("how", "patience", "code"), [
    (signal.SIGKILL, PROMPTLY, Code.SERVICE_UNREACHABLE),
    (signal.SIGSTOP, ENOUGH, Code.SERVICE_TIMEOUT),
])
def test_a_scheduler_that_is_lost_is_told(
    web: Web, left: pa.Table, catalog: str, tmp_path: Path,
    how: signal.Signals, patience: float, code: Code,
) -> None:
    with scheduler(tmp_path) as (address, process), two_workers(address, tmp_path), \
            once_they_search(web, 2, lambda: process.send_signal(how)):
        policy = ClusterPolicy(kind="address", address=address, patience_seconds=patience)
        with pytest.raises(TransientError) as caught:
            matched(left, catalog, policy)
    assert caught.value.codes == (code,)


# Threads


def test_a_file_that_hangs_keeps_no_process_from_its_end(
    sky: tuple[pa.Table, Path], tmp_path: Path
) -> None:
    """A FIFO that nobody writes to, as a file on a disk that does not answer."""
    left, folder = sky
    copy = tmp_path / "objects"
    subprocess.run(["cp", "-r", folder, copy], check=True)
    hung = sorted(copy.glob("objects/dataset/**/Npix*"))[3]
    hung.unlink()
    os.mkfifo(hung)
    policy = ClusterPolicy(kind="threads", workers=2, patience_seconds=1.0)
    with alone(left, str(copy), tmp_path, policy) as (process, target):
        _, said = process.communicate(timeout=PROMPTLY)
    assert process.returncode == 1
    assert f"[{Code.SERVICE_TIMEOUT.value}] cluster" in said
    assert not target.exists()
