"""Whoever follows docs/how-to/operate.md has a service; on this machine, by its own commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.service.operator import BLOCKS, ROOT, followed, missing
from tests.waiting import answers, free_port, wait_for

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def page():
    if os.geteuid():
        pytest.skip("the page is for root")
    if wanted := missing():
        pytest.skip(f"apt-get install {' '.join(wanted)}")
    with followed() as done:
        yield done


@pytest.fixture(scope="module")
def get(page):
    """Asks the web server, as people and programs do."""
    session = requests.Session()
    session.trust_env = False
    with session:
        yield lambda path: session.get(page.place.url + path, timeout=30)


@pytest.fixture(scope="module")
def runs(page):
    """Asks Prefect for runs of a flow."""
    session = requests.Session()
    session.trust_env = False

    def of(flow):
        wanted = {"flows": {"name": {"any_": [flow]}}}
        address = f"{page.place.url}/api/flow_runs/filter"
        return session.post(address, json=wanted, timeout=30).json()

    with session:
        yield of


def test_the_scheduled_refresh_completes(page, runs):
    def scheduled():
        return [run["state"]["type"] for run in runs("refresh-compilation")
                if run["auto_scheduled"] and run["state"]["type"] not in ("SCHEDULED", "PENDING")]

    wait_for("a scheduled refresh at its end",
             lambda: set(scheduled()) & {"COMPLETED", "FAILED", "CRASHED"}, 180, every=0.5)
    assert "COMPLETED" in scheduled(), page.place.log()
    assert "specz-compilation@1" in page.place.service("tsm", "products", "list")
    assert [run for run in runs("fetch-surveys") if "by:schedule" in run["tags"]]


def test_one_key_gives_one_run(page, runs):
    in_python = page.said("ask.py")
    assert "COMPLETED" in page.said("until state")
    assert "COMPLETED" in in_python
    made = [run for run in runs("make-training-set") if run["idempotency_key"] == "pzserver-17"]
    assert [run["id"] for run in made] == [in_python.split()[0]]
    assert "owner:alice" in made[0]["tags"]


def test_what_the_form_does_not_allow_is_refused_in_words(page):
    refused = page.said("wrong.json")
    assert refused.splitlines()[-1].endswith("409")
    assert "cModell" in refused


def test_what_nobody_needs_is_cancelled(page, runs):
    def state():
        unwanted, = [run["state"] for run in runs("make-training-set")
                     if run["idempotency_key"] == "pzserver-19"]
        return unwanted["type"]

    assert page.said("CANCELLING").strip() in ("CANCELLING", "CANCELLED")
    wait_for("cancelled", lambda: state() == "CANCELLED", 60, every=0.5)


def test_results_are_handed_out_and_private_ones_are_not(page, get):
    results = page.place.home / "results"
    report = get("/results/alice/alices_set/report.html")
    assert report.content == (results / "alice/alices_set/report.html").read_bytes()
    (results / "private/secret.txt").write_text("nobody's business")
    (results / "privateer").mkdir()  # who is called so has nothing to do with it
    for hidden in ("private", "private/", "private/secret.txt", "alice/../private/secret.txt",
                   "alice/%2e%2e/private/secret.txt", "/private//secret.txt"):
        assert get(f"/results/{hidden}").status_code == 404, hidden
    assert get("/results/privateer/").status_code == 200


def test_pages_may_ask_nobody_else(get):
    for path in ("/", "/api/health", "/v2/", "/results/", "/results/private/"):
        policy = get(path).headers["Content-Security-Policy"]
        sources = {word for part in policy.split(";") for word in part.split()[1:]}
        assert not [word for word in sources if "." in word or "*" in word or "//" in word], path
    assert "sandbox" in get("/results/").headers["Content-Security-Policy"]
    assert "script" not in get("/results/").headers["Content-Security-Policy"]


def test_events_come_through_the_web_server(page):
    address = page.place.url.replace("http", "ws") + "/api/events/out"
    with connect(address, subprotocols=["prefect"], proxy=None) as socket:
        socket.send(json.dumps({"type": "auth", "token": None}))
        assert json.loads(socket.recv(timeout=30))["type"] == "auth_success"


def test_a_page_of_another_site_is_told_of_no_events(page):
    address = page.place.url.replace("http", "ws") + "/api/events/out"
    connect(address, subprotocols=["prefect"], proxy=None, origin=page.place.url).close()
    for origin in ("http://elsewhere.example", f"{page.place.url}.elsewhere.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, subprotocols=["prefect"], proxy=None, origin=origin)
        assert refused.value.response.status_code == 403


def test_a_worker_that_dies_is_started_again(page):
    def pid():
        worker = f"{page.place.name}:{page.place.name}-worker"
        said = subprocess.run(["supervisorctl", "pid", worker], capture_output=True, text=True,
                              check=False).stdout.strip()
        return int(said) if said.isdigit() else 0

    before = pid()
    os.kill(before, 9)
    wait_for("another worker", lambda: pid() not in (0, before), 30)


@pytest.fixture(scope="module")
def closed(page):
    """Alice's way in, by https at another port with her password, after the page has shut others.

    The place as it is then, and her session.
    """
    folder, password = page.place.folder, "s3cret:$ %"
    place = replace(page.place, scheme="https", web=free_port())
    crt, key = folder / "a.crt", folder / "a.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", crt], check=True, capture_output=True)
    page.type("passwd", place, CERTIFICATE=str(crt), KEY=str(key),
              **{"passwd -apr1": f"passwd -apr1 '{password}'"})
    session = requests.Session()
    session.trust_env, session.verify, session.auth = False, str(crt), ("alice", password)
    session.mount("https://", HTTPAdapter(max_retries=Retry(30, status_forcelist=[502])))
    with session:
        yield place, session


@pytest.fixture
def edge(page, closed):
    """A worker of the queue `edge` on another machine, but for its files; the one here is gone."""
    (place, alice), settings = closed, page.place.folder / "edge"
    subprocess.run(["supervisorctl", "stop", f"{place.name}:{place.name}-worker"], check=True)
    settings.write_text("\n".join([
        f"PZ_TSM_HOME={place.home}", f"PZ_TSM_SITE={place.folder}/settings/site.yaml",
        f"PREFECT_API_URL={place.url}/api", "PREFECT_API_AUTH_STRING=" + ":".join(alice.auth),
        f"PREFECT_API_SSL_CERT_FILE={alice.verify}"]))
    settings.chmod(0o600)
    words = [ROOT / "infra" / "service", "worker", "edge"]
    with (place.home / "log" / "edge.log").open("w") as log, subprocess.Popen(
            words, stdout=log, stderr=log,
            env={**os.environ, "PZ_TSM_ENVIRONMENT": str(settings)}) as worker:
        yield worker
        worker.terminate()


def test_who_has_no_password_comes_in_nowhere(page, closed):
    place, alice = closed
    for path in ("/", "/api/health", "/v2/", "/results/", "/api/events/out"):
        told = requests.get(place.url + path, verify=alice.verify, timeout=30)
        assert told.status_code == 401, path
    for path in ("/", "/api/health", "/results/"):
        assert alice.get(place.url + path, timeout=30).status_code == 200, path
    assert not answers(page.place.web), "the former way in"
    settings = [(place.folder / "settings" / file).read_text("utf-8")
                for file in ("environment", "site.yaml")]
    assert [page.place.url in text for text in settings] == [False, False]
    assert f"PREFECT_SERVER_UI_API_URL={place.url}/api" in settings[0]
    assert f"url: {place.url}/results" in settings[1]


def test_a_worker_at_the_edge_comes_in_by_its_password(closed, edge):
    place, alice = closed
    api = f"{place.url}/api"
    name = f"{api}/deployments/name/fetch-surveys/fetch-surveys"
    asked = {"parameters": {"request": {"surveys": ["deep_field"]}}}
    deployment = alice.get(name, timeout=30).json()["id"]
    run = alice.post(f"{api}/deployments/{deployment}/create_flow_run", json=asked, timeout=30)

    def ended():
        state = alice.get(f"{api}/flow_runs/{run.json()['id']}", timeout=30).json()["state"]
        return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED") else None

    assert wait_for("its end", ended, every=0.5)["type"] == "COMPLETED", place.log()
    alive = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]},
                        "resource": {"id": [f"prefect.flow-run.{run.json()['id']}"]}}}
    wait_for("a sign of its life",  # the server writes them down every five seconds
             lambda: alice.post(f"{api}/events/filter", json=alive, timeout=30).json()["events"])
    assert edge.poll() is None


def test_a_backup_of_the_database_can_be_read(page):
    listed = subprocess.run(["pg_restore", "--list", page.place.home / f"{page.place.name}.dump"],
                            capture_output=True, text=True, check=True).stdout
    assert "flow_run" in listed


@pytest.fixture
def script(tmp_path):
    """Runs infra/service with an environment file."""
    def run(content, mode=0o600):
        (tmp_path / "environment").write_text(content)
        (tmp_path / "environment").chmod(mode)
        return subprocess.run(
            [ROOT / "infra" / "service", "prefect", "version"], text=True, capture_output=True,
            check=False, env={**os.environ, "PZ_TSM_ENVIRONMENT": str(tmp_path / "environment")})

    return run


def test_settings_that_others_may_read_start_nothing(script):
    refused = script("PZ_TSM_HOME=/nowhere\n", mode=0o640)
    assert refused.returncode == 2
    assert "chmod 600" in refused.stderr


@pytest.mark.parametrize("line", [
    "$(touch hacked) s3cret", "PASSWORD = s3cret", "export PASSWORD=s3cret", "=s3cret",
])
def test_a_mistake_in_the_settings_is_told_without_them(line, script):
    refused = script(f"PZ_TSM_HOME=/nowhere\n{line}\n")
    assert refused.returncode == 2
    assert "s3cret" not in refused.stderr


def test_both_ways_to_start_the_service_start_the_same():
    supervisor = (ROOT / "infra/supervisor/pz-tsm.conf").read_text("utf-8")
    systemd = "".join((ROOT / f"infra/systemd/pz-tsm-{part}.service").read_text("utf-8")
                      for part in ("server", "worker", "judge"))
    commands = re.findall(r"^command=(.*)$", supervisor, re.MULTILINE)
    assert re.findall(r"^ExecStart=(.*)$", systemd, re.MULTILINE) == commands
    # Told to end, a worker would end its runs.
    def told(text):
        return text.partition("infra/service worker")[2].partition("[")[0]

    assert "stopsignal=KILL" in told(supervisor)
    assert "KillSignal=SIGKILL\nSuccessExitStatus=SIGKILL" in told(systemd)
    placeholders = set(re.findall(r"@\w+@", supervisor + systemd))
    assert placeholders <= set(re.findall(r"@\w+@", BLOCKS[1]))
