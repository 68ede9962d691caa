"""Where Dask runs: threads of this process, local processes, or a running scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster

from pz_tsm_core.errors import Code, Problem, TransientError
from pz_tsm_core.model.policy import ClusterPolicy

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


def _connect(address: str) -> Client:
    try:
        return Client(address, timeout="5s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise TransientError(
            Problem(Code.SERVICE_UNREACHABLE, f"cluster.address {address}", str(error),
                    "a Dask scheduler that answers", "start it, or choose cluster.kind: threads")
        ) from error
