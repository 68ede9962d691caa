"""A proxy that does to HTTP traffic what networks and servers do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Proxy(ThreadingHTTPServer):
    """Stands before a server and does to its traffic what networks and servers do.

    Parameters
    ----------
    rule : from a request and its number, 1 for the first, to what becomes of it:
        `lose request`, `lose answer`, `cut answer`, `busy`, `denied`, `unconditional`, else None
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = server.removeprefix("http://")
        self.rule: Callable[[Seen], str | None] = lambda seen: None
        self.seen: list[Seen] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is what this is for."""


@dataclass
class Seen:
    """A request that came by, and what the server answered."""

    number: int
    method: str
    path: str
    conditional: bool
    status: int | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            seen = Seen(len(self.server.seen) + 1, self.command, self.path,
                        "If-None-Match" in self.headers)
            self.server.seen.append(seen)
            verdict = self.server.rule(seen)
        if verdict == "lose request":
            self.close_connection = True
        elif verdict == "busy":
            self._refuse(503, "SlowDown")
        elif verdict == "denied":
            self._refuse(403, "AccessDenied")
        else:
            self._forward(seen, body, verdict)

    def _forward(self, seen: Seen, body: bytes, verdict: str | None) -> None:
        headers = dict(self.headers.items())
        headers.pop("Expect", None)
        if verdict == "unconditional":
            headers.pop("If-None-Match", None)
        connection = http.client.HTTPConnection(self.server.target)
        try:
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        seen.status = answer.status
        if verdict == "lose answer":
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.end_headers()
        if verdict == "cut answer":
            self.close_connection, content = True, content[:len(content) // 2]
        self.wfile.write(content if self.command != "HEAD" else b"")

    def _refuse(self, status: int, code: str) -> None:
        content = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""
