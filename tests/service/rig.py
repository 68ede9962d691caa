"""The service as it runs in production, its parts started and killed one by one.

PostgreSQL, Prefect server, process worker, Dask scheduler and Dask worker are programs of their
own, as an operator starts them. Every program and all that it starts carry a mark in their
environment, by which what is left behind is found, whoever started it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deployments.automations import POOL
from flows.settings import service_environment
from pz_tsm_core.store.faults import PAUSE
from tests.waiting import HOST, answers, free_port, wait_for

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MARK = "PZ_TSM_TEST_RIG"
#: Seconds for a part to be ready on a busy machine.
READY = 90.0


@dataclass
class Part:
    """A program of the service; it can be killed and started again with the same words."""

    name: str
    command: list[str | Path]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    log: Path
    user: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it; `wait` says when it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                # Without it, a shell that ignores SIGINT makes a worker that ignores SIGTERM.
                ["env", "--default-signal=INT,TERM", *self.command], cwd=ROOT, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, env=self.environment, user=self.user,
                start_new_session=True)

    def wait(self) -> None:
        """Wait until it is ready."""
        process = self.running

        def ready() -> bool:
            assert process.poll() is None, f"{self.name} has ended:\n{self.log.read_text()[-3000:]}"
            return self.ready()

        wait_for(f"{self.name} ready", ready, READY)

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, f"{self.name} was not started"
        return self.process

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it by a signal, and wait until it has."""
        self.running.send_signal(number)
        self.running.wait(timeout=30)

    def restart(self, number: signal.Signals = signal.SIGKILL, away_seconds: float = 0) -> None:
        """End it by a signal and start it again, as a supervisor does."""
        self.kill(number)
        time.sleep(away_seconds)  # how long it is away is what is tried, not a wait for something
        self.start()
        self.wait()

    @property
    def rss_mb(self) -> float:
        """Resident memory of the program alone."""
        return psutil.Process(self.running.pid).memory_info().rss / 2**20


class Rig:
    """All parts of a service below one folder."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.folder = Path(tempfile.mkdtemp(prefix="pz-tsm-rig-"))
        self.folder.chmod(0o755)  # PostgreSQL is another user
        self.port, self.dask_port, pg_port = free_port(), free_port(), free_port()
        self.url = f"http://{HOST}:{self.port}/api"
        self.dask = f"tcp://{HOST}:{self.dask_port}"
        self.site = self.folder / "site.yaml"
        self.held = self.folder / "hold" / "search"
        self.environment = self._environment(pg_port)
        self.postgres = self._postgres(pg_port)
        self.server = self._part(
            "server", [BIN / "prefect", "server", "start", "--host", HOST, "--port",
                       str(self.port)], self._healthy)
        self.worker = self._worker()
        self.scheduler = self._part(
            "scheduler", [*_dask("scheduler"), "--port", str(self.dask_port)],
            lambda: answers(self.dask_port))
        self.dask_worker = self._part(
            "dask-worker", [*_dask("worker"), self.dask, "--no-nanny", "--nthreads", "1",
                            "--death-timeout", "60"], lambda: True,
            **{PAUSE: f"match.search={self.held}"})

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.dask_worker, self.scheduler, self.worker, self.server, self.postgres

    def _environment(self, pg_port: int) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        return clean | service_environment() | {
            MARK: self.mark, "HOME": str(self.folder), "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": self.url, "PREFECT_WORKER_QUERY_SECONDS": "1",
            # The server writes its pages before it shows them; other servers have their own.
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(self.folder / "ui"),
            "PZ_TSM_SITE": str(self.site),
            "no_proxy": HOST, "NO_PROXY": HOST, "PYTHONPATH": str(ROOT),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL":
                f"postgresql+asyncpg://{user}@{HOST}:{pg_port}/prefect"}

    def _part(self, name: str, command: list[str | Path], ready: Callable[[], bool],
              **more: str) -> Part:
        return Part(name, command, self.environment | more, ready, self.folder / f"{name}.log")

    def _healthy(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with suppress(OSError), opener.open(f"{self.url}/health", timeout=2) as answer:
            return bool(answer.read() == b"true")
        return False

    def _worker(self) -> Part:
        port = free_port()
        return self._part(
            "worker", [sys.executable, "-m", "deployments.worker", "start", "--pool", POOL,
                       "--name", "here", "--type", "process", "--with-healthcheck"],
            lambda: answers(port),
            PREFECT_WORKER_WEBSERVER_HOST=HOST, PREFECT_WORKER_WEBSERVER_PORT=str(port))

    # PostgreSQL

    def _postgres(self, port: int) -> Part:
        data = self.folder / "pg"
        part = self._part(
            "postgres", [_pg("postgres"), "-D", data, "-p", str(port), "-h", HOST,
                         "-k", data, "-F", "-c", "max_connections=50"], lambda: answers(port))
        part.user = "postgres" if os.geteuid() == 0 else None
        data.mkdir()
        if part.user:
            shutil.chown(data, part.user)
        return part

    def _make_database(self) -> None:
        part, data = self.postgres, self.folder / "pg"

        def run(*words: str | Path) -> None:
            subprocess.run(words, check=True, user=part.user, env=part.environment,
                           cwd=data, capture_output=True, timeout=READY)

        run(_pg("initdb"), "-D", data, "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        part.start()
        part.wait()
        port = part.command[part.command.index("-p") + 1]
        wait_for("PostgreSQL", lambda: not subprocess.run(
            [_pg("pg_isready"), "-h", HOST, "-p", port], capture_output=True,
            check=False).returncode)
        ask = (_pg("psql"), "-h", HOST, "-p", port, "-v", "ON_ERROR_STOP=1")
        run(*ask, "-d", "postgres", "-c", "create database prefect")
        run(*ask, "-d", "prefect", "-c", "create extension pg_trgm")

    # All together

    def start(self) -> None:
        """Start everything but the worker, which needs its pool."""
        self.scheduler.start()
        self._make_database()
        self.server.start()
        self.scheduler.wait()
        self.dask_worker.start()
        self.server.wait()

    def stop(self) -> None:
        """End everything; nothing that carries the mark may be left after it."""
        for part in self.parts:
            if part.process:
                part.process.kill() if part is not self.postgres else part.process.send_signal(
                    signal.SIGQUIT)
        for part in self.parts:
            if part.process:
                part.process.wait(timeout=30)
        left = self.marked()
        _, alive = psutil.wait_procs(left, timeout=10)
        told = [" ".join(each.cmdline()) for each in alive]
        for each in alive:
            each.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not alive, f"left behind: {told}"

    def hold_dask(self) -> None:
        """Let the next search on a Dask worker wait; `held` exists once it does."""
        shutil.rmtree(self.held.parent, ignore_errors=True)
        self.held.parent.mkdir()

    def let_dask_go(self) -> None:
        self.held.parent.mkdir(exist_ok=True)
        Path(f"{self.held}.go").touch()

    def marked(self) -> list[psutil.Process]:
        """Living processes of this rig, whoever started them."""
        def is_ours(each: psutil.Process) -> bool:
            with suppress(psutil.Error):
                return (each.status() != psutil.STATUS_ZOMBIE
                        and each.environ().get(MARK) == self.mark)
            return False

        return list(filter(is_ours, psutil.process_iter()))

    def told(self, lines: int = 60) -> str:
        """The last words of every part, for a person who reads of a failure."""
        return "\n".join(
            f"--- {part.name}\n" + "\n".join(part.log.read_text("utf-8", "replace")
                                             .splitlines()[-lines:])
            for part in self.parts if part.log.exists())


def _pg(program: str) -> Path:
    """A program of PostgreSQL, which Debian keeps off the path."""
    found = shutil.which(program) or max(
        map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{program}")), default=None)
    assert found, f"{program} is missing: apt-get install postgresql"
    return Path(found)


def _dask(program: str) -> list[str | Path]:
    return [sys.executable, "-m", f"distributed.cli.dask_{program}", "--host", HOST,
            "--no-dashboard"]


@contextmanager
def running() -> Iterator[Rig]:
    """A rig, from its start to its end."""
    rig = Rig()
    try:
        rig.start()
        yield rig
    finally:
        rig.stop()
