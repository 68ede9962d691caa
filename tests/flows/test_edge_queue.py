"""Retrieval on a queue of its own, by the commands of the page, and a cluster without a way out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType

from pz_tsm_core.store import open_store
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGE = (ROOT / "docs" / "how-to" / "fetch.md").read_text("utf-8")
SECONDS = 90  # for a worker to start on a loaded machine
POOL, EDGE, COMPUTE = "pz-tsm", "edge", "compute"
#: Stands before all other code of a process: it sees every connection that any of it makes.
NO_WAY_OUT = """\
import os, sys

def refuse(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
        if host not in ("127.0.0.1", "::1"):
            with open(os.environ["ATTEMPTS"], "a") as attempts:
                attempts.write(f"{host}\\n")
            raise OSError("no way out")

sys.addaudithook(refuse)
"""


@pytest.fixture
def environment(server, folder):
    """Of somebody who works with a Prefect server and has the checkout."""
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith("PREFECT_") and k not in ("PZ_TSM_ALLOW_HOSTS", "PZ_TSM_SITE")}
    return clean | server.environment | {
        "HOME": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}",
        "PREFECT_WORKER_QUERY_SECONDS": "1"}


@pytest.fixture
def client(prefect_client_settings):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def typed(environment):
    """Type a command in the checkout; give what it says."""
    def at_once(words):
        done = subprocess.run(words, cwd=ROOT, env=environment, text=True, capture_output=True,
                              check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return at_once


@pytest.fixture
def worker(environment, folder):
    """Start a worker for a queue, as the page does; what it says goes to a file."""
    started = []

    def start(queue, **more):
        words = shlex.split(line_with("worker start").replace(EDGE, queue))
        log = folder / f"{queue}.log"
        with log.open("w") as said:
            # Without it, a shell that ignores SIGINT makes a worker that ignores SIGTERM.
            started.append(subprocess.Popen(
                ["env", "--default-signal=INT,TERM", *words], cwd=ROOT, stdout=said, stderr=said,
                env=environment | more))
        return log

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=20)


def line_with(words):
    """The one command of the page that has these words."""
    line, = re.findall(rf"^\$ (prefect .*{re.escape(words)}.*)$", PAGE, re.MULTILINE)
    return line


def looked(client, queue):
    """When a worker last looked into a queue."""
    queues = client.read_work_queues(work_pool_name=POOL)
    return next((each.last_polled for each in queues if each.name == queue), None)


def ended(client, run_id):
    """A flow run, once it has ended."""
    run = client.read_flow_run(run_id)
    return run if run.state.is_final() else None


def test_surveys_are_fetched_at_the_edge_alone_and_used_where_there_is_no_way_out(
    typed, worker, client, environment, define, recipe, web, folder, site, store
):
    define("alpha")
    typed(shlex.split(line_with("work-pool create")))
    typed(shlex.split(line_with("deploy --all")))
    idle = worker(COMPUTE, PZ_TSM_SITE=str(folder / "elsewhere"), PZ_TSM_ALLOW_HOSTS=web.host)
    said = typed([*shlex.split(line_with("deployment run"))[:-1], 'request={"surveys": ["alpha"]}'])
    asked = client.read_flow_run(re.search(r"UUID: (\S+)", said)[1])
    wait_for("a look of the worker",
             lambda: (looked(client, COMPUTE) or asked.created) > asked.created, SECONDS)
    assert client.read_flow_run(asked.id).state.type is StateType.SCHEDULED
    assert web.requests == []
    # Only here is it known where the store is, and that the archive may be asked.
    worker(EDGE, PZ_TSM_SITE=str(site), PZ_TSM_ALLOW_HOSTS=web.host)
    done = wait_for("its end", lambda: ended(client, asked.id), SECONDS)
    assert (done.state.type, done.work_queue_name) == (StateType.COMPLETED, EDGE)
    assert ("GET", "/alpha.csv") in web.requests
    assert str(open_store(store).products.get("alpha")) == "alpha@1"
    assert str(asked.id) not in idle.read_text()

    web.stop()
    (folder / "sitecustomize.py").write_text(NO_WAY_OUT)
    attempts, nowhere = folder / "attempts", "http://127.0.0.1:9"
    cluster = environment | {
        "PYTHONPATH": str(folder), "ATTEMPTS": str(attempts), "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere, "ALL_PROXY": nowhere}
    call = "import socket; socket.create_connection(('192.0.2.1', 443))"
    assert subprocess.run([sys.executable, "-c", call], env=cluster, capture_output=True,
                          check=False).returncode == 1
    assert attempts.read_text() == "192.0.2.1\n"  # so it would be seen
    run = subprocess.run(["tsm", "run", recipe("alpha"), "--store", store], env=cluster,
                         text=True, capture_output=True, check=False, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    assert attempts.read_text() == "192.0.2.1\n"
    assert (folder / "output" / "measurements.parquet").exists()
