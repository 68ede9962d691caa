"""The one factory that makes every task: ask the store, compute only what it lacks, publish.

A stage is told by two plain functions: what its result depends on (`request`) and how it is made
(`compute`). `stage_task` joins them to a `StageTask`, which runs with Prefect or without. Prefect
orders, retries and shows; the store alone says what exists.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec

from pz_tsm_core.errors import Code, TransientError
from pz_tsm_core.model.artifact import ArtifactRef, Manifest, Principal, StageRequest, Value
from pz_tsm_core.progress import Progress, heard_by
from pz_tsm_core.store import Draft, Store, open_store
from pz_tsm_core.store.faults import point

if TYPE_CHECKING:  # `tsm plan` reads this module and must not wait for Prefect
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.context import TaskRunContext

P = ParamSpec("P")

#: Waits of about 1, 2, 4 and 8 seconds: long enough for a busy service, short enough for a person.
RETRIES = 4
FIRST_DELAY_SECONDS = 1.0
#: A wait is drawn between the delay / 1.5 and the delay * 1.5, so that tasks do not retry in step.
JITTER = 0.5

#: What is told of a stage that waits.
ANOTHER_MAKES = "another run makes it"

#: Where, beside the artifacts, Prefect keeps its small JSON results.
PREFECT_RESULTS = "prefect/results"


class StoreAt(Value):
    """Where the store is and who opens it: what a task is told in place of an open store."""

    location: str
    principal: Principal = Principal()

    def open(self) -> Store:
        """Open the store, or be refused."""
        return _opened(self)


@lru_cache(maxsize=64)
def _opened(at: StoreAt) -> Store:
    # One store a process: it remembers which files it has verified.
    return open_store(at.location, at.principal)


class Moment(StrEnum):
    """What can be told of a stage while a flow runs."""

    CACHED = "cached"  # the store has it
    WAITING = "waiting"  # another run makes it, and this one will take what that leaves
    RUNNING = "running"
    RETRYING = "retrying"  # what failed may pass by waiting
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class StageEvent:
    """One moment in the life of a stage, for progress bars and journals.

    Parameters
    ----------
    remarks : what a person should know of it
    progress : how far a running stage has come, where it tells
    """

    label: str
    moment: Moment
    request: StageRequest
    rows: int | None = None
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    progress: Progress | None = None


#: A running stage tells of its progress no more often.
EVERY_SECONDS = 0.5

#: Who hears of events. Prefect's threads inherit the context of the flow that submits to them.
listener: ContextVar[Callable[[StageEvent], None] | None] = ContextVar("listener", default=None)


def tell(event: StageEvent) -> None:
    """Let whoever listens hear of an event."""
    if hear := listener.get():
        hear(event)


@contextmanager
def under_way(label: str, request: StageRequest) -> Iterator[Callable[[], float]]:
    """Tell that a stage runs, how far it is, and that it fails if it does; lend its clock."""
    began = time.monotonic()

    def seconds() -> float:
        return time.monotonic() - began

    def hear(progress: Progress) -> None:
        tell(StageEvent(label, Moment.RUNNING, request, seconds=seconds(), progress=progress))

    tell(StageEvent(label, Moment.RUNNING, request))
    try:
        with heard_by(_now_and_then(hear)):
            yield seconds
    except BaseException as error:
        moment = Moment.RETRYING if _may_pass(error) else Moment.FAILED
        tell(StageEvent(label, moment, request, seconds=seconds()))
        raise


def _now_and_then(hear: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Let only as much through as a person can follow."""
    told = time.monotonic() - EVERY_SECONDS

    def at_times(progress: Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= EVERY_SECONDS:
            told = now
            hear(progress)

    return at_times


@dataclass
class _Course:
    """Whether a stage has waited for another run, and whether it was made in this one."""

    label: str
    request: StageRequest
    waited: bool = False
    made: bool = False

    def waits(self) -> None:
        """Tell once that the stage waits."""
        if not self.waited:
            self.waited = True
            tell(StageEvent(self.label, Moment.WAITING, self.request, remarks=(ANOTHER_MAKES,)))

    def makes(self) -> None:
        """Tell that a stage which has waited is made here all the same."""
        self.made = True
        if self.waited:
            tell(StageEvent(self.label, Moment.RUNNING, self.request))


class StageTask(Generic[P]):
    """A stage that can be asked for, named, run and submitted.

    Parameters
    ----------
    request : what the result depends on; takes any of the parameters of `compute`, by name
    compute : writes the result into a draft; first parameters are draft and store
    label : how people know one run of the stage, a format string over the parameters
    retries, first_delay_seconds : how often, and after how long, a `TransientError` is retried
    """

    def __init__(
        self,
        request: Callable[..., StageRequest],
        compute: Callable[Concatenate[Draft, Store, P], None],
        label: str,
        *,
        retries: int = RETRIES,
        first_delay_seconds: float = FIRST_DELAY_SECONDS,
    ) -> None:
        self.name = compute.__name__
        self._request, self._compute, self._label = request, compute, label
        self._retries, self._first_delay_seconds = retries, first_delay_seconds
        self._parameters = list(inspect.signature(compute).parameters.values())[2:]
        self._kept: dict[Path, Task[..., ArtifactRef]] = {}
        self._request_names = tuple(inspect.signature(request).parameters)
        if stray := set(self._request_names) - {parameter.name for parameter in self._parameters}:
            raise TypeError(f"request of {self.name} takes {stray}, which its compute does not")

    def _named(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """Every parameter by its name, defaults filled in."""
        bound = inspect.Signature(self._parameters).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def request(self, *args: P.args, **kwargs: P.kwargs) -> StageRequest:
        """Say what the result depends on."""
        return self._request_of(self._named(*args, **kwargs))

    def _request_of(self, named: Mapping[str, Any]) -> StageRequest:
        return self._request(**{name: named[name] for name in self._request_names})

    def label(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Name this run for people; references to results of other stages play no part in it."""
        return self._label.format(**self._named(*args, **kwargs))

    def run(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> Manifest:
        """Make the artifact, or find it made: the whole stage without Prefect."""
        label, request = self.label(*args, **kwargs), self.request(*args, **kwargs)
        # Somebody else may have published it since this run looked last.
        if manifest := store.find(request.address, request.stage):
            tell(StageEvent(label, Moment.CACHED, request, _rows(manifest)))
            return manifest

        course = _Course(label, request)

        def fill(draft: Draft) -> None:
            course.makes()
            self._compute(draft, store, *args, **kwargs)
            point(f"computed.{self.name}")

        with under_way(label, request) as seconds:
            manifest = store.publish(request, fill, course.waits)
        done = StageEvent(label, Moment.DONE, request, _rows(manifest), seconds())
        tell(done if course.made else replace(done, moment=Moment.CACHED, seconds=0.0))
        return manifest

    def submit(self, at: StoreAt, *args: Any, **kwargs: Any) -> Any:
        """Hand the stage to the task runner of the flow; give the future of an `ArtifactRef`.

        Futures of other stages may stand wherever a parameter is an `ArtifactRef`, also in lists.
        """
        return self._kept_in(at.open().beside(PREFECT_RESULTS)).submit(*args, at=at, **kwargs)

    def _kept_in(self, records: Path) -> Task[..., ArtifactRef]:
        """The task whose records lie in the store that they speak of, whatever a worker's settings.

        A path is the one form of storage that Prefect takes without a saved block. It reads the
        source of a task whenever one is made, so that one is made once.
        """
        if records not in self._kept:
            self._kept[records] = self.task.with_options(result_storage=records)
        return self._kept[records]

    @cached_property
    def task(self) -> Task[..., ArtifactRef]:
        """The Prefect task; imports Prefect when first asked for."""
        from prefect import task

        def body(*args: Any, at: StoreAt, **kwargs: Any) -> ArtifactRef:
            return self.run(at.open(), *args, **kwargs).ref

        self._dress(body)
        return task(
            name=self.name,
            task_run_name=self._label,
            cache_key_fn=self._cache_key,
            persist_result=True,
            result_serializer="json",  # Prefect's own choice would be pickle
            **patience(self._retries, self._first_delay_seconds),
        )(body)

    def _dress(self, body: Callable[..., ArtifactRef]) -> None:
        """Let Prefect see the stage's own name, promise and parameters."""
        at = inspect.Parameter("at", inspect.Parameter.KEYWORD_ONLY, annotation=StoreAt)
        body.__name__ = body.__qualname__ = self.name
        body.__module__, body.__doc__ = self._compute.__module__, self._compute.__doc__
        vars(body)["__signature__"] = inspect.Signature([*self._parameters, at])

    def _cache_key(self, _context: TaskRunContext, parameters: Mapping[str, Any]) -> str:
        """The address, after Prefect's record of what the store no longer has is gone.

        Prefect takes a record for the result and never looks at the artifact behind it.
        """
        request = self._request_of(parameters)
        store = StoreAt.model_validate(parameters["at"]).open()
        if manifest := store.find(request.address, request.stage):
            label = self._label.format(**parameters)
            tell(StageEvent(label, Moment.CACHED, request, _rows(manifest)))
        else:
            (store.beside(PREFECT_RESULTS) / request.address).unlink(missing_ok=True)
        return request.address


def stage_task(
    request: Callable[..., StageRequest],
    *,
    label: str,
    retries: int = RETRIES,
    first_delay_seconds: float = FIRST_DELAY_SECONDS,
) -> Callable[[Callable[Concatenate[Draft, Store, P], None]], StageTask[P]]:
    """Make a `StageTask` of the decorated function, which writes a stage's result into a draft."""

    def decorate(compute: Callable[Concatenate[Draft, Store, P], None]) -> StageTask[P]:
        return StageTask(
            request, compute, label, retries=retries, first_delay_seconds=first_delay_seconds
        )

    return decorate


def patience(
    retries: int = RETRIES, first_delay_seconds: float = FIRST_DELAY_SECONDS
) -> dict[str, Any]:
    """Options of a Prefect task that tries again what may pass by waiting; imports Prefect."""
    from prefect.tasks import exponential_backoff

    return {
        "retries": retries,
        "retry_delay_seconds": exponential_backoff(first_delay_seconds),
        "retry_jitter_factor": JITTER,
        "retry_condition_fn": may_pass_by_waiting,
    }


def may_pass_by_waiting(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry what waiting may cure."""
    return _may_pass(state.data)


def _may_pass(error: Any) -> bool:
    """Whether waiting may cure it: a wrong recipe or file stays wrong.

    What has had all the time it may take does not get as much again.
    """
    return isinstance(error, TransientError) and Code.SERVICE_TIMEOUT not in error.codes


def _rows(manifest: Manifest) -> int | None:
    return manifest.rows.given if manifest.rows else None
