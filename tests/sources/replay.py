"""A server on this machine that replays replies of services, whole or with faults.

It is not VizieR, SkyServer, GAMA or NED: what it sends are replies that astroquery's authors
recorded, where there are any (they come with astroquery, BSD-3), else stand-ins that follow the
published interface. The tests say which.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import trustme

from pz_tsm_core.sources import _replies


def recorded(path: str) -> bytes:
    """A reply that astroquery's tests keep, as in vizier/tests/data/viz.xml."""
    found = Path(str(files("astroquery"))) / path
    if not found.exists():
        pytest.skip(f"this astroquery comes without {path}")
    return found.read_bytes()


@dataclass(frozen=True)
class Reply:
    """What is sent.

    Parameters
    ----------
    counted : whether Content-Length says how long the body is
    sent : bytes of the body that are sent before the connection is closed; all by default
    pause : seconds before anything is sent
    """

    body: bytes
    status: int = 200
    type: str = "text/xml"
    counted: bool = True
    sent: int | None = None
    pause: float = 0.0


@dataclass(frozen=True)
class Question:
    """A request that came."""

    path: str
    arguments: dict[str, str]
    agent: str


@dataclass
class Replay:
    """A running server: answers, and keeps what it was asked.

    Parameters
    ----------
    answer : gives the reply to a question
    first : replies that are sent before, one by one, whatever is asked
    """

    answer: Callable[[Question], Reply]
    first: list[Reply] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    address: str = ""

    def reply(self, question: Question) -> Reply:
        self.asked.append(question)
        return self.first.pop(0) if self.first else self.answer(question)


@contextmanager
def replaying(
    answer: Callable[[Question], Reply], folder: Path, patch: pytest.MonkeyPatch
) -> Iterator[Replay]:
    """Run a server over TLS on a free port, to which the guard lets us go."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    replay = Replay(answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(replay))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # clients that give up are what is tested
    replay.address = f"localhost:{server.server_address[1]}"
    patch.setattr(_replies, "_FIRST_WAIT", 0.01)
    patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "authority.pem"))
    patch.setenv("PZ_TSM_ALLOW_HOSTS", replay.address)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield replay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(replay: Replay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.respond("")

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            self.respond(self.rfile.read(length).decode())

        def respond(self, form: str) -> None:
            parts = urlsplit(self.path)
            arguments = dict(parse_qsl(f"{parts.query}&{form}", keep_blank_values=True))
            reply = replay.reply(
                Question(parts.path, arguments, self.headers.get("User-Agent", "")))
            time.sleep(reply.pause)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.type)
            if reply.counted:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[:reply.sent])
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
