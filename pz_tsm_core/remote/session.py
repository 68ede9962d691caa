"""Sessions of `requests` that are guarded, patient and polite."""

from __future__ import annotations

import math
import os
import random
import time
from functools import cache
from importlib.metadata import version
from typing import Any

import requests
from pyrate_limiter import Duration, Limiter, Rate
from requests.models import PreparedRequest, Response
from requests.utils import default_user_agent, resolve_proxies, select_proxy
from requests_ratelimiter import LimiterAdapter
from requests_ratelimiter.buckets import HostBucketFactory
from urllib3 import Retry
from urllib3.connection import port_by_scheme
from urllib3.exceptions import InvalidHeader, NameResolutionError, ReadTimeoutError
from urllib3.util.ssl_ import create_urllib3_context

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import guard
from pz_tsm_core.remote.connection import HurriedTLS, pool_classes
from pz_tsm_core.remote.deadline import Deadline

#: Statuses after which the same request is sent again.
AGAIN = (429, 500, 502, 503, 504)
MAX_REDIRECTS = 10
#: Of replies that are not streamed to disk; lists of tables are the largest.
MAX_IN_MEMORY = 256 * 2**20
#: Seconds before the second of several tries, and ever; the first comes at once.
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0


def user_agent() -> str:
    """By which services know who asks."""
    return f"pz-tsm/{version('pz-tsm')} {default_user_agent()}"


class Session(requests.Session):
    """A session that can be handed to any library: nothing that it sends goes unguarded.

    Proxies and authorities of certificates are taken from the environment, as `requests` does;
    SSL_CERT_FILE counts too. Passwords of .netrc are not: whoever writes a definition of a survey
    would choose where they are sent.
    """

    def __init__(self, limits: FetchLimits, deadline: Deadline) -> None:
        super().__init__()
        self.headers["User-Agent"] = user_agent()
        self.max_redirects = MAX_REDIRECTS
        self.auth = _as_it_is
        self._limits, self._deadline = limits, deadline
        self._adapter = _Adapter(limits, deadline)
        self.mount("https://", self._adapter)
        self.mount("http://", self._adapter)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a request, also one that was redirected; wait no longer than the limits say."""
        url = str(request.url)
        where = guard.check_url(url, ("https", "http"))
        proxies = kwargs.setdefault("proxies", resolve_proxies(request, self.proxies))
        if select_proxy(url, proxies):
            # The proxy makes the connection: what can be known here is where the name leads.
            guard.addresses(str(where.hostname), where.port or port_by_scheme[where.scheme])
        self._deadline.check(guard.shown(url))
        self._adapter.max_delay = left = self._deadline.left()
        kwargs["timeout"] = _within(kwargs.get("timeout"), self._limits, left)
        if kwargs.get("verify", True) is True:
            kwargs["verify"] = os.environ.get("SSL_CERT_FILE") or True
        streamed = kwargs.get("stream", False)
        reply = super().send(request, **{**kwargs, "stream": True})
        return reply if streamed else _taken_in(reply)

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Take credentials out of a request that is sent on to another host; add none."""
        if self.should_strip_auth(str(response.request.url), str(prepared_request.url)):
            prepared_request.headers.pop("Authorization", None)

    def get_redirect_target(self, resp: Response) -> str | None:
        """Where a reply sends us, if it may."""
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        resp.close()  # requests would read its body to the end, and it may have none
        guard.check_downgrade(resp.url, target)
        return target


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    """No credentials; without it, requests would look for some in .netrc."""
    return request


def _taken_in(reply: Response) -> Response:
    """The reply with its body in memory, as far as that is reasonable."""
    body = bytearray()
    for chunk in reply.iter_content(2**16):
        body += chunk
        if len(body) > MAX_IN_MEMORY:
            reply.close()
            raise refuse(Code.REMOTE_LIMIT, guard.shown(reply.url), expected="a short reply",
                         found=f"more than {MAX_IN_MEMORY} bytes, unfolded",
                         remedy="try later, or another service")
    reply._content = bytes(body)  # noqa: SLF001 - as requests does when it reads a body
    return reply


class _Adapter(LimiterAdapter):
    """Rate, retries, and connections that are guarded."""

    def __init__(self, limits: FetchLimits, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__(limiter=_limiter(limits.per_second), max_retries=_Patience.of(
            limits, deadline), pool_maxsize=limits.per_host, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Have all connections made by `connection`."""
        context = create_urllib3_context()
        context.sslsocket_class = HurriedTLS
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = pool_classes(self._deadline)


def _within(timeout: Any, limits: FetchLimits, left: float) -> tuple[float, float]:
    """Seconds to connect and to wait for bytes: as asked for or by default, and not beyond."""
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return (min(connect or limits.connect_seconds, left), min(read or limits.stall_seconds, left))


@cache
def _limiter(per_second: float) -> Limiter:
    """One for all sessions of this process: a service does not care how many there are."""
    at_once = max(1, int(per_second))
    rate = Rate(at_once, math.ceil(Duration.SECOND * at_once / per_second))
    return Limiter(HostBucketFactory(rates=[rate]))


class _Patience(Retry):
    """Retries that never wait beyond the deadline, and do not ask again what was too slow."""

    def __init__(self, *args: Any, deadline: Deadline, where: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline, self._where = deadline, where

    @classmethod
    def of(cls, limits: FetchLimits, deadline: Deadline) -> _Patience:
        """As limits say; queries are sent as POST and change nothing, so they are sent again."""
        return cls(limits.retries, redirect=False, allowed_methods=None, status_forcelist=AGAIN,
                   backoff_factor=_FIRST_WAIT / 2, backoff_max=_LONGEST_WAIT,
                   raise_on_status=False, deadline=deadline)

    def new(self, **kw: Any) -> _Patience:
        """As in urllib3."""
        return super().new(**{"deadline": self._deadline, "where": self._where, **kw})

    def increment(self, *args: Any, **kwargs: Any) -> _Patience:
        """As in urllib3; an answer that did not come in time would not come the next time."""
        if isinstance(kwargs.get("error"), (ReadTimeoutError, NameResolutionError)):
            Retry(0, allowed_methods=None).increment(*args, **kwargs)  # raises: no try is left
        pool = kwargs.get("_pool")
        return super().increment(*args, **kwargs).new(where=pool.host if pool else "")

    def sleep(self, response: Any = None) -> None:
        """Wait as long as the service asks, or longer each time and by chance."""
        chance = random.uniform(0, _FIRST_WAIT)  # noqa: S311 - nothing secret
        wait = self._asked(response) or self.get_backoff_time() + chance
        if wait > self._deadline.left():
            raise self._deadline.passed(self._where, f"{wait:.0f} s to wait before the next try")
        time.sleep(wait)

    def _asked(self, response: Any) -> float:
        try:
            return self.get_retry_after(response) or 0.0 if response else 0.0
        except (InvalidHeader, ValueError, OverflowError):
            return 0.0
