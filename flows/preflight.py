"""Whether the services that a run needs answer, asked before anything is started."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from pz_tsm_core.errors import Code, Problem, Problems, TransientError, refuse
from pz_tsm_core.model.policy import ClusterPolicy

SECONDS = 5.0


def require_services(cluster: ClusterPolicy) -> None:
    """Refuse to start when Prefect's or Dask's address does not answer.

    Raises
    ------
    TransientError
        `service.unreachable` for each that does not.
    """
    problems = Problems()
    wanted = {"PREFECT_API_URL": os.environ.get("PREFECT_API_URL", ""),
              "cluster.address": cluster.address}
    for where, address in wanted.items():
        if address and (found := _silence(address)):
            problems.extend([Problem(
                Code.SERVICE_UNREACHABLE, f"{where} {address}", found, "a service that answers",
                "start it, correct the address, or leave it out",
            )])
    if problems.found:
        raise TransientError(*problems.found)


def require_server() -> str:
    """Address of the Prefect server that PREFECT_API_URL names, and that answers.

    Raises
    ------
    TsmError
        `site.missing` without the variable; `service.unreachable`.
    """
    address = os.environ.get("PREFECT_API_URL", "")
    if not address:
        raise refuse(Code.SITE_MISSING, "PREFECT_API_URL", found="no such variable",
                     expected="the address of a Prefect server, as http://127.0.0.1:4200/api",
                     remedy="start one (`prefect server start`) and set the variable")
    require_services(ClusterPolicy())
    return address


def _silence(address: str) -> str:
    """Why nobody answers; empty when somebody does."""
    try:
        url = urlsplit(address)
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        with socket.create_connection((url.hostname or "", port), timeout=SECONDS):
            return ""
    except OSError as error:
        return error.strerror or str(error)
    except (KeyError, ValueError):
        return "an address without host and port"
