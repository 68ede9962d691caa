"""A refresh that is sound becomes latest by itself; one that is not waits for a person."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from prefect import tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.states import Completed, Crashed, Failed, Pending, Running, Scheduled

from flows import refresh_compilation as refresh
from flows import serving
from flows.maintain_store import maintain_store
from flows.offering import REQUESTS
from flows.settings import service_environment
from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.guard import GuardPolicy
from pz_tsm_core.retrieval import fetch
from pz_tsm_core.service import (
    FetchRequest,
    MaintenanceRequest,
    RefreshRequest,
    choices_of,
    load_site,
)
from pz_tsm_core.store import open_store

STRICT = GuardPolicy(survey_rows_few=0, survey_rows_change=0.1)


@pytest.fixture
def published(define, web, site, folder, store):
    """Let the survey be published with so many rows, and bring it into the store."""
    define("alpha")
    whole = web.files["alpha.csv"].decode().splitlines(keepends=True)

    def rows(number: int) -> None:
        web.files["alpha.csv"] = "".join(whole[:1 + number]).encode()
        fetch(["alpha"], survey_path=folder / "surveys", store=open_store(store), accept=True)

    return rows


@pytest.fixture
def told(prefect_client_settings, monkeypatch):
    """What was said to whoever listens."""
    events = []
    monkeypatch.setattr(serving, "emit_event",
                        lambda event, **more: events.append((event, more["payload"])))
    return events


def refreshed(**more):
    request = RefreshRequest(name="specz", surveys=("alpha",), fetch="never", guard=STRICT, **more)
    return refresh.refresh_compilation(request)


def test_a_refresh_becomes_latest_only_if_its_figures_pass(
    published, told, store, site
) -> None:
    products = open_store(store).products
    published(4)
    refreshed()
    assert str(products.get("specz")) == "specz@1"
    refreshed()  # nothing has changed
    assert [str(each) for each in products.versions("specz")] == ["specz@1"]
    assert told == []

    published(2)
    refreshed()
    assert str(products.get("specz")) == "specz@1"
    handed_over = load_site(site).results.directory + "/service/specz"
    assert sorted(path.name for path in Path(handed_over).iterdir()) == ["1", "2"]
    waiting, = products.candidates("specz")
    (event, payload), = told
    assert (event, payload["product"]) == ("pz-tsm.product.waits", "specz@2")
    assert "alpha" in payload["reason"]
    assert choices_of(load_site(site)).of("candidates") == ("specz@2",)

    refreshed()  # asked again, it is the same candidate
    assert [str(each) for each in products.versions("specz")] == ["specz@2", "specz@1"]
    maintain_store(MaintenanceRequest(promote=str(waiting), verify="all", owner="carla"))
    assert str(products.get("specz")) == "specz@2"
    assert products.get("specz").promoted.by == "carla"
    assert choices_of(load_site(site)).of("candidates") == ()


def test_a_run_shows_why_its_result_waits_and_how_to_decide(published, told) -> None:
    published(4)
    refreshed()
    published(1)
    state = refresh.refresh_compilation(
        RefreshRequest(name="specz", surveys=("alpha",), fetch="never", guard=STRICT),
        return_state=True)
    assert state.is_completed()
    with get_client(sync_client=True) as client:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
        shown = {each.key: each.data for each in client.read_artifacts(flow_run_filter=chosen)}
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert "tsm promote specz@2" in shown["specz-result"]
    assert told[0][1]["reason"].split(";")[0] in shown["specz-result"]
    assert {"owner:service", "by:request"} <= set(run.tags)


def test_a_refresh_that_cannot_end_well_asks_nobody(published, told, store, monkeypatch) -> None:
    published(4)
    sent = []
    monkeypatch.setattr(refresh, "fetch_at_the_edge",
                        lambda request, origin: sent.append(request))
    products = open_store(store).products
    native = products.get("alpha").artifacts
    products.add("hers", "compilation", native, next(iter(native)), owner="alice")
    request = RefreshRequest(name="hers", surveys=("alpha",), guard=STRICT)
    with pytest.raises(TsmError, match="alice"):
        refresh.refresh_compilation(request)
    assert sent == []
    refresh.refresh_compilation(request.model_copy(update={"name": "specz"}))
    assert [each.surveys for each in sent] == [("alpha",)]


def test_a_retrieval_for_a_scheduled_refresh_says_that_it_was_scheduled(
    published, told, monkeypatch
) -> None:
    published(4)
    asked = []
    monkeypatch.setattr(refresh, "fetch_at_the_edge",
                        lambda request, origin: asked.append(origin))
    request = RefreshRequest(name="specz", surveys=("alpha",))
    refresh.refresh_compilation(request)
    with tags("by:schedule"):  # as a run that was tried again has it
        refresh.refresh_compilation(request)
    assert asked == ["by:request", "by:schedule"]


def test_what_nobody_begins_to_retrieve_fails_the_refresh_in_words(retrievals) -> None:
    retrievals(1, Run("late", Scheduled()))
    with pytest.raises(TransientError, match="worker of the queue `edge`"):
        refresh.fetch_at_the_edge(FetchRequest(surveys=("alpha",)), "by:request")


def test_a_retrieval_that_has_begun_is_waited_for_as_long_as_it_takes(
    retrievals, monkeypatch
) -> None:
    states = iter([Running(), Pending(), Running(), Completed()])
    asked = retrievals(1)
    monkeypatch.setattr(refresh, "run_deployment",
                        lambda *_, timeout, **__: Run("long", next(states)))
    refresh.fetch_at_the_edge(FetchRequest(surveys=("alpha",)), "by:request")
    assert next(states, None) is None
    assert asked == []


def test_what_is_withdrawn_is_handed_over_no_more(published, told, store, site) -> None:
    for rows in (4, 2):
        published(rows)
        refreshed()
    handed_over = Path(load_site(site).results.directory) / "service" / "specz"
    (handed_over / "7").mkdir()  # of no version
    products = open_store(store).products
    products.withdraw("specz@2")
    maintain_store(MaintenanceRequest(dry_run=True))
    assert sorted(path.name for path in handed_over.iterdir()) == ["1", "2", "7"]
    maintain_store(MaintenanceRequest())
    assert sorted(path.name for path in handed_over.iterdir()) == ["1", "7"]
    assert (handed_over / "1" / "report.html").exists()


def test_damage_is_told_before_anything_is_deleted(published, told, store) -> None:
    published(4)
    refreshed()
    file = next(store.glob("objects/combine/*/*/galaxies.parquet"))
    file.chmod(0o644)
    file.write_bytes(b"noise")
    with pytest.raises(TsmError) as refused:
        maintain_store(MaintenanceRequest(verify="latest"))
    assert set(refused.value.codes) == {Code.STORE_CORRUPT}


def test_every_deployment_that_people_see_has_a_form() -> None:
    text = (Path(__file__).parents[2] / "deployments" / "prefect.yaml").read_text("utf-8")
    declared = {each["name"]: each for each in yaml.safe_load(text)["deployments"]}
    assert set(declared) == {*REQUESTS, "recover"}
    for each in declared.values():
        job = each["work_pool"]["job_variables"]
        assert job["stream_output"] is False
        assert job["env"].items() <= service_environment().items()


class Run(NamedTuple):
    """What a retrieval looks like to whoever waits for it."""

    name: str
    state: State
    id: int = 0


@pytest.fixture
def retrievals(monkeypatch):
    """Let retrievals end so, by the number in their keys; give the keys that are asked for."""
    asked = []

    def end(times, *runs):
        def run_deployment(name, idempotency_key, **_):
            asked.append(int(idempotency_key.rpartition("-")[2]))
            return runs[asked[-1] - 1]

        asked.clear()
        monkeypatch.setattr(refresh, "run_deployment", run_deployment)
        monkeypatch.setattr(refresh, "_is_tried_again", lambda run: len(asked) < 3)
        monkeypatch.setattr(refresh.runtime.flow_run, "run_count", times, raising=False)
        return asked

    return end


GOOD, BAD = Run("good", Completed()), Run("bad", Failed())


@pytest.mark.parametrize(("times", "runs", "keys"), [
    (1, [GOOD], [1]),  # nothing has been asked for before
    (3, [GOOD], [1]),  # begun again, after the retrieval
    (2, [BAD, GOOD], [1, 2]),  # it failed, and somebody retried the refresh
    (3, [BAD, BAD, GOOD], [1, 2, 3]),
])
def test_a_retrieval_is_asked_for_once_and_again_only_after_it_has_failed(
    times, runs, keys, retrievals
) -> None:
    asked = retrievals(times, *runs)
    refresh.fetch_at_the_edge(FetchRequest(surveys=("alpha",)), "by:request")
    assert asked == keys


@pytest.mark.parametrize("times", [1, 2])
def test_a_retrieval_that_fails_this_time_fails_the_refresh(times, retrievals) -> None:
    asked = retrievals(times, BAD, BAD, GOOD)
    with pytest.raises(TransientError, match="Failed"):
        refresh.fetch_at_the_edge(FetchRequest(surveys=("alpha",)), "by:request")
    assert asked == list(range(1, times + 1))


def test_a_retrieval_that_crashed_is_waited_for_while_it_is_tried_again(retrievals) -> None:
    asked = retrievals(1, Run("dead", Crashed()))
    with pytest.raises(TransientError, match="Crashed"):
        refresh.fetch_at_the_edge(FetchRequest(surveys=("alpha",)), "by:request")
    assert asked == [1, 1, 1]
