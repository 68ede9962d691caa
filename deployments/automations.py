"""The automations of a service: what its server does by itself when a run dies.

They are made once and brought up to date by their names, so that setting up twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import CallWebhook, ChangeFlowRunState, DoNothing, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from pydantic import SecretStr

from flows.settings import GIVEN_UP, SILENCE_SECONDS, SILENT, WAITS

#: The work pool of the service.
POOL = "pz-tsm"

#: The deployment that sees to crashed runs.
RECOVER = "recover"

#: The deployment whose failures nobody sits before.
REFRESH = "refresh-compilation"

#: The saved block that knows whom to tell.
NOTIFY = "pz-tsm-notify"

FOUND_DEAD = "pz-tsm: a run without a sign of life has crashed"
TRIED_AGAIN = "pz-tsm: a crashed run is tried again"
NOTICES = "pz-tsm: the server notices what it is asked to"
TOLD = "pz-tsm: a run that was given up is told"
ASKED_FOR = "pz-tsm: a compilation that waits is told"
FAILED = "pz-tsm: a scheduled refresh that failed is told"

#: The event by which a server is asked whether it acts on events (`deployments.judging`).
ASKED = "pz-tsm.service.asked"

#: What a run is expected to say something after.
ALIVE = {f"prefect.flow-run.{each}" for each in (
    "Pending", "Submitting", "InfrastructurePending", "Running", "heartbeat")}

#: What is sent to the operator's address, as chat programs read it; texts may hold any sign.
GIVEN_UP_WORDS = """{"text": {{ ("pz-tsm: run " ~ event.payload.run ~ " was given up after "
    ~ event.payload.retries ~ " retries: " ~ event.payload.reason) | tojson }},
    "event": {{ event.event | tojson }}, "run": {{ event.resource.id | tojson }}}"""
WAITING_WORDS = """{"text": {{ ("pz-tsm: " ~ event.payload.product ~ " waits to be promoted: "
    ~ event.payload.reason) | tojson }},
    "event": {{ event.event | tojson }}, "product": {{ event.payload.product | tojson }}}"""
FAILED_WORDS = """{"text": {{ ("pz-tsm: run " ~ flow_run.name ~ " of " ~ deployment.name
    ~ " failed: " ~ flow_run.state.message) | tojson }},
    "event": {{ event.event | tojson }}, "run": {{ event.resource.id | tojson }}}"""


def set_up_automations(
    client: SyncPrefectClient, webhook: SecretStr | None = None, pool: str = POOL
) -> tuple[str, ...]:
    """Make the automations for all deployments of a pool, or bring them up to date; give the names.

    Parameters
    ----------
    webhook : the address that is told of runs that were given up, refreshes that failed, and
        compilations that wait to be promoted; without one, nobody is
    """
    deployments = client.read_deployments(
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])))
    wanted = [found_dead(deployments), tried_again(deployments), notices()]
    if webhook:
        wanted += tellers(_save(webhook), deployments)
    for automation in wanted:
        _put(client, automation)
    if not webhook:
        _forget(client)
    return tuple(each.name for each in wanted)


def found_dead(deployments: Iterable[DeploymentResponse]) -> AutomationCore:
    """Of whom nothing was heard for `SILENCE_SECONDS` is Crashed; it also ends runs never begun."""
    return AutomationCore(
        name=FOUND_DEAD,
        description="One sign of life may be lost. A process that lives says so within seconds.",
        trigger=_runs_of(
            deployments, posture=Posture.Proactive, after=ALIVE, expect={"prefect.flow-run.*"},
            within=timedelta(seconds=SILENCE_SECONDS)),
        # A server that was started anew holds back what follows an event that it has not seen, for
        # a quarter of an hour: the news that a run has crashed, too. Silence follows nothing.
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=SILENT),
                 _recover(deployments, silent=True)],
    )


def tried_again(deployments: Iterable[DeploymentResponse]) -> AutomationCore:
    """Every run that crashed is given to the flow `recover`."""
    return AutomationCore(
        name=TRIED_AGAIN,
        description="The flow `recover` tries it again, or gives it up.",
        trigger=_runs_of(deployments, posture=Posture.Reactive,
                         expect={"prefect.flow-run.Crashed"}),
        actions=[_recover(deployments)],
    )


def _recover(deployments: Iterable[DeploymentResponse], **more: bool) -> RunDeployment:
    """Start the flow `recover` for the run that a trigger is about."""
    recover = next(each.id for each in deployments if each.name == RECOVER)
    run = {"__prefect_kind": "jinja", "template": "{{ flow_run.id }}"}
    return RunDeployment(deployment_id=recover, parameters={"run_id": run, **more})


def notices() -> AutomationCore:
    """Something harmless, by which it is seen that the server acts on events."""
    return AutomationCore(
        name=NOTICES,
        description="Asked by `python -m deployments.judging`; it does nothing else.",
        trigger=EventTrigger(expect={ASKED}),
        actions=[DoNothing()],
    )


def tellers(block: UUID, deployments: Iterable[DeploymentResponse]) -> list[AutomationCore]:
    """Somebody is told of whatever asks for a person."""
    refreshes = [each for each in deployments if each.name == REFRESH]
    failed = _runs_of(refreshes, posture=Posture.Reactive, expect={"prefect.flow-run.Failed"})
    return [
        told(TOLD, _each(GIVEN_UP), GIVEN_UP_WORDS, block),
        told(ASKED_FOR, _each(WAITS), WAITING_WORDS, block),
        *([told(FAILED, failed, FAILED_WORDS, block)] if refreshes else []),
    ]


def told(name: str, trigger: EventTrigger, words: str, block: UUID) -> AutomationCore:
    """Somebody is told of every event of a kind."""
    return AutomationCore(
        name=name,
        description=f"Sent to the address in the block {NOTIFY}.",
        trigger=trigger,
        actions=[CallWebhook(block_document_id=block, payload=words)],
    )


def _each(event: str) -> EventTrigger:
    return EventTrigger(expect={event}, for_each={"prefect.resource.id"})


def _runs_of(deployments: Iterable[DeploymentResponse], **how: Any) -> EventTrigger:
    """A trigger for each run of these deployments by itself; runs of others beat otherwise."""
    ids = [f"prefect.deployment.{each.id}" for each in deployments]
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification(
            {"prefect.resource.role": "deployment", "prefect.resource.id": ids}),
        for_each={"prefect.resource.id"}, **how)


def _save(webhook: SecretStr) -> UUID:
    """Keep the address where the server finds it."""
    return cast("UUID", Webhook(url=webhook).save(NOTIFY, overwrite=True))  # no loop runs here


def _put(client: SyncPrefectClient, automation: AutomationCore) -> None:
    known = client.read_automations_by_name(automation.name)
    if known:
        # Prefect sends what was set alone; its server wants all of it, and no owner.
        whole = AutomationCore.model_validate(
            automation.model_dump(mode="json", exclude={"owner_resource"}))
        client.update_automation(known[0].id, whole)
    else:
        client.create_automation(automation)


def _forget(client: SyncPrefectClient) -> None:
    """Tell nobody any more, and keep no address."""
    for name in (TOLD, ASKED_FOR, FAILED):
        for automation in client.read_automations_by_name(name):
            client.delete_automation(automation.id)
    with suppress(ValueError):  # there is none
        Webhook.delete(NOTIFY)
