"""The flow that makes the compilation anew, and hands it out as `latest` only if it is sound."""

from __future__ import annotations

from typing import cast

from prefect import flow, get_run_logger, runtime
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.events import emit_event

from flows.order import compilation
from flows.serving import serving
from flows.settings import WAITS
from flows.submission import task_runner
from pz_tsm_core.errors import Code, Problem, TransientError
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.service import FetchRequest, RefreshRequest

#: Flow and deployment that retrieve, on a machine with a way out.
EDGE = "fetch-surveys/fetch-surveys"


@flow(name="refresh-compilation", task_runner=task_runner(), persist_result=False)
def refresh_compilation(request: RefreshRequest) -> ArtifactRef:
    """Fetch what has changed, compile it, compare it with the former and promote it, or not."""
    if request.fetch != "never":
        fetch_at_the_edge(FetchRequest(surveys=request.surveys, policy=request.fetch))
    with serving() as here:
        made = here.make(compilation, request, guard=request.guard)
        if made.product.waits:
            tell_waiting(made.product)
        return made.result


def tell_waiting(product: ProductVersion) -> None:
    """Say to whoever listens, such as an automation, that somebody must decide."""
    why = [finding.words for finding in product.judgement.failed] if product.judgement else []
    emit_event(WAITS, resource={"prefect.resource.id": f"pz-tsm.product.{product.name}"},
               payload={"product": str(product), "reason": "; ".join(why)})
    get_run_logger().warning("%s waits as a candidate: %s", product, "; ".join(why))


def fetch_at_the_edge(request: FetchRequest) -> None:
    """Have surveys fetched by a worker that has a way out, and wait for it.

    However often this run is begun again, it asks for one retrieval.

    Raises
    ------
    TransientError
        `service.refused` when that run did not end well.
    """
    run = cast("FlowRun", run_deployment(  # no coroutine, for a flow that is none
        EDGE, parameters={"request": request.model_dump(mode="json")},
        idempotency_key=f"{runtime.flow_run.id}-fetch", poll_interval=2,
    ))
    if run.state is None or not run.state.is_completed():
        ended = run.state.name if run.state else "unknown"
        raise TransientError(Problem(
            Code.SERVICE_REFUSED, EDGE, f"run {run.name} ended as {ended}",
            "a retrieval that is completed", "see why in its own page; then retry this run"))
