"""A Prefect server for one run: started as a child, gone when the run is, however it ends.

Each server has a home of its own under the store, `prefect/server-0`, `-1` and so on, taken under
a lock that the kernel releases with the last process that holds it. So the next run finds the
database migrated, and two runs at once do not meet. Nothing but 127.0.0.1 is ever contacted, and
`~/.prefect` is never read or written.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pz_tsm_core.errors import Code, Problem, TransientError

#: A first start migrates the database: seconds on a quiet machine, a minute on a busy one.
START_SECONDS = 180.0

HOST = "127.0.0.1"
LOG = "server.log"
SCRIPT = Path(__file__).with_name("server_process.py")

#: What a run without people needs no part of: the UI, what phones home, what serves schedules.
SERVER_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
}


@dataclass(frozen=True)
class Server:
    """A running private server: its address, its home and its process."""

    url: str
    home: Path
    pid: int

    @property
    def environment(self) -> dict[str, str]:
        """What a client must have in its environment before it imports Prefect."""
        direct = ",".join(filter(None, [urllib.request.getproxies().get("no"), HOST]))
        return {
            "PREFECT_API_URL": self.url,
            # A proxy for the world outside would be asked for this machine's own server.
            "no_proxy": direct,
            "NO_PROXY": direct,
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "DO_NOT_TRACK": "1",
            # The sender of logs waits a minute at exit for a server that is gone before it.
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }

    def ready(self) -> None:
        """Wait until the server answers.

        Raises
        ------
        TransientError
            `service.unreachable` when it has ended, or says nothing for `START_SECONDS`.
        """
        # No proxy of the environment may stand between a run and its own machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/health", timeout=START_SECONDS):
                return
        except OSError as error:  # URLError and time-outs are of this family
            raise TransientError(
                Problem(
                    Code.SERVICE_UNREACHABLE, f"private Prefect server, {self.home}",
                    found=str(error), expected="an answer from the server that this run started",
                    remedy=f"read {self.home / LOG}; remove that folder and run again",
                )
            ) from error


@contextmanager
def private_server(homes: Path) -> Iterator[Server]:
    """Start a server in a free home below `homes`; it ends with the context, or with the process.

    The server needs seconds to be ready. Its socket takes requests from the first moment on, so
    there is time to import Prefect before `Server.ready`.
    """
    with ExitStack() as stack:
        home, lock = _take_home(homes)
        stack.callback(os.close, lock)
        process, port = _start(home, lock, stack)
        stack.callback(process.wait)
        stack.callback(process.kill)  # its database is safe at any moment, its state nobody's
        yield Server(f"http://{HOST}:{port}/api", home, process.pid)


def _take_home(homes: Path) -> tuple[Path, int]:
    """Find the first home that nobody uses and lock it."""
    for number in count():
        home = homes / f"server-{number}"
        home.mkdir(parents=True, exist_ok=True)
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return home, lock
    raise AssertionError("count never ends")


def _start(home: Path, lock: int, stack: ExitStack) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server process; give it and the port it will answer on."""
    leash, hold = os.pipe()
    stack.callback(os.close, hold)
    # A Prefect of the user's own settings is another one, with another database.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    with socket.create_server((HOST, 0)) as listening, (home / LOG).open("wb") as log:
        # The child holds the lock too: a home is free only when its server is gone.
        descriptors = (listening.fileno(), leash, lock)
        process = subprocess.Popen(  # noqa: S603 - our own module, no text of anybody else
            # -P: the folder of the script, with modules of common names, stays off the path.
            [sys.executable, "-P", str(SCRIPT), *map(str, descriptors[:2])],
            env={**inherited, **SERVER_ENVIRONMENT, "PREFECT_HOME": str(home)},
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C reaches the run alone; it still has something to tell the server.
            start_new_session=True,
        )
        os.close(leash)
        return process, listening.getsockname()[1]
