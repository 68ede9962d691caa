"""Whether a server still acts on what it hears: `python -m deployments.judging` for a supervisor.

A Prefect server that starts while its database is away for a moment answers from then on, and its
automations are deaf: the part of it that listens has ended, and nobody starts it again. So it is
asked to notice something. Exit code 10 means: start the server anew; any other but 0, that
nothing can be said.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventResourceFilter,
)
from prefect.events.schemas.events import Event, Resource

from deployments.automations import ASKED, NOTICES

#: For a server to notice on a busy machine.
SECONDS = 60.0


def judges(client: SyncPrefectClient, seconds: float = SECONDS) -> bool | None:
    """Ask a server to notice an event; whether it does in time; None where it need not."""
    known = client.read_automations_by_name(NOTICES)
    if not known or not known[0].enabled:  # never told to, or paused by somebody
        return None
    began, end = datetime.now(UTC), time.monotonic() + seconds
    noticed = EventFilter(
        occurred=EventOccurredFilter(since=began, until=began + timedelta(hours=1)),
        event=EventNameFilter(name=["prefect.automation.triggered"]),
        resource=EventResourceFilter(id=[f"prefect.automation.{known[0].id}"]))
    _tell(client)
    while not _has(client, noticed):
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def _tell(client: SyncPrefectClient) -> None:
    event = Event(event=ASKED, resource=Resource({"prefect.resource.id": "pz-tsm.service"}))
    client.request("POST", "/events", json=[event.model_dump(mode="json")])


def _has(client: SyncPrefectClient, wanted: EventFilter) -> bool:
    answer = client.request("POST", "/events/filter", json={
        "filter": wanted.model_dump(mode="json", exclude_unset=True), "limit": 1})
    return bool(answer.json()["events"])


#: Exit codes by what was found; Python itself ends with 1 after a mistake.
EXIT = {True: 0, False: 10, None: 2}


def main() -> int:
    """Exit code: 0 when the server acts on what it hears, 10 when not, 2 when nobody can say."""
    try:
        with get_client(sync_client=True) as client:
            return EXIT[judges(client)]
    except httpx.HTTPError:
        return EXIT[None]


if __name__ == "__main__":
    sys.exit(main())
