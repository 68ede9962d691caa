"""A run in both of Prefect's user interfaces: what it shows while it lasts, at its end, in failure.

Set SCREENSHOTS to a folder to look at the pages oneself.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows import artifacts, seen
from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import Access
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.stages import CROSSMATCH
from pz_tsm_core.progress import Progress
from tasks.stage import Moment, StageEvent

UIS = {"v2": "/v2", "v1": ""}
HOSTILE = "<img src=x onerror=\"document.title='mine'\"> [a](javascript:alert(1)) | b"


@pytest.fixture
def settings(prefect_url, tmp_path, monkeypatch):
    from prefect import settings

    monkeypatch.setattr(artifacts, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(seen, "BRIEF_SECONDS", 0.0)
    with settings.temporary_settings({
        settings.PREFECT_API_URL: f"{prefect_url}/api", settings.PREFECT_HOME: tmp_path,
        settings.PREFECT_LOGGING_TO_API_ENABLED: False,  # its sender outlives the test
    }):
        yield


def artifacts_of(run):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        return {each.key: each.id for each in client.read_artifacts(flow_run_filter=chosen)}


def test_a_run_is_seen_in_both_user_interfaces(tab, prefect_url, settings, mock_run) -> None:
    from prefect import flow
    from prefect.context import FlowRunContext

    def look(name, page, until):
        for ui, root in UIS.items():
            tab.visit(f"{prefect_url}{root}{page}", until)
            if folder := os.environ.get("SCREENSHOTS"):
                tab.picture(Path(folder) / f"{name}-{ui}.png")
            yield ui

    def says(*words):
        return " && ".join(f"document.body.innerText.includes({word!r})" for word in words)

    @flow(persist_result=False)
    def shown():
        run = FlowRunContext.get().flow_run.id
        made = {label: manifest.ref for label, manifest in mock_run.manifests.items()}
        with seen.seen() as view:
            request = CROSSMATCH.request()
            view.hear(StageEvent("crossmatch", Moment.RUNNING, request,
                                 progress=Progress(3, 8, "partitions", 40.0)))
            while "stage-crossmatch" not in (there := artifacts_of(run)):
                pass
            list(look("bar", f"/artifacts/artifact/{there['stage-crossmatch']}",
                      says("37", "3 of 8 partitions, about 40 s left")))
            view.hear(StageEvent("crossmatch", Moment.DONE, request, 5, 2.0))
            view.result(ProductVersion(
                name="mock_set", version=3, kind="training_set", artifacts=made, result="export",
                access=Access(), created="2026-01-01T00:00:00Z"), made, mock_run.store,
                lambda path: f"{prefect_url}/results/{path}")
        return run

    run = shown()
    there = artifacts_of(run)
    page = "/artifacts/artifact/{}".format
    list(look("result", page(there["mock-set-result"]),
              says("mock_set@3", "Verdict: Good", "desi_dr1", "Median redshift")))
    links = tab.see("[...document.querySelectorAll('a')].map(a => a.href)")
    assert f"{prefect_url}/results/report.html" in links
    list(look("rows", page(there["mock-set-rows"]), says("rows in", "retrieve desi_dr1")))
    pictures = "[...document.images].filter(i => i.src.startsWith('data:image/svg'))"
    for _ in look("plots", page(there["mock-set-plots"]), f"{pictures}.length == 4"):
        assert tab.see(f"""Promise.all({pictures}.map(i => i.decode().then(
            () => i.naturalWidth > 1 && i.width > 300))).then(all => all.every(Boolean))""")
        assert "base64" not in tab.see("document.body.innerText")
    # The older interface opens its tab of artifacts by hand alone.
    next(look("run", f"/runs/flow-run/{run}?tab=Artifacts",
              says("stage-crossmatch", "mock-set-plots", "done, 5 rows")))

    @flow(persist_result=False)
    def fails():
        with seen.seen():
            raise refuse(Code.TABLE_MISSING_COLUMN, "a.csv", found=HOSTILE, expected="z",
                         remedy="name the column")

    run = fails(return_state=True).state_details.flow_run_id
    for _ in look("problems", page(artifacts_of(run)["problems"]),
                  says("table.missing-column", "name the column", HOSTILE)):
        assert tab.see("document.title") != "mine"
        assert tab.see("[...document.images].filter(i => i.src.endsWith('/x')).length") == 0
        assert tab.see("document.querySelectorAll('a[href^=javascript]').length") == 0
