"""The automations of a service: what its server does by itself when a run dies.

They are made once and brought up to date by their names, so that setting up twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
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

from flows.settings import GIVEN_UP, SILENCE_SECONDS, SILENT

#: The work pool of the service.
POOL = "pz-tsm"

#: The deployment that sees to crashed runs.
RECOVER = "recover"

#: The saved block that knows whom to tell.
NOTIFY = "pz-tsm-notify"

FOUND_DEAD = "pz-tsm: a run without a sign of life has crashed"
TRIED_AGAIN = "pz-tsm: a crashed run is tried again"
NOTICES = "pz-tsm: the server notices what it is asked to"
TOLD = "pz-tsm: a run that was given up is told"

#: The event by which a server is asked whether it acts on events (`deployments.judging`).
ASKED = "pz-tsm.service.asked"

#: What a run is expected to say something after.
ALIVE = {f"prefect.flow-run.{each}" for each in (
    "Pending", "Submitting", "InfrastructurePending", "Running", "heartbeat")}

#: What is sent to the operator's address.
WORDS = ('{"text": "pz-tsm: run {{ event.payload.run }} was given up after '
         '{{ event.payload.retries }} retries: {{ event.payload.reason }}", '
         '"event": "{{ event.event }}", "run": "{{ event.resource.id }}"}')


def set_up_automations(
    client: SyncPrefectClient, webhook: SecretStr | None = None, pool: str = POOL
) -> tuple[str, ...]:
    """Make the automations for all deployments of a pool, or bring them up to date; give the names.

    Parameters
    ----------
    webhook : the address that is told of runs that were given up; without one, nobody is
    """
    deployments = client.read_deployments(
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])))
    wanted = [found_dead(deployments), tried_again(deployments), notices()]
    if webhook:
        wanted.append(told(_save(webhook)))
    for automation in wanted:
        _put(client, automation)
    if not webhook:
        _remove(client, TOLD)
    return tuple(each.name for each in wanted)


def found_dead(deployments: Iterable[DeploymentResponse]) -> AutomationCore:
    """Of whom nothing was heard for `SILENCE_SECONDS` is Crashed; it also ends runs never begun."""
    return AutomationCore(
        name=FOUND_DEAD,
        description="Two signs of life may be lost. A process that lives says so within seconds.",
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


def told(block: UUID) -> AutomationCore:
    """Somebody is told of every run that was given up."""
    return AutomationCore(
        name=TOLD,
        description=f"Sent to the address in the block {NOTIFY}.",
        trigger=EventTrigger(expect={GIVEN_UP}, for_each={"prefect.resource.id"}),
        actions=[CallWebhook(block_document_id=block, payload=WORDS)],
    )


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


def _remove(client: SyncPrefectClient, name: str) -> None:
    for automation in client.read_automations_by_name(name):
        client.delete_automation(automation.id)
