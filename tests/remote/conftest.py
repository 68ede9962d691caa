"""A web server that does as it is told, good or bad, and sockets that must never be called."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import Reach, download, guard, session

BODY = random.Random(5).randbytes(200_000)
ETAG = '"edition-1"'


class Visit(BaseHTTPRequestHandler):
    """One request, and the ways to answer it."""

    protocol_version = "HTTP/1.1"
    server: _HTTPServer

    def _answer(self) -> None:
        home = self.server.home
        length = int(self.headers.get("Content-Length") or 0)
        seen = Seen(self.command, self.path, dict(self.headers.items()),
                    self.rfile.read(length), time.monotonic())
        with home.lock:
            home.seen.append(seen)
            home.open += 1
            home.most_open = max(home.most_open, home.open)
            replies = home.replies.get(self.path.partition("?")[0], [_nothing])
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        try:
            reply(self)
        except OSError:
            self.close_connection = True
        finally:
            with home.lock:
                home.open -= 1

    do_GET = do_HEAD = do_POST = _answer

    def log_message(self, *_: Any) -> None:
        pass

    def head(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """The status and headers of a reply."""
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole reply."""
        self.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def file(
        self,
        body: bytes = BODY,
        *,
        etag: str = ETAG,
        modified: str = "",
        ranges: bool = True,
        cut: int | None = None,
        reset: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A file, as a good server gives it: with conditions and ranges; cut after some bytes."""
        said = {"ETag": etag, "Last-Modified": modified, "Accept-Ranges": "bytes" if ranges else ""}
        said = {name: value for name, value in said.items() if value} | dict(headers or {})
        asked = self.headers
        if asked.get("If-None-Match", "-") == etag or (
                modified and asked.get("If-Modified-Since") == modified):
            self.head(304, said)
            return
        start, status = 0, 200
        if ranges and asked.get("If-Range", etag or modified) in (etag, modified):
            span = asked.get("Range", "").removeprefix("bytes=")
            if span:
                start = int(span.partition("-")[0])
                if start >= len(body):
                    self.reply(416, headers={"Content-Range": f"bytes */{len(body)}"})
                    return
                stop = int(span.partition("-")[2] or len(body) - 1) + 1
                status = 206
                said["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
                body = body[:stop]
        self.head(status, {"Content-Length": str(len(body) - start), **said})
        if self.command == "HEAD":
            return
        rest = body[start:]
        self.wfile.write(rest if cut is None else rest[:cut])
        if cut is not None and cut < len(rest):
            self.break_off(reset=reset)

    def break_off(self, *, reset: bool) -> None:
        """Close the connection: in order, or as if the network was gone."""
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def wait(self, seconds: float) -> None:
        """Do nothing, for so long or until the test is over."""
        self.server.home.over.wait(seconds)

    @property
    def over(self) -> bool:
        """Whether the test is."""
        return self.server.home.over.is_set()


def _nothing(visit: Visit) -> None:
    visit.reply(404)


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    when: float


@dataclass
class Server:
    """Answers each path as it is told, one reply after the other; the last one stays."""

    port: int
    scheme: str = "http"
    replies: dict[str, list[Callable[[Visit], None]]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def on(self, path: str, *replies: Callable[[Visit], None]) -> str:
        """Set the replies of a path, and give its URL."""
        self.replies[path] = list(replies)
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    home: Server

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are what these tests are about."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers, which end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *where, **options: stack.enter_context(_serving(*where, **options))


@contextlib.contextmanager
def _serving(address: str = "127.0.0.1", port: int = 0,
             context: ssl.SSLContext | None = None) -> Iterator[Server]:
    with _HTTPServer((address, port), Visit) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True,
                                                do_handshake_on_connect=False)
        server.home = Server(server.server_address[1], "https" if context else "http")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.home
        finally:
            server.home.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def server(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that may be contacted, the only one on this machine."""
    home = serve()
    monkeypatch.setenv(guard.ALLOW_HOSTS, f"127.0.0.1:{home.port}")
    return home


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority of certificates that is trusted."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return ca


@pytest.fixture
def tls_server(authority: trustme.CA, serve: Callable[..., Server],
               monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """Starts a server with a certificate for these names; it may be contacted."""
    def start(*certified: str) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*certified).configure_cert(context)
        home = serve(context=context)
        monkeypatch.setenv(guard.ALLOW_HOSTS, f"127.0.0.1:{home.port}")
        return home

    return start


class Trap:
    """Sockets on one port of private addresses, which note whoever comes."""

    def __init__(self, *addresses: str, port: int = 0) -> None:
        self.port, self.sockets = port, []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            each = socket.socket(family)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                each.bind((address, self.port))
            except OSError:  # a machine without IPv6
                each.close()
                continue
            each.listen()
            each.setblocking(False)
            self.port = each.getsockname()[1]
            self.sockets.append(each)

    def caught(self) -> int:
        """How many connections were made since it was last asked."""
        count = 0
        for each in self.sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    each.accept()[0].close()
                    count += 1
        return count

    def close(self) -> None:
        for each in self.sockets:
            each.close()


@pytest.fixture
def traps() -> Iterator[Callable[..., Trap]]:
    """Makes traps, which end with the test."""
    made: list[Trap] = []

    def make(*addresses: str, port: int = 0) -> Trap:
        made.append(Trap(*addresses, port=port))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def trap(traps: Callable[..., Trap]) -> Iterator[Trap]:
    """Nobody may contact it: the test fails if somebody did."""
    each = traps("127.0.0.1", "::1")
    yield each
    assert each.caught() == 0


@pytest.fixture
def body() -> bytes:
    """What servers give by default."""
    return BODY


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits between tries."""
    for module in (session, download):
        monkeypatch.setattr(module, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(download, "_BREATH", 0.001)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, authority or credentials of whoever runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in (guard.ALLOW_HOSTS, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


LIMITS = FetchLimits(connect_seconds=2, stall_seconds=2, total_seconds=30, retries=2, per_host=4,
                     per_second=10_000)


@pytest.fixture
def reach() -> Reach:
    """A way out with short limits."""
    return Reach(LIMITS)


@pytest.fixture
def limited() -> Callable[..., Reach]:
    """A way out with some limits of its own."""
    return lambda **changed: Reach(LIMITS.model_copy(update=changed))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses, which are given one at a time, the last for ever; or all at once.

    A value `["a", "b"]` answers `a` once and then `b`; `["a b"]` answers both together.
    """
    told: dict[str, list[str]] = {}
    really = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        name = host.rstrip(".").lower() if isinstance(host, str) else host
        if name not in told:
            return really(host, port, *args, **kwargs)
        answers = told[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return [info for address in answer.split()
                for info in really(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return told
