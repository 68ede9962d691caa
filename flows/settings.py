"""Prefect settings that every local run shares."""

from __future__ import annotations

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
