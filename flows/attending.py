"""A run of a deployment and its server, kept of one mind.

Nobody sits before such a run. A signal ends its process within seconds, threads or not; a server
that was away may take it for dead, and is told better; a run that was given to another process, or
cancelled while no worker was there to see to it, ends here (docs/adr/025).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import FlowRunContext
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled, Running

from flows.leaving import leave_on_interrupt
from flows.settings import SILENT

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

#: Seconds between two looks at what the server says of the run.
LOOK_SECONDS = 10.0

#: One a second: what happens while the server is away is told once it is back.
RECONNECTIONS = 600


class Verdict(StrEnum):
    """What the state that a server has of a run means to the process that carries it out."""

    GO_ON = "go on"
    ALIVE = "alive"  # it was taken for dead, and is not
    CANCELLED = "cancelled"
    REPLACED = "replaced"  # another process carries it out, or will
    OVER = "over"


@contextmanager
def attended() -> Iterator[None]:
    """Attend to a run of a deployment as long as its process lives; leave any other alone."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        yield
        return
    EventsWorker.set_client_override(PrefectEventsClient, reconnection_attempts=RECONNECTIONS)
    threading.Thread(target=copy_context().run, args=(_Watch(run.id).keep,), daemon=True).start()
    with leave_on_interrupt(lambda: None, "told to end; what is finished stays"):
        yield


def verdict(state: State, attempt: int, mine: int) -> Verdict:
    """Say what to make of a state.

    Parameters
    ----------
    attempt : how often the run has been running, as the server has counted
    mine : the same, when this process began
    """
    if attempt > mine or state.is_scheduled() or state.is_pending():
        return Verdict.REPLACED
    if state.is_cancelling():
        return Verdict.CANCELLED
    if state.is_cancelled():  # by somebody else: no end of this run is one
        return Verdict.REPLACED
    if state.is_crashed():
        return Verdict.ALIVE if state.message == SILENT else Verdict.REPLACED
    return Verdict.OVER if state.is_final() else Verdict.GO_ON


class _Watch:
    """Looks from time to time what the server says of a run."""

    def __init__(self, run_id: UUID) -> None:
        self._run_id = run_id
        self._mine: int | None = None
        self._last = Verdict.GO_ON

    def keep(self) -> None:
        """Look until the run is over; the thread dies with the process."""
        # Who looks again soon needs no client that waits for minutes.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            while self._last is not Verdict.OVER:
                with suppress(httpx.HTTPError):  # no answer says nothing about the run
                    self._look()
                time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(self._run_id)
            if run.state is None:
                return
            if self._mine is None:
                self._mine = run.run_count
            before, self._last = self._last, verdict(run.state, run.run_count, self._mine)
            if self._last is Verdict.ALIVE:
                self._mine = self._tell_alive(client).run_count
            elif self._last is Verdict.REPLACED:
                os._exit(0)  # nothing that this process could say is of use
            elif self._last is before is Verdict.CANCELLED:  # a worker would have seen to it
                client.set_flow_run_state(self._run_id, Cancelled(), force=True)
                os._exit(0)

    def _tell_alive(self, client: SyncPrefectClient) -> FlowRun:
        client.set_flow_run_state(
            self._run_id, Running(message="it was silent, not dead"), force=True)
        return client.read_flow_run(self._run_id)
