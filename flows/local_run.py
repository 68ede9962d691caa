"""One run of a recipe from the command line: its server, its environment, its end.

Prefect reads its settings from the environment when it is imported, and keeps them. So this module
does not import it: the environment is made first, then Prefect is imported where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from flows.leaving import GRACE_SECONDS
from flows.private_server import Server, private_server
from flows.seen import watched
from flows.settings import PLAIN_RESULTS, QUIET
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.recipe import Recipe
from tasks.stage import PREFECT_RESULTS, StageEvent, StoreAt, listener

if TYPE_CHECKING:
    from prefect import Flow


def run_here(recipe: Recipe, at: StoreAt, hear: Callable[[StageEvent], None]) -> ArtifactRef:
    """Run the flow that a recipe asks for in this process; give the last artifact.

    The server is the one that PREFECT_API_URL names, else a private one for this run.

    Parameters
    ----------
    hear : is told what happens to every stage, from the threads that do it
    """
    with ExitStack() as stack:
        server = _server(at, stack)
        for name, value in (QUIET | PLAIN_RESULTS).items():
            os.environ.setdefault(name, value)
        # Whatever Prefect keeps lies beside the artifacts, not in somebody's home.
        os.environ.setdefault("PREFECT_LOCAL_STORAGE_PATH", str(at.open().beside(PREFECT_RESULTS)))
        os.environ.update(server.environment if server else {})
        flow = _flow()  # while the server gets ready
        if server:
            server.ready()
            stack.callback(watched.reset, watched.set(False))  # it serves no pages
            stack.enter_context(_no_heartbeat())
            stack.callback(_send_what_waits)
        listener.set(hear)
        return flow(recipe, at)


def _server(at: StoreAt, stack: ExitStack) -> Server | None:
    if os.environ.get("PREFECT_API_URL"):
        return None
    return stack.enter_context(private_server(at.open().beside("prefect")))


def _flow() -> Flow[..., ArtifactRef]:
    from flows.recipe_run import recipe_run

    return recipe_run


@contextmanager
def _no_heartbeat() -> Iterator[None]:
    """Tell Prefect to send no heartbeat: nobody outlives this run to miss it.

    Its sender sleeps in whole seconds, for which the end of every flow would wait.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # no variable says None
        yield


def _send_what_waits() -> None:
    """Let Prefect send the last states before the server goes; it would fail to at exit."""
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all(timeout=GRACE_SECONDS)
