"""Every part of the service killed while a run stands in the middle, and the run's right end."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.events.schemas.events import Event, Resource
from prefect.states import Crashed, Failed, Scheduled
from pydantic import SecretStr

from deployments.automations import NOTICES, REFRESH, notices, set_up_automations
from deployments.judging import judges
from flows.recover import RecoveryPolicy
from flows.settings import SILENT, WAITS
from pz_tsm_core.model.stages import STAGES as ALL_STAGES
from pz_tsm_core.store.faults import KILL
from tests.conftest import Done
from tests.service.deployed import Service
from tests.service.receiver import Receiver
from tests.service.standing import FIRST, UNTIL_THERE, Standing, Start
from tests.waiting import wait_for

#: Nobody hurries, and other tests want the machine too.
pytestmark = pytest.mark.timeout(600)

VICTIMS = ("worker", "server", "postgres", "scheduler", "dask-worker", "flow")
ON_DASK = ("scheduler", "dask-worker")
POINTS = ("standardize", "combine", "neighbors", "crossmatch", "split")
STAGES = [stage.name for stage in ALL_STAGES]


# What is done to each


def lose_flow(run: Standing) -> int:
    for process in run.service.processes(run.run_id):
        process.kill()
    return 1


def lose_worker(run: Standing) -> int:
    """Its run goes on without it; the next worker leaves it alone."""
    worker = run.service.rig.worker
    if worker.running.poll() is None:
        worker.kill()
    run.go_on()
    worker.start()
    worker.wait()
    return 0


def lose_server(run: Standing) -> int:
    """The run goes on while the server is away."""
    run.service.rig.server.kill()
    run.go_on()
    run.service.rig.server.start()
    run.service.rig.server.wait()
    assert judges(run.service.client)
    return 0


def lose_postgres(run: Standing) -> int:
    postgres = run.service.rig.postgres
    postgres.kill(signal.SIGINT)  # PostgreSQL's own fast shutdown: whoever is connected is cut
    run.go_on()
    postgres.start()
    postgres.wait()
    assert judges(run.service.client)
    return 0


def lose_scheduler(run: Standing) -> int:
    """Its worker ends with it, and is started again by whoever supervises it."""
    rig = run.service.rig
    search_on_dask(run)
    rig.scheduler.kill()
    rig.let_dask_go()
    rig.dask_worker.running.wait(timeout=60)
    rig.scheduler.start()
    rig.scheduler.wait()
    rig.dask_worker.start()
    return 0


def lose_dask_worker(run: Standing) -> int:
    search_on_dask(run)
    run.service.rig.dask_worker.kill()
    run.service.rig.dask_worker.start()
    return 0


def search_on_dask(run: Standing) -> None:
    """Let a run go on until Dask searches for it, if that is still to come."""
    searches = STAGES.index(run.stage) < STAGES.index("neighbors")
    if searches:
        run.service.rig.hold_dask()
    run.go_on()
    if searches:
        wait_for("a search on Dask", run.service.rig.held.exists, UNTIL_THERE)


LOSE = dict(zip(VICTIMS, (lose_worker, lose_server, lose_postgres, lose_scheduler,
                          lose_dask_worker, lose_flow), strict=True))


def lose_machine(run: Standing) -> int:
    """Worker and process at once: nobody is left to tell of it."""
    run.service.rig.worker.kill()
    for process in run.service.processes(run.run_id):
        process.kill()
    return 1


def test_a_run_outlives_the_death_of_every_part(start: Start, mock_run: Done) -> None:
    lost_with_all = start(FIRST)
    runs = {victim: start(FIRST, on_dask=victim in ON_DASK) for victim in VICTIMS[:-1]}
    for run in (lost_with_all, *runs.values()):
        run.stands()
    lose_machine(lost_with_all)
    again = {victim: LOSE[victim](run) for victim, run in runs.items()}
    runs["flow"] = start(FIRST)  # under the new worker, which tells of its death
    runs["flow"].stands()
    again["flow"] = lose_flow(runs["flow"])
    for victim, run in runs.items():
        run.check(mock_run, again=again[victim])
    lost_with_all.check(mock_run, again=1)
    assert SILENT in lost_with_all.reasons
    assert SILENT not in runs["flow"].reasons


def test_a_run_that_was_only_silent_says_that_it_lives(start: Start, mock_run: Done) -> None:
    run = start(FIRST)
    run.stands()
    run.service.client.set_flow_run_state(run.run_id, Crashed(message=SILENT))
    run.service.until(run.run_id, "Running", seconds=RecoveryPolicy().hearing_seconds)
    run.go_on()
    run.check(mock_run, again=0)
    assert "AwaitingRetry" not in run.service.history(run.run_id)


@pytest.mark.prove
def test_a_run_that_dies_each_time_is_given_up_aloud(
    start: Start, receiver: Receiver, service: Service
) -> None:
    set_up_automations(service.client, SecretStr(receiver.url))
    run = start(FIRST, **{KILL: "computed.retrieve"})
    told = receiver.told.get(timeout=3 * UNTIL_THERE)
    assert str(run.run_id) in told["run"]
    assert "after 2 retries" in told["text"]
    history = service.history(run.run_id)
    assert history.count("Crashed") == 3
    assert history[-1] == "Crashed"
    names = set_up_automations(service.client)  # without an address, nobody is told any more
    assert {each.name for each in service.client.read_automations()} == set(names)


def test_a_compilation_that_waits_is_told_whatever_its_reason_holds(
    receiver: Receiver, service: Service
) -> None:
    set_up_automations(service.client, SecretStr(receiver.url))
    assert judges(service.client)  # what was just made is known to whoever listens
    reason = 'no file "a"\nand {{ no }} template'
    event = Event(event=WAITS, resource=Resource({"prefect.resource.id": "pz-tsm.product.specz"}),
                  payload={"product": "specz@2", "reason": reason})
    service.client.request("POST", "/events", json=[event.model_dump(mode="json")])
    told = receiver.told.get(timeout=60)
    assert told["text"] == f"pz-tsm: specz@2 waits to be promoted: {reason}"
    assert told["product"] == "specz@2"
    set_up_automations(service.client)


def test_a_refresh_that_fails_is_told(receiver: Receiver, service: Service) -> None:
    with service.another(REFRESH) as deployment:
        set_up_automations(service.client, SecretStr(receiver.url))
        assert judges(service.client)
        run = service.client.create_flow_run_from_deployment(
            deployment, parameters={"recipe": "", "store": ""},
            state=Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1)))
        why = 'fetch.refused: "deep_field"\n  what to do: {{ wait }}'
        service.client.set_flow_run_state(run.id, Failed(message=why), force=True)
        told = receiver.told.get(timeout=60)
    assert told["text"] == f"pz-tsm: run {run.name} of {REFRESH} failed: {why}"
    assert told["run"] == f"prefect.flow-run.{run.id}"
    set_up_automations(service.client)


def test_a_server_whose_automations_are_deaf_is_told_from_one_that_is_well(
    service: Service,
) -> None:
    assert judges(service.client)
    asked, = service.client.read_automations_by_name(NOTICES)
    service.client.pause_automation(asked.id)
    assert judges(service.client, seconds=3) is None, "somebody paused it"
    service.client.resume_automation(asked.id)
    deaf = {**notices().model_dump(mode="json", exclude={"owner_resource"}),
            "trigger": EventTrigger(expect={"nothing"}).model_dump(mode="json")}
    service.client.update_automation(asked.id, AutomationCore.model_validate(deaf))
    assert judges(service.client, seconds=3) is False
    set_up_automations(service.client)
    assert judges(service.client)


@pytest.mark.prove
@pytest.mark.parametrize("stage", [stage for stage in POINTS if stage != FIRST])
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_outlives_a_death_at_any_point(
    victim: str, stage: str, start: Start, mock_run: Done
) -> None:
    run = start(stage, on_dask=victim in ON_DASK)
    run.stands()
    run.check(mock_run, again=LOSE[victim](run))
