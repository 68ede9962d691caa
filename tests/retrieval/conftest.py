"""One small catalogue, published in many ways by a server on this machine."""

from __future__ import annotations

import threading
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import Reach
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys.definition import parse_survey

DEFINITION = """\
schema: 1
key: deep_field
ordinal: 1000000
name: The Deep Field
facility: VLT/VIMOS
release: R1
year: 2026
sources: [{sources}]
types: {{ID: int, RAJ2000: float, DEJ2000: float, z: float, Q: int, Name: text}}
columns:
  id: {{from: ID}}
  ra: {{from: RAJ2000, unit: deg}}
  dec: {{from: DEJ2000, unit: deg}}
  z: {{from: z}}
  native_flag: {{from: Q}}
  others: [Name]
quality: {{otherwise: 3, source: "section 4"}}
object_class: {{otherwise: galaxy, source: "section 4"}}
instrument_type: {{otherwise: s, source: slit spectra}}
"""


def survey_at(*places):
    """The survey, published at these places: mappings such as `Source` takes."""
    said = ", ".join(
        "{" + ", ".join(f'{key}: "{value}"' if isinstance(value, str) else f"{key}: {value}"
                        for key, value in place.items()) + "}" for place in places)
    return parse_survey(DEFINITION.format(sources=said), "deep_field.yaml")


def catalogue(rows=500, seed=4):
    """Rows around ra 0, with ids beyond 2^53, missing numbers and missing text."""
    random = np.random.default_rng(seed)
    return Table({
        "ID": 2**60 + np.arange(rows),
        "RAJ2000": random.normal(0, 1, rows) % 360,
        "DEJ2000": random.normal(-30, 1, rows),
        "z": np.where(random.random(rows) < 0.1, np.nan, random.random(rows)),
        "Q": MaskedColumn(random.integers(0, 5, rows), mask=random.random(rows) < 0.1),
        "Name": np.where(random.random(rows) < 0.1, "", "g" + np.arange(rows).astype("U6")),
    })


class Web:
    """Files behind http://127.0.0.1, with ETags; every request is noted.

    While it is `held`, the second half of a file never comes; `reached` tells that one waits.
    """

    def __init__(self):
        self.files, self.requests = {}, []
        self.held, self.reached, self.stopped = False, threading.Event(), threading.Event()
        handler = type("Handler", (_Handler,), {"web": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, name):
        return f"http://{self.host}/{name}"

    def stop(self):
        self.stopped.set()  # connections that are kept alive end, too
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, *, body):
        if self.web.stopped.is_set():
            self.close_connection = True
            return
        self.web.requests.append((self.command, self.path))
        content = self.web.files.get(self.path.lstrip("/"))
        if content is None:
            self._send(404, b"", {})
            return
        tag = f'"{sha256(content).hexdigest()}"'
        said = {"ETag": tag, "Last-Modified": formatdate(0, usegmt=True), "Accept-Ranges": "bytes"}
        if self.headers.get("If-None-Match") == tag:
            self._send(304, b"", said)
            return
        start = self._start(tag)
        status = 206 if start else 200
        if start:
            said["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], said, body=body)

    def _start(self, tag):
        asked = self.headers.get("Range", "")
        if not asked or self.headers.get("If-Range", tag) != tag:
            return 0
        return int(asked.removeprefix("bytes=").partition("-")[0])

    def _send(self, status, content, said, *, body=True):
        self.send_response(status)
        for name, value in {**said, "Content-Length": len(content)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if body and content and self.web.held:
            self.wfile.write(content[:len(content) // 2])
            self.web.reached.set()
            self.web.stopped.wait()
        elif body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def web(monkeypatch):
    running = Web()
    monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", running.host)
    yield running
    running.stop()


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def reach():
    return Reach(FetchLimits(total_seconds=60, connect_seconds=2, stall_seconds=5, retries=1,
                             per_second=1000))
