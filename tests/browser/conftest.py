"""A real Prefect server with its pages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.waiting import free_port


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory):
    """Address of a real Prefect server with its pages, for the whole session."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    environment = {
        "PREFECT_HOME": str(home), "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),  # the pages ask this one
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    }
    url = f"http://127.0.0.1:{port}"
    with (home / "log").open("wb") as log, subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start"],
            env=clean | environment, stdout=log, stderr=log, start_new_session=True) as process:
        until = time.monotonic() + 120
        while not _answers(f"{url}/api/health"):
            assert time.monotonic() < until, "Prefect did not start"
            assert process.poll() is None, (home / "log").read_text()
            time.sleep(0.1)
        yield url
        os.killpg(process.pid, signal.SIGKILL)  # the command has a server as its child


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5):
            return True
    except OSError:
        return False
