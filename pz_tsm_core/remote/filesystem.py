"""File systems of fsspec that reach no further than the guard allows."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
import fsspec
from aiohttp.abc import AbstractResolver, ResolveResult
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.connection import port_by_scheme
from yarl import URL

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import guard
from pz_tsm_core.remote.deadline import Deadline
from pz_tsm_core.remote.errors import plainly
from pz_tsm_core.remote.session import user_agent


class Gate(AbstractResolver):
    """The guard, for clients of aiohttp: it resolves names, and makes sockets.

    Sockets are made for addresses without their names, so it keeps in mind what it let pass.

    Parameters
    ----------
    trusted : addresses and ports that the operator named himself: an endpoint, a proxy
    """

    def __init__(self, trusted: frozenset[tuple[str, int]] = frozenset()) -> None:
        self._trusted = trusted
        self._passed: set[tuple[str, int]] = set()

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - all that there are
    ) -> list[ResolveResult]:
        """Addresses of a host, each checked."""
        find = guard.resolve if (host, port) in self._trusted else guard.addresses
        places = await asyncio.to_thread(find, host, port)
        self._passed.update((place, port) for place in places)
        return [ResolveResult(hostname=host, host=place, port=port, proto=0,
                              family=socket.AF_INET6 if ":" in place else socket.AF_INET,
                              flags=socket.AI_NUMERICHOST) for place in places]

    def check(self, url: str) -> None:
        """Refuse where connections would be refused: clients would try again and again.

        Raises
        ------
        TsmError
            `remote.forbidden`.
        """
        for host, port in _places(url) - self._trusted:
            with suppress(socket.gaierror):  # proxies know names that are not known here
                guard.addresses(host, port)

    async def close(self) -> None:
        """Nothing is held."""

    def socket(self, place: Any) -> socket.socket:
        """A socket for an address, which is checked if it did not pass as that of a name."""
        family, kind, protocol, _, (address, port, *_rest) = place
        if not {(address, port)} & (self._passed | self._trusted):
            guard.check_address(address, address, port)
        return socket.socket(family, kind, protocol)


async def guarded_client(
    *, loop: Any, per_host: int, proxy: str | None, **timeouts: float
) -> aiohttp.ClientSession:
    """What `HTTPFileSystem` sends its requests with.

    A proxy of the environment is named explicitly: with `trust_env` aiohttp would also send
    passwords of .netrc.
    """
    gate = Gate(_places(proxy))

    async def check(url: URL) -> None:
        guard.check_url(str(url), ("https", "http"))
        if proxy:  # it makes the connection: what can be known here is where the name leads
            await asyncio.to_thread(guard.addresses, url.host or "", url.port or 0)

    async def begin(_session: Any, _context: Any, sent: aiohttp.TraceRequestStartParams) -> None:
        await check(sent.url)

    async def go_on(_session: Any, _context: Any, sent: aiohttp.TraceRequestRedirectParams) -> None:
        target = sent.url.join(URL(sent.response.headers.get("Location", "")))
        guard.check_downgrade(str(sent.url), str(target))
        await check(target)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begin)
    trace.on_request_redirect.append(go_on)
    connector = aiohttp.TCPConnector(resolver=gate, socket_factory=gate.socket, ssl=_trust(),
                                     limit_per_host=per_host)
    return aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(**timeouts), loop=loop, proxy=proxy,
        headers={"User-Agent": user_agent()}, trace_configs=[trace])


def storage_options(url: str, limits: FetchLimits, deadline: Deadline) -> dict[str, Any]:
    """Options by which fsspec reaches an address: guarded, within the limits.

    What lies on S3 is asked for as anybody, and if it may not be read so, with the credentials of
    the environment.

    Raises
    ------
    TsmError
        `remote.forbidden`; `service.*` when S3 does not answer.
    """
    if guard.check_url(url).scheme == "s3":
        return _of_s3(url, limits, deadline)
    timeouts = {"total": deadline.left(), "sock_connect": limits.connect_seconds,
                "sock_read": limits.stall_seconds}
    return {"get_client": guarded_client,
            "client_kwargs": {"per_host": limits.per_host, **timeouts,
                              "proxy": select_proxy(url, get_environ_proxies(url))}}


def open_filesystem(url: str, options: dict[str, Any]) -> fsspec.AbstractFileSystem:
    """The file system of an address."""
    scheme = guard.check_url(url).scheme
    files = fsspec.filesystem(scheme, **options)
    if scheme == "s3":
        files.retries = 1  # botocore has tried again already, each time
    return files


def _of_s3(url: str, limits: FetchLimits, deadline: Deadline) -> dict[str, Any]:
    gate = Gate(_named_by_the_operator())
    options = {"config_kwargs": {
        "connect_timeout": limits.connect_seconds,
        "read_timeout": limits.stall_seconds,
        "retries": {"total_max_attempts": limits.retries + 1, "mode": "standard"},
        "max_pool_connections": limits.per_host,
        "user_agent_extra": user_agent(),
        "connector_args": {"resolver": gate, "socket_factory": gate.socket},
    }}
    patience = min(limits.connect_seconds + limits.stall_seconds, deadline.left())
    files = open_filesystem(url, {**options, "anon": True})
    gate.check(files.s3.meta.endpoint_url)
    return {**options, "anon": _is_open(url, files, patience) or not _has_credentials()}


def _has_credentials() -> bool:
    """Whether the environment gives some; without, only what is open can be asked for."""
    from botocore.session import get_session

    return get_session().get_credentials() is not None


def _is_open(url: str, files: fsspec.AbstractFileSystem, seconds: float) -> bool:
    """Whether anybody may read it, or at least be told that it is not there."""
    try:
        with plainly(guard.shown(url)):
            files.info(url, timeout=seconds or 0.001)
    except TsmError as error:
        if error.codes != (Code.SERVICE_REFUSED,):
            raise
        return False
    return True


def _named_by_the_operator() -> frozenset[tuple[str, int]]:
    """Endpoint of S3 and proxies, as the environment and the configuration of fsspec name them."""
    configured = fsspec.config.conf.get("s3", {})
    return _places(os.environ.get("AWS_ENDPOINT_URL_S3"), os.environ.get("AWS_ENDPOINT_URL"),
                   configured.get("endpoint_url"),
                   configured.get("client_kwargs", {}).get("endpoint_url"), *getproxies().values())


def _places(*urls: str | None) -> frozenset[tuple[str, int]]:
    """Host and port of each address that is given."""
    parts = map(urlsplit, filter(None, urls))
    return frozenset((each.hostname or "", each.port or port_by_scheme.get(each.scheme, 0))
                     for each in parts)


def _trust() -> ssl.SSLContext:
    """The authorities that `requests` trusts too."""
    named = Path(os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
                 or DEFAULT_CA_BUNDLE_PATH)
    if named.is_dir():
        return ssl.create_default_context(capath=named)
    return ssl.create_default_context(cafile=named)
