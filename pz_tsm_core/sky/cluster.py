"""Where work runs: threads of this process, local processes, or a running scheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pz_tsm_core.errors import Code, Problem, TransientError
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.progress import counted
from pz_tsm_core.sky.ordered import in_order
from pz_tsm_core.sky.threads import Threads

if TYPE_CHECKING:  # half a second that threads do not need
    from distributed import Client

#: Left alone, Dask's status pages listen on every interface of the machine.
LOOPBACK_ONLY = {
    "dashboard_address": "127.0.0.1:0",
    "worker_dashboard_address": "127.0.0.1:0",
}

#: Without a sign of life for so long, a worker of ours is taken for dead and its work done anew.
SILENCE = "30s"

#: For a scheduler to take a connection. A stage that finds none is tried again some times
#: (`tasks.stage`): together they outlast a minute in which a scheduler is started anew.
CONNECT_SECONDS = 20.0

#: For a scheduler to say who works for it.
ANSWER_SECONDS = 5.0

#: Loggers whose warnings workers send to this process, where somebody reads them.
forwarded: ContextVar[tuple[str, ...]] = ContextVar("forwarded", default=())

Piece = TypeVar("Piece")
Done = TypeVar("Done")


@contextmanager
def dask_client(policy: ClusterPolicy) -> Iterator[Client]:
    """Open workers on this machine, or connect to a scheduler; close them at the end.

    The client is current meanwhile, and warnings of workers arrive at loggers `forwarded`.

    Raises
    ------
    TransientError
        `service.unreachable` when no scheduler answers at the address.
    """
    if policy.kind == "address":
        with _connect(policy.address) as client, client.as_current():
            _hear_warnings(client)
            yield client
        return
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.scheduler.worker-ttl": SILENCE}),
        LocalCluster(
            n_workers=policy.workers,
            threads_per_worker=1,
            host="127.0.0.1",
            **LOOPBACK_ONLY,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
        client.as_current(),
    ):
        _hear_warnings(client)
        yield client


def _hear_warnings(client: Client) -> None:
    """Let warnings of workers, also of those that come later, be heard in this process.

    Never undone: others may hear them as well, and a scheduler without listeners tells nobody.
    """
    for name in forwarded.get():
        client.forward_logging(name, logging.WARNING)


class Pool(NamedTuple):
    """Where functions run, how many run at a time, and how long one may take."""

    executor: Executor
    width: int
    patience_seconds: float | None = None

    def in_order(
        self, work: Callable[[Piece], Done], pieces: Iterable[Piece], *,
        unit: str = "partitions", total: int | None = None, before: int = 0,
    ) -> Iterator[Done]:
        """Do pieces of work, some ahead of those that are taken; results in their order.

        Parameters
        ----------
        unit, total, before : of the pieces, as `progress.counted`; of a list the total is known
        """
        done = in_order(self.executor, work, pieces, ahead=2 * self.width,
                        patience_seconds=self.patience_seconds)
        if total is None and isinstance(pieces, Sized):
            total = before + len(pieces)
        return counted(done, unit, total, before=before)


@contextmanager
def pool_of(policy: ClusterPolicy, rows: int = 0) -> Iterator[Pool]:
    """Threads of this process, or the workers of a Dask cluster.

    Parameters
    ----------
    rows : how many there are to work on, where the policy leaves the choice

    Raises
    ------
    TransientError
        `service.unreachable` when no scheduler answers, none of its workers is left, or a piece
        of work costs several their lives; `service.timeout` when one takes longer than it may.
    """
    patience = policy.patience_seconds
    if policy.runs_in(rows) == "threads":
        with _abandoned(Threads(policy.workers)) as executor, _impatient(patience):
            yield Pool(executor, policy.workers, patience)
        return
    with dask_client(policy) as client, _abandoned(client.get_executor()) as executor, \
            _impatient(patience, client), lost_workers():
        yield Pool(executor, max(1, sum(client.nthreads().values())), patience)


@contextmanager
def _abandoned(executor: Executor) -> Iterator[Executor]:
    """Wait for nobody once something has failed: who is frozen would never end."""
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False)
        raise
    executor.shutdown()


@contextmanager
def _impatient(seconds: float, client: Client | None = None) -> Iterator[None]:
    """Tell of work that does not end, and whether anybody is left to do it."""
    try:
        yield
    except TimeoutError as error:
        if client and not _has_workers(client):
            raise _gone("no workers are left") from error
        raise TransientError(Problem(
            Code.SERVICE_TIMEOUT, "cluster", f"no result within {seconds:g} s",
            "workers that get on with their work",
            "see whether a worker or its disk hangs; cluster.patience_seconds allows more",
        )) from error


def _has_workers(client: Client) -> bool:
    """Whether the scheduler knows of any; of one that does not answer nothing is known."""
    with suppress(TimeoutError):
        return bool(client.sync(client.scheduler.ncores, callback_timeout=ANSWER_SECONDS))
    return True


@contextmanager
def lost_workers() -> Iterator[None]:
    """Tell of workers that die, and of schedulers, in the words of the catalogue of errors."""
    from distributed import KilledWorker
    from distributed.client import ClosedClientError

    try:
        yield
    except (KilledWorker, CancelledError, ClosedClientError) as error:
        told = "" if isinstance(error, KilledWorker) else "the connection to the scheduler is lost"
        raise _gone(told or str(error)) from error


def _gone(found: str) -> TransientError:
    return TransientError(
        Problem(Code.SERVICE_UNREACHABLE, "cluster", found, "a scheduler and workers that live",
                "see what ended them; give workers more memory, or choose cluster.kind: threads"))


def _connect(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise TransientError(
            Problem(Code.SERVICE_UNREACHABLE, f"cluster.address {address}", str(error),
                    "a Dask scheduler that answers", "start it, or choose cluster.kind: threads")
        ) from error
