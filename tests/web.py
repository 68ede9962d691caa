"""Files behind a loopback address, as archives serve them."""

from __future__ import annotations

import threading
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Files behind http://127.0.0.1, with ETags; every request is noted.

    While it is `held`, the second half of a file never comes; `reached` tells that one waits. So
    many times as `busy` says, it answers that it is.
    """

    def __init__(self):
        self.files, self.requests, self.busy = {}, [], 0
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
        if self.web.busy:
            self.web.busy -= 1
            self._send(503, b"", {})
            return
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
