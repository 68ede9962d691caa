"""The order of the work carried out: every stage submitted, every failure brought home."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.journal import Journal
from flows.order import Order, distinct
from flows.pins import Pins, pin, product_kind
from flows.seen import Link, View, nowhere
from pz_tsm_core.errors import Problem, TsmError, printable
from pz_tsm_core.model.artifact import Access, ArtifactRef
from pz_tsm_core.model.guard import GuardPolicy, Judgement
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.recipe import Recipe, Redshifts
from pz_tsm_core.store import Store
from tasks.deliver import deliver
from tasks.fetch import fetch_task
from tasks.stage import StageEvent, StageTask, StoreAt, listener

#: Stages that run at once. Dask and Arrow bring threads of their own; these mostly wait for them.
AT_ONCE = max(2, min(4, os.cpu_count() or 2))


def task_runner() -> TaskRunner[Any]:
    """Threads, which hold nothing but references: the heavy work is in Arrow and Dask."""
    return ThreadPoolTaskRunner(max_workers=AT_ONCE)


@dataclass(frozen=True)
class Terms:
    """On whose behalf a result is made, and how it is handed over.

    Parameters
    ----------
    owner : whose the name of the result is, where people share a store
    access : who may see the result under its name, if fewer than may see what is in it
    folder : where the result is handed over, by who may see it; else where the recipe says
    shown_at : address of a folder where a web server shows it
    guard : what must hold for the name to stand for the result; else it waits as a candidate. What
        a guard looks at is handed over in a folder for each version: nobody finds a candidate where
        the former one was.
    named : is told of the version as soon as it has its name
    """

    owner: str = ""
    access: Access | None = None
    folder: Callable[[Access], str] | None = None
    shown_at: Link = nowhere
    guard: GuardPolicy | None = None
    named: Callable[[ProductVersion], None] = lambda _: None

    def pin(self, recipe: Recipe, store: Store, *, allow_unfetched: bool = False) -> Pins:
        """Find whatever the recipe names, and refuse what these terms do not allow (`pin`)."""
        return pin(recipe, store, allow_unfetched=allow_unfetched, access=self.access,
                   owner=self.owner)


def carry_out(
    order: Order, recipe: Recipe, at: StoreAt, view: View, terms: Terms = Terms()
) -> ProductVersion:
    """Do all stages of an order inside a flow, deliver, and name the result; give its version.

    Parameters
    ----------
    view : shows the run

    Raises
    ------
    TsmError
        with the problems of every stage that failed. What depends on it did not run.
    ExceptionGroup
        when a stage failed in a way that no error of the catalogue tells.
    """
    store = at.open()
    with stages_heard_by(view.hear), stages_heard_by(Journal(store, recipe.name).hear):
        if recipe.redshifts.fetch != "never":
            # Mistakes are told before hours of transfer.
            terms.pin(recipe, store, allow_unfetched=True)
            fetch_all(recipe.redshifts, at)
        submission = Submission(at)
        pins = terms.pin(recipe, store)
        result = order(recipe, pins, submission)
        made = submission.settle()
    if terms.folder:
        recipe = _handed_over_in(terms.folder(terms.access or pins.access), recipe)
    if terms.guard is None:
        deliver(recipe, made, store)
    product = _named(recipe, made, result.result(), store, terms)
    if terms.guard is not None:
        recipe = _handed_over_in(f"{recipe.output.directory}/{product.version}", recipe)
        deliver(recipe, made, store)
    address = terms.shown_at(recipe.output.directory)
    view.result(product, made, store,
                lambda name: f"{address}/{quote(name)}" if address else None)
    return product


def _named(
    recipe: Recipe, made: Mapping[str, ArtifactRef], result: ArtifactRef, store: Store, terms: Terms
) -> ProductVersion:
    """The result under the name that it has in the recipe."""
    label = next(label for label, ref in made.items() if ref == result)
    product = store.products.add(
        recipe.name, product_kind(recipe), made, label, access=terms.access, owner=terms.owner,
        guard=_judged(store, made, terms.guard) if terms.guard else None)
    terms.named(product)
    return product


def _handed_over_in(folder: str, recipe: Recipe) -> Recipe:
    """The recipe, with another folder for its result."""
    return recipe.model_copy(
        update={"output": recipe.output.model_copy(update={"directory": folder})})


def _judged(
    store: Store, made: Mapping[str, ArtifactRef], policy: GuardPolicy
) -> Callable[[ProductVersion | None], Judgement]:
    """How a result is held against what is the latest when it is named."""
    from pz_tsm_core.quality.guard import judge  # its libraries take seconds

    return lambda former: judge(store, made, former, policy)


def fetch_all(redshifts: Redshifts, at: StoreAt) -> list[ArtifactRef]:
    """Have all surveys without a file fetched, inside a flow; give their artifacts.

    Raises
    ------
    TsmError
        with the problems of all that failed; the others are in the store.
    """
    with stages_heard_by(_log_remarks):
        futures = [fetch_task().submit(entry, redshifts.survey_path, redshifts.fetch, at)
                   for entry in redshifts.surveys if entry.fetched]
        _settle(futures)
    return [future.result() for future in futures]


@contextmanager
def stages_heard_by(inner: Callable[[StageEvent], None]) -> Iterator[None]:
    """Let somebody hear what happens, beside whoever listens already."""
    outer = listener.get()

    def hear(event: StageEvent) -> None:
        inner(event)
        if outer:
            outer(event)

    token = listener.set(hear)
    try:
        yield
    finally:
        listener.reset(token)


def _log_remarks(event: StageEvent) -> None:
    """Log in Prefect what a person should know of a task."""
    for remark in event.remarks:
        get_run_logger().warning(printable(f"{event.label}: {remark}"))


class Submission:
    """The `do` of a flow: submits every stage at once and lets Prefect wait for inputs."""

    def __init__(self, at: StoreAt) -> None:
        self._at = at
        self._futures: list[tuple[str, Any]] = []

    def __call__(self, stage: StageTask[...], /, **parameters: Any) -> Any:
        """Submit a stage; give its future."""
        future = stage.submit(self._at, **parameters)
        self._futures.append((stage.label(**parameters), future))
        return future

    def settle(self) -> dict[str, ArtifactRef]:
        """Wait for everything; give each result by its label, or raise what went wrong anywhere."""
        _settle([future for _, future in self._futures])
        made: dict[str, ArtifactRef] = {}
        for label, future in self._futures:
            made[distinct(label, made)] = future.result()
        return made


def _settle(futures: Sequence[Any]) -> None:
    """Wait for everything, and bring home what went wrong anywhere."""
    for future in futures:
        future.wait()
    states = [future.state for future in futures]
    failed = [state for state in states if state.is_failed() or state.is_crashed()]
    if failed:
        _raise_all([state.result(raise_on_failure=False) for state in failed])


def _raise_all(errors: list[Exception]) -> None:
    refusals = [error for error in errors if isinstance(error, TsmError)]
    if len(refusals) < len(errors):
        raise ExceptionGroup("stages failed", errors)
    # One mistake may stop several stages; it is told once.
    problems: dict[Problem, None] = dict.fromkeys(
        problem for error in refusals for problem in error.problems
    )
    raise TsmError(*problems)
