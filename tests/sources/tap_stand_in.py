"""A stand-in for TAP services that misbehave: it knows one table, and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

_FIELD = '<FIELD name="{}" datatype="{}" {}/>'
_JOB = """<uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
  xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"><uws:jobId>1</uws:jobId>
  <uws:phase>{}</uws:phase><uws:executionDuration>600</uws:executionDuration>
  <uws:destruction>2026-11-30T00:00:00Z</uws:destruction><uws:parameters/><uws:results/>
  <uws:errorSummary type="fatal" hasDetail="false"><uws:message>{}</uws:message>
  </uws:errorSummary></uws:job>"""


def votable(columns: Mapping[str, str], *rows: tuple[Any, ...], status: str = "OK") -> bytes:
    """A small VOTable: datatypes by name, and rows."""
    fields = "".join(_FIELD.format(name, kind, 'arraysize="*"' if kind == "char" else "")
                     for name, kind in columns.items())
    cells = "".join("<TR>" + "".join(f"<TD>{cell}</TD>" for cell in row) + "</TR>" for row in rows)
    return (f'<VOTABLE version="1.4"><RESOURCE type="results"><TABLE>{fields}<DATA><TABLEDATA>'
            f'{cells}</TABLEDATA></DATA></TABLE><INFO name="QUERY_STATUS" value="{status}"/>'
            "</RESOURCE></VOTABLE>").encode()


class StandIn:
    """A service with one table, `t`, of the columns `id` and `z`.

    Parameters
    ----------
    rows : how many it says that it has
    phase, message : in which its jobs are for ever, and why
    table : what it answers instead of rows
    """


    def __init__(self, rows: int = 10, phase: str = "EXECUTING", message: str = "",
                 table: bytes = b"") -> None:
        self.rows, self.phase, self.message, self.table = rows, phase, message, table
        self.seen: list[str] = []
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}/tap"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, query: str) -> bytes:
        """The reply to a query."""
        if "TAP_SCHEMA" in query:
            names = ("table_name", "column_name", "datatype", "unit")
            return votable({**dict.fromkeys(names, "char"), "indexed": "int"},
                           ("t", "id", "long", "", 1), ("t", "z", "float", "", 0))
        if query.startswith("SELECT COUNT"):
            return votable({"n": "long"}, (self.rows,))
        return self.table

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    service: StandIn

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        self._note(form.get("PHASE", [""])[0])
        if self.path == "/tap/sync":
            self._reply(self.service.answer(form["QUERY"][0]))
        else:
            self.send_response(303)
            self.send_header("Location", f"{self.service.url}/async/1")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        self._note()
        self._reply(_JOB.format(self.service.phase, self.service.message).encode())

    def do_DELETE(self) -> None:
        self._note()
        self._reply(b"")

    def _note(self, what: str = "") -> None:
        self.service.seen.append(" ".join(filter(None, [self.command, self.path, what])))

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-votable+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stand_in(**said: Any) -> Iterator[StandIn]:
    """A service for as long as it is needed."""
    service = StandIn(**said)
    try:
        yield service
    finally:
        service.close()
