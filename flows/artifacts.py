"""What Prefect shows of a run, kept up to date by a thread that never holds the run up.

Prefect calls them artifacts, too; those of the store have nothing to do with them. A server that
is away costs pictures, and no result.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

#: A person cannot read faster, and every call is a row in Prefect's table of events.
EVERY_SECONDS = 2.0
#: What changes in words alone is told so often.
WORDS_SECONDS = 30.0
#: At the end of a run, what was not sent by then is given up.
FLUSH_SECONDS = 5.0
#: For one answer of the server.
ANSWER_SECONDS = 3.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """An artifact of Prefect's as it should stand.

    Parameters
    ----------
    key : lower-case letters, digits and single dashes; one of the run has it
    data : per cent for a progress, else text: Markdown, or a table as JSON
    description : Markdown
    moment : when it changes, the words are sent at once
    task_run : to which it belongs, beside the run
    """

    key: str
    type: Literal["progress", "markdown", "table"]
    data: str | float
    description: str = ""
    moment: str = ""
    task_run: UUID | None = None


@dataclass(frozen=True)
class _Sent:
    """An artifact as the server has it."""

    id: UUID
    shown: Shown
    when: float

    def serves(self, shown: Shown) -> bool:
        """Whether the server need not be told of a newer state yet."""
        before = self.shown
        if (before.data, before.moment) != (shown.data, shown.moment):
            return False
        return before.description == shown.description or \
            time.monotonic() - self.when < WORDS_SECONDS


class Post:
    """Sends what changes of a run's artifacts.

    Parameters
    ----------
    run : to which they belong
    ask : gives all as they should stand; called from the thread that sends
    """

    def __init__(self, run: UUID, ask: Callable[[], Iterable[Shown]]) -> None:
        self._run, self._ask = run, ask
        self._sent: dict[str, _Sent] = {}
        self._closing, self._warned = threading.Event(), False
        # In the context of the flow, whose settings say where the server is.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._work,), name="artifacts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is left, unless that takes too long."""
        self._closing.set()
        self._thread.join(FLUSH_SECONDS)

    def _work(self) -> None:
        from prefect.client.orchestration import get_client
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        # The next round is the next try: waiting for this one would outlast the run.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), \
                get_client(sync_client=True, httpx_settings={"timeout": ANSWER_SECONDS}) as client:
            while not self._closing.wait(EVERY_SECONDS):
                self._send_all(client)
            self._send_all(client)

    def _send_all(self, client: SyncPrefectClient) -> None:
        """Send everything that changed; leave the rest to the next round when one fails."""
        try:
            for shown in self._ask():
                sent = self._sent.get(shown.key)
                if not (sent and sent.serves(shown)):
                    self._sent[shown.key] = _Sent(self._send(client, shown, sent), shown,
                                                  time.monotonic())
        except Exception as error:  # noqa: BLE001 - what is only shown must never fail a run
            if not self._warned:
                self._warned = True
                _LOG.warning("Prefect cannot show how the run goes: %s", error)

    def _send(self, client: SyncPrefectClient, shown: Shown, sent: _Sent | None) -> UUID:
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

        if sent:
            client.update_artifact(
                sent.id, ArtifactUpdate(data=shown.data, description=shown.description))
            return sent.id
        return client.create_artifact(ArtifactCreate(
            key=shown.key, type=shown.type, data=shown.data, description=shown.description,
            flow_run_id=self._run, task_run_id=shown.task_run)).id
