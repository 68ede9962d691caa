"""Where Dask runs: threads of this process, local processes, or a running scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pz_tsm_core.errors import Code, Problem, TransientError
from pz_tsm_core.model.policy import ClusterPolicy

if TYPE_CHECKING:  # half a second that threads do not need
    from distributed import Client

#: Left alone, Dask's status pages listen on every interface of the machine.
LOOPBACK_ONLY = {
    "dashboard_address": "127.0.0.1:0",
    "worker_dashboard_address": "127.0.0.1:0",
}


@contextmanager
def dask_client(policy: ClusterPolicy) -> Iterator[Client]:
    """Open a cluster as the recipe asks, make its client current, and close both at the end.

    Threads are the default: below about ten million rows they beat processes, each of which
    pays for its own imports.

    Raises
    ------
    TransientError
        `service.unreachable` when no scheduler answers at the address.
    """
    if policy.kind == "address":
        with _connect(policy.address) as client, client.as_current():
            yield client
        return
    from distributed import Client, LocalCluster

    processes = policy.kind == "local"
    with (
        LocalCluster(
            n_workers=policy.workers if processes else 1,
            threads_per_worker=1 if processes else policy.workers,
            processes=processes,
            **LOOPBACK_ONLY,
            **({"host": "127.0.0.1"} if processes else {}),
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
        client.as_current(),
    ):
        yield client


class Pool(NamedTuple):
    """Where functions run, and how many run at a time."""

    executor: Executor
    width: int


@contextmanager
def pool_of(policy: ClusterPolicy) -> Iterator[Pool]:
    """Threads of this process, or the workers of a Dask cluster.

    Raises
    ------
    TransientError
        `service.unreachable` when no scheduler answers, or a worker died over and over.
    """
    if policy.kind == "threads":
        with ThreadPoolExecutor(policy.workers) as executor:
            yield Pool(executor, policy.workers)
        return
    with dask_client(policy) as client, lost_workers(), client.get_executor() as executor:
        yield Pool(executor, max(1, sum(client.nthreads().values())))


@contextmanager
def lost_workers() -> Iterator[None]:
    """Tell of workers that die in the words of the catalogue of errors."""
    from distributed import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise TransientError(
            Problem(Code.SERVICE_UNREACHABLE, "cluster", str(error), "workers that live",
                    "give workers more memory, or choose cluster.kind: threads")
        ) from error


def _connect(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout="5s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise TransientError(
            Problem(Code.SERVICE_UNREACHABLE, f"cluster.address {address}", str(error),
                    "a Dask scheduler that answers", "start it, or choose cluster.kind: threads")
        ) from error
