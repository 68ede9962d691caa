import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from flows import private_server as module
from flows.private_server import private_server
from pz_tsm_core.errors import Code, TransientError
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
OPEN = Path("/proc/self/fd")

HOLD = """
import sys, time
from pathlib import Path
from flows.private_server import private_server
with private_server(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    time.sleep(120)
"""


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM])
def test_server_dies_with_its_killed_parent_even_before_it_is_ready(deadly, tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    server = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(deadly)
    parent.communicate()
    wait_for("the end of the server",
             lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, 10)


def test_ready_server_listens_on_this_machine_alone(server):
    listening = [c for c in psutil.Process(server.pid).net_connections() if c.status == "LISTEN"]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
    with urllib.request.urlopen(f"{server.url}/health", timeout=10) as answer:
        assert answer.read() == b"true"


def test_two_servers_at_once_have_two_homes_and_the_next_takes_the_first(tmp_path):
    with private_server(tmp_path) as first, private_server(tmp_path) as second:
        assert [first.home.name, second.home.name] == ["server-0", "server-1"]
        assert first.url != second.url
    with private_server(tmp_path) as third:
        assert third.home == first.home


@pytest.mark.skipif(not OPEN.exists(), reason="counts descriptors in /proc")
def test_context_leaves_no_process_and_no_descriptor(tmp_path):
    before = len(list(OPEN.iterdir()))
    with private_server(tmp_path) as server:
        assert psutil.pid_exists(server.pid)
    assert not psutil.pid_exists(server.pid)
    assert len(list(OPEN.iterdir())) == before


def test_server_that_ends_is_told_with_its_log(tmp_path, monkeypatch):
    script = tmp_path / "ends.py"
    script.write_text("raise SystemExit('no database today')")
    monkeypatch.setattr(module, "SCRIPT", script)
    with private_server(tmp_path) as server, pytest.raises(TransientError) as refused:
        server.ready()
    assert refused.value.codes == (Code.SERVICE_UNREACHABLE,)
    assert "no database today" in (server.home / "server.log").read_text()
