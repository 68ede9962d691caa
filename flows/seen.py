"""What a person sees in Prefect of a run of the service: progress, log, figures, plots, mistakes.

Prefect is imported when a run is to be seen: `tsm` decides before whether anybody looks.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING
from uuid import UUID

from flows.artifacts import Post, Shown
from flows.run_log import Log, warnings_heard
from flows.stages_shown import Stage, key_of, words
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.store import Store
from tasks.handover import PAGE, handed_over
from tasks.overview import overview
from tasks.stage import Moment, StageEvent

if TYPE_CHECKING:
    from prefect.context import FlowRunContext

#: Gives the address at which the service serves a file of the output folder, by its path in it.
Link = Callable[[str], str | None]

#: Whether anybody can look: nobody sees the private server of `tsm run`.
watched: ContextVar[bool] = ContextVar("watched", default=True)

#: A stage that is done sooner, or found, needs no bar.
BRIEF_SECONDS = 1.0

_LEVELS = {Moment.RETRYING: logging.WARNING, Moment.FAILED: logging.ERROR}


def nowhere(_path: str) -> str | None:
    """Nothing is served."""
    return None


@contextmanager
def seen() -> Iterator[View]:
    """Show a flow's run in Prefect while it lasts, from inside the flow; its errors, too."""
    with ExitStack() as stack:
        view = View()
        if watched.get() and (context := _context()):
            view = stack.enter_context(_shown(context))
        try:
            yield view
        except Exception as error:
            view.failed(error)
            raise


def _context() -> FlowRunContext | None:
    from prefect.context import FlowRunContext

    return FlowRunContext.get()


@contextmanager
def _shown(context: FlowRunContext) -> Iterator[View]:
    from prefect.logging import get_run_logger

    assert context.flow_run is not None  # noqa: S101 - inside a flow there is one
    log = get_run_logger(context)
    view = View(log)
    post = Post(context.flow_run.id, view.shown)
    try:
        with warnings_heard(log):
            yield view
    finally:
        post.close()


class View:
    """Takes in what happens in a run, from many threads, and says how it is to be shown.

    Parameters
    ----------
    log : the run's own; without it nobody looks
    """

    def __init__(self, log: Log | None = None) -> None:
        self._log = log
        self._lock = Lock()
        self._stages: dict[tuple[str, str], Stage] = {}
        self._last: list[Shown] = []

    def hear(self, event: StageEvent) -> None:
        """Take in what happened to a stage."""
        if self._log is None:
            return
        known = (event.label, event.request.address)
        with self._lock:
            before = self._stages.get(known)
            now = before.after(event) if before else Stage(event, time.monotonic(), _task_run())
            self._stages[known] = now
        # A cached stage is found twice: by Prefect, and by the stage itself.
        again = before is not None and before.event.moment is event.moment
        if event.moment is not Moment.RUNNING and not again:
            level = _LEVELS.get(event.moment, logging.INFO)
            self._log.log(level, "%s: %s", event.label, words(now.event))

    def shown(self) -> list[Shown]:
        """All that is to be seen now."""
        with self._lock:
            stages, last = list(self._stages.values()), list(self._last)
        return [*(stage.shown() for stage in stages if stage.seconds >= BRIEF_SECONDS), *last]

    def result(
        self, product: ProductVersion, made: Mapping[str, ArtifactRef], store: Store,
        link: Link = nowhere,
    ) -> None:
        """Show what came of the run: figures, rows by stage, plots, and where it all is.

        Parameters
        ----------
        made : artifact of every stage by its label, in the order of the work
        link : where files of the output folder are served
        """
        if self._log is None:
            return
        try:
            self._result(product, _links(made, store, link), made, store)
        except Exception as error:  # noqa: BLE001 - the result is there, shown or not
            self._log.warning("the result cannot be shown here: %s", error)

    def _result(
        self, product: ProductVersion, links: Mapping[str, str], made: Mapping[str, ArtifactRef],
        store: Store,
    ) -> None:
        name = key_of(product.name)
        files = (f"- [{file}]({url})" for file, url in links.items())
        told = [f"# {product}", "", *_waits(product), *files, ""]
        if found := overview(product, made, store):
            told.append(found.figures)
            self._show(Shown(f"{name}-rows", "table", json.dumps(found.rows), "Rows by stage"))
            self._show(Shown(f"{name}-plots", "markdown", found.pictures, f"Plots of {product}"))
        else:
            told.append("Figures and plots are in the report, for its owner alone.")
        self._show(Shown(f"{name}-result", "markdown", "\n".join(told), f"Result: {product}"))
        if PAGE in links:
            self._show(Shown(f"{name}-report", "markdown", f"[{PAGE}]({links[PAGE]})",
                             f"Report of {product}"))

    def failed(self, error: Exception) -> None:
        """Show what went wrong, and what to do."""
        if self._log is None:
            return
        from pz_tsm_core.quality.brief import mistakes

        self._show(Shown("problems", "markdown", mistakes(error),
                         "What went wrong, and what to do"))

    def _show(self, shown: Shown) -> None:
        with self._lock:
            self._last.append(shown)


def _links(made: Mapping[str, ArtifactRef], store: Store, link: Link) -> dict[str, str]:
    """Addresses of what was handed over, by name; of what is served."""
    names = dict.fromkeys(name for name, _, _ in handed_over(made, store))
    return {name: url for name in names if (url := link(name))}


def _waits(product: ProductVersion) -> Iterator[str]:
    """Why a candidate waits, and who decides."""
    if not product.waits:
        return
    promote, choose = f"`tsm promote {product}`", ", or run maintain-store and choose it there"
    if product.access.kind == "private":  # no choice in a form that all read
        promote, choose = f"`tsm promote {product} --principal {product.access.name}`", ""
    yield (f"**It waits as a candidate:** `{product.name}@latest` is what it was. Look at the "
           f"report; then {promote}{choose}.")
    yield ""
    yield from (f"- {reason}" for reason in reasons(product))
    yield ""


def reasons(product: ProductVersion) -> tuple[str, ...]:
    """Why a candidate waits, in words that all may read: of what is private, no figure."""
    if product.access.kind == "private":
        return ("Its report says why, for its owner alone.",)
    failed = product.judgement.failed if product.judgement else ()
    return tuple(finding.words for finding in failed)


def _task_run() -> UUID | None:
    """The run of the task that this thread is in."""
    from prefect.context import TaskRunContext

    context = TaskRunContext.get()
    return context.task_run.id if context else None
