"""The flow that sees to a run that crashed: it is tried again, a few times, or given up aloud.

Automations start it for every run that becomes Crashed or falls silent
(`deployments/automations.py`). What the run had finished stands in the store, so that a retry
redoes the interrupted stage alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import emit_event
from prefect.states import AwaitingRetry, Crashed
from pydantic import NonNegativeFloat, NonNegativeInt

from flows.settings import GIVEN_UP, SILENCE_SECONDS, SILENT
from pz_tsm_core.model.artifact import Value

#: By this the retries of this policy are told from any other.
AGAIN = "crashed; tried again"


class RecoveryPolicy(Value):
    """How often a run that crashed is tried again, and how soon.

    Parameters
    ----------
    retries : by itself; a person may always retry it from the UI
    delay_seconds : before the first; twice as long before each further one
    hearing_seconds : in which a run that was only silent may say that it lives: some of its looks
        at the server (`flows.attending`)
    """

    retries: NonNegativeInt = 2
    delay_seconds: NonNegativeFloat = 5.0
    hearing_seconds: NonNegativeFloat = 25.0


POLICY = RecoveryPolicy()


@flow(flow_run_name="recover-{run_id}", persist_result=False)
def recover(run_id: UUID, *, silent: bool = False, policy: RecoveryPolicy = POLICY) -> str:
    """Try a crashed run again or give it up; say what was done.

    Parameters
    ----------
    silent : started for the silence of the run, not for its becoming Crashed
    """
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(run_id)
        if silent:
            run = _heard(client, run, policy)
        elif run.state and run.state.message == SILENT:
            return "started twice; the other one sees to it"
        if run.state is None or not run.state.is_crashed():
            return "it goes on"
        tried = retries_of(client.read_flow_run_states(run_id))
        if tried >= policy.retries:
            _give_up(run, tried)
            return f"given up after {tried} retries"
        client.set_flow_run_state(run_id, next_try(policy, tried, datetime.now(UTC)))
        return f"retry {tried + 1} of {policy.retries}"


def retries_of(states: Iterable[State]) -> int:
    """How often a run was tried again by this policy, since a person last did so."""
    tries, ended = 0, False
    for state in sorted(states, key=lambda state: state.timestamp):
        if AGAIN in (state.message or ""):
            tries += 1
        elif state.is_scheduled() and ended:  # else it only waits for its turn
            tries = 0
        ended = state.is_final()
    return tries


def next_try(policy: RecoveryPolicy, tried: int, now: datetime) -> State:
    """The state in which a run waits for its next try."""
    wait = timedelta(seconds=policy.delay_seconds * 2**tried)
    return AwaitingRetry(
        scheduled_time=now + wait, message=f"{AGAIN}, {tried + 1} of {policy.retries}")


def _heard(client: SyncPrefectClient, run: FlowRun, policy: RecoveryPolicy) -> FlowRun:
    """The run, after it had time to say that it lives."""
    if run.state and _is_silent(run.state):
        client.set_flow_run_state(run.id, Crashed(message=SILENT))  # the server could not
        run = client.read_flow_run(run.id)
    if run.state and run.state.is_crashed():
        passed = (datetime.now(UTC) - run.state.timestamp).total_seconds()
        time.sleep(max(0.0, policy.hearing_seconds - passed))
    return client.read_flow_run(run.id)


def _is_silent(state: State) -> bool:
    """Whether a run stands where it stood when it fell silent; else it has said that it lives."""
    age = datetime.now(UTC) - state.timestamp
    return (state.is_running() or state.is_pending()) and age.total_seconds() > SILENCE_SECONDS


def _give_up(run: FlowRun, tried: int) -> None:
    """Let automations hear of it, which tell whom they were told to tell."""
    emit_event(
        GIVEN_UP,
        resource={"prefect.resource.id": f"prefect.flow-run.{run.id}",
                  "prefect.resource.name": run.name},
        payload={"run": run.name, "retries": tried,
                 "reason": run.state.message if run.state else None},
    )
