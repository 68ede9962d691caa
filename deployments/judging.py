"""Whether a server still acts on what it hears: `python -m deployments.judging` for a supervisor.

A Prefect server that starts while its database is away for a moment answers from then on, and its
automations are deaf: the part of it that listens has ended, and nobody starts it again. So it is
asked to notice something. Exit code 1 means: start the server anew.
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


def judges(client: SyncPrefectClient, seconds: float = SECONDS) -> bool:
    """Ask a server to notice an event; say whether it does so in time."""
    known = client.read_automations_by_name(NOTICES)
    if not known:
        return False
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


def main() -> int:
    """Exit code: 0 when the server acts on what it hears, 1 when it must be started anew."""
    try:
        with get_client(sync_client=True) as client:
            return 0 if judges(client) else 1
    except httpx.HTTPError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
