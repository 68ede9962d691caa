"""From the form to the report in a browser, by somebody who never sees a terminal."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterId,
)

from deployments.automations import POOL
from pz_tsm_core.mock import MockPaths
from pz_tsm_core.mock.own import write_own_table
from tests.chromium import Tab
from tests.service.deployed import Service
from tests.service.rig import BIN
from tests.waiting import wait_for

#: A label of the form, whose `for` names its field; of several with one title the last.
LABEL = """[...document.querySelectorAll('label')].findLast(
    label => label.textContent.replace(' (Optional)', '') === {title!r})"""
BUTTON = """[...document.querySelectorAll('button')].find(button =>
    button.textContent.trim() === {text!r} && {after}.compareDocumentPosition(button) & 4)"""
OPTION = """[...document.querySelectorAll('[role=option]')].find(
    option => option.textContent.trim() === {value!r})"""


class Form:
    """The form of a deployment, in the words of the person who fills it in."""

    def __init__(self, tab: Tab, address: str) -> None:
        self._tab = tab
        tab.visit(address, LABEL.format(title="Name of the result"))

    def write(self, title: str, text: str) -> None:
        self._tab.write(self._field(title), text)

    def choose(self, title: str, value: str) -> None:
        self._tab.press(self._field(title))
        self._tab.wait_for(f"!!{OPTION.format(value=value)}")
        self._tab.press(OPTION.format(value=value))

    def choices(self, title: str) -> list[str]:
        self._tab.press(self._field(title))
        told = "[...document.querySelectorAll('[role=option]')].map(o => o.textContent.trim())"
        self._tab.wait_for(f"{told}.length > 0")
        return self._tab.see(told)

    def press(self, text: str, after: str = "Name of the result") -> None:
        self._tab.press(BUTTON.format(text=text, after=LABEL.format(title=after)))

    def _field(self, title: str) -> str:
        self._tab.wait_for(f"!!{LABEL.format(title=title)}")
        return f"document.getElementById({LABEL.format(title=title)}.htmlFor)"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder of results, and the address under which a web server shows it."""
    folder = tmp_path_factory.mktemp("results")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def tsm(service: Service, results: tuple[Path, str], mock_sky: MockPaths):
    """`tsm` at a service with the mock sky, set up by `tsm deploy`."""
    folder, address = results
    rig = service.rig
    rig.site.write_text(f"""\
schema: 1
store: store
results: {{directory: {folder}, url: "{address}"}}
catalogs:
  mock: {{path: {mock_sky.root}/object_collection, release: dp1, access: {{kind: public}}}}
dust: {mock_sky.root}/dust
""", "utf-8")
    environment = rig.environment | {"PZ_TSM_STORE": str(rig.folder / "store")}

    def run(*words: str | Path) -> str:
        done = subprocess.run([BIN / "tsm", *words], env=environment, text=True, check=False,
                              capture_output=True, timeout=180)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    write_own_table(mock_sky)
    run("put", mock_sky.root / "my_redshifts.csv", "--name", "deep")
    assert "make-training-set" in run("deploy", rig.site)
    return run


def test_queues_let_so_many_runs_go_on_at_once(tsm, service: Service) -> None:
    queues = {each.name: each.concurrency_limit
              for each in service.client.read_work_queues(work_pool_name=POOL)}
    assert queues == {"default": None, "compute": 3, "edge": 1, "care": None}


def test_a_training_set_is_asked_for_watched_and_looked_at_in_the_browser(
    tsm, service: Service, results: tuple[Path, str], tab: Tab, tmp_path: Path
) -> None:
    deployment = service.client.read_deployment_by_name("make-training-set/make-training-set")
    pages = service.rig.url.removesuffix("/api") + "/v2"
    form = Form(tab, f"{pages}/deployments/deployment/{deployment.id}/run")
    form.write("Name of the result", "first_set")
    form.write("Who asks", "alice")
    form.press("Add item", after="Tables of your own")
    form.choose("Table", "deep@latest")
    form.choose("Dust map", "none")
    tab.picture(tmp_path / "form.png")
    form.press("Submit", after="More, as a recipe says it")
    tab.wait_for("location.pathname.endsWith('/run') === false")

    theirs = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    run, = wait_for("the run", lambda: service.client.read_flow_runs(deployment_filter=theirs))
    assert service.until(run.id, "Completed", "Failed").name == "Completed"
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    shown = {each.key: each for each in service.client.read_artifacts(flow_run_filter=mine)}
    tab.visit(f"{pages}/artifacts/artifact/{shown['first-set-result'].id}",
              "document.body.innerText.includes('first_set@1')")
    tab.picture(tmp_path / "result.png")
    report = tab.see("[...document.links].find(a => a.textContent === 'report.html').href")
    assert report == f"{results[1]}/alice/first_set/report.html"
    tab.visit(report, "document.readyState == 'complete' && document.querySelector('h1')")
    assert tab.see("document.querySelector('h1').innerText") == "first_set"
    assert (results[0] / "alice" / "first_set" / "training_set.parquet").is_file()
    tags = service.run(run.id).tags
    assert {"owner:alice", "by:request", "training-set"} <= set(tags)


def test_what_was_put_since_is_a_choice(tsm, service: Service, mock_sky, tab: Tab) -> None:
    tsm("put", mock_sky.root / "my_redshifts.csv", "--name", "later")
    deployment = service.client.read_deployment_by_name("compile-redshifts/compile-redshifts")
    pages = service.rig.url.removesuffix("/api") + "/v2"
    form = Form(tab, f"{pages}/deployments/deployment/{deployment.id}/run")
    form.press("Add item", after="Tables of your own")
    assert form.choices("Table") == ["deep@latest", "later@latest"]
