"""Prefect settings that every local run shares, and those of a service."""

from __future__ import annotations

from pathlib import Path

#: Prefect's console repeats, with tracebacks, what `tsm` tells in its own words; whoever wants to
#: read it sets these variables otherwise. A server of somebody else still receives every log.
QUIET = {
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_DEBUG_LEVEL": "CRITICAL",  # of Prefect's own threads
}

#: Never a pickle on disk, also where no decorator says so.
PLAIN_RESULTS = {
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
}

#: Without a sign of life for so many seconds, a run is taken for dead: one may be lost.
SILENCE_SECONDS = 80

#: The state's message of a run that was taken for dead.
SILENT = f"no sign of life for {SILENCE_SECONDS} s"

#: The event that tells of a run which crashed once more than it is tried again.
GIVEN_UP = "pz-tsm.run.given-up"

#: The event of a compilation that waits to be promoted.
WAITS = "pz-tsm.product.waits"

#: What server, worker and runs of a service have in their environment.
SERVICE_FILE = Path(__file__).parents[1] / "infra" / "service.env"


def service_environment() -> dict[str, str]:
    """The settings that every process of a service has, as `infra/service` reads them."""
    lines = SERVICE_FILE.read_text("utf-8").splitlines()
    told = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in told}
