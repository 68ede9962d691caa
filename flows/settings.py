"""Prefect settings that every local run shares, and those of a service."""

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

#: Seconds between two signs of life of a run; Prefect allows no fewer.
HEARTBEAT_SECONDS = 30

#: Without a sign of life for so many seconds, a run is taken for dead: two may be lost.
SILENCE_SECONDS = 80

#: The state's message of a run that was taken for dead.
SILENT = f"no sign of life for {SILENCE_SECONDS} s"

#: The event that tells of a run which crashed once more than it is tried again.
GIVEN_UP = "pz-tsm.run.given-up"

#: Variables of the job of every deployment. What a run logs goes to the server, what it prints goes
#: nowhere: a pipe to the worker would break with it, and the first word after that end the run.
JOB = {"stream_output": False}

#: What every process of a service has: server, worker and the runs that it starts.
SERVICE = PLAIN_RESULTS | {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
    # A request is repeated after 2, 4, 8 ... 128 s: the server may be away for four minutes.
    "PREFECT_CLIENT_MAX_RETRIES": "7",
    # What a server answers while its database is away.
    "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
}

#: What the server needs besides: no word to anybody, no banners, no run that is cancelled for ever.
SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # Expectations are swept, judged or not, so many seconds after their end: a server that was away
    # has more of them than it judges at once.
    "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "PT15M",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS": "60",
}
