"""The flow that makes the compilation anew, and hands it out as `latest` only if it is sound."""

from __future__ import annotations

import time
from typing import cast

from prefect import flow, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from flows.order import compilation
from flows.serving import serving
from flows.submission import task_runner
from pz_tsm_core.errors import Code, Problem, TransientError
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.service import FetchRequest, RefreshRequest
from pz_tsm_core.service.requests import SERVICE

#: Flow and deployment that retrieve, on a machine with a way out.
EDGE = "fetch-surveys/fetch-surveys"
#: In which somebody must have begun a retrieval; it may take as long as it takes.
BEGIN_SECONDS = 12 * 3600.0
#: In which a retrieval that crashed is tried again, if it is.
RECOVERY_SECONDS = 60.0


@flow(name="refresh-compilation", task_runner=task_runner(), persist_result=False)
def refresh_compilation(request: RefreshRequest) -> ArtifactRef:
    """Fetch what has changed, compile it, compare it with the former and promote it, or not."""
    with serving(request.owner, principal=SERVICE) as here:
        if request.fetch != "never":
            here.check(request)
            fetch_at_the_edge(FetchRequest(
                surveys=request.surveys, policy=request.fetch, owner=request.owner), here.origin)
        return here.make(compilation, request).ref


def fetch_at_the_edge(request: FetchRequest, origin: str) -> None:
    """Have surveys fetched by a worker that has a way out, and wait for it.

    However often this run is begun again, it asks for one retrieval, and for another one only where
    that of an earlier time has failed. The server counts the times: no clock has a say.

    Parameters
    ----------
    origin : the tag that says how this run began

    Raises
    ------
    TransientError
        `service.refused` when the retrieval did not end well, or nobody begins it.
    """
    times = max(1, runtime.flow_run.run_count)
    for time_ in range(1, times + 1):
        run = _retrieved(request, f"{runtime.flow_run.id}-fetch-{time_}", origin)
        if run.state is not None and run.state.is_completed():
            return
    stands = run.state.name if run.state else "unknown"
    begun = run.state is not None and not run.state.is_scheduled()
    found = f"run {run.name} {'ended as' if begun else 'is still'} {stands}"
    first = "see why in its own page" if begun else "start a worker of the queue `edge`"
    raise TransientError(Problem(Code.SERVICE_REFUSED, EDGE, found, "a retrieval that is completed",
                                 f"{first}; then retry this run"))


def _retrieved(request: FetchRequest, key: str, origin: str) -> FlowRun:
    """The run of that key, which begins now or has begun before, after its end.

    One that nobody begins is given up: a refresh that waits holds a place among the runs that work.
    """
    while True:
        run = cast("FlowRun", run_deployment(  # no coroutine, for a flow that is none
            EDGE, parameters={"request": request.model_dump(mode="json")}, idempotency_key=key,
            poll_interval=2, tags=[origin], timeout=BEGIN_SECONDS,
        ))
        goes_on = run.state is not None and (
            run.state.is_running() or run.state.is_pending()
            or (run.state.is_crashed() and _is_tried_again(run)))
        if not goes_on:
            return run


def _is_tried_again(crashed: FlowRun) -> bool:
    """Whether a run gets another try by itself (`flows.recover`)."""
    end = time.monotonic() + RECOVERY_SECONDS
    with get_client(sync_client=True) as client:
        while time.monotonic() < end:
            state = client.read_flow_run(crashed.id).state
            if state is not None and not state.is_crashed():
                return True
            time.sleep(2)
    return False
