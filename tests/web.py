"""Files behind a loopback address, as archives serve them."""

from __future__ import annotations

import threading
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Files behind http://127.0.0.1, with ETags; every request is noted.

    While it is `held`, the second half of a file never comes; `reached` tells that one waits. So
    many times as `busy` says, it answers that it is. `before` is called with the name of a file
    before it is sent, and may wait.
    """

    def __init__(self):
        self.files, self.requests, self.busy, self.before = {}, [], 0, lambda name: None
        self.held, self.reached, self.stopped = False, threading.Event(), threading.Event()
        handler = type("Handler", (_Handler,), {"web": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, name):
        return f"http://{self.host}/{name}"

    def serve(self, folder, name):
        """Put all files of a folder below a name; gives its address."""
        self.files |= {f"{name}/{file.relative_to(folder).as_posix()}": file.read_bytes()
                       for file in folder.rglob("*") if file.is_file()}
        return self.url(name)

    def asked(self):
        """Files of which bytes were asked for, since the last time that this was called."""
        told = [path.lstrip("/") for command, path in self.requests if command == "GET"]
        self.requests.clear()
        return told

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
        if body:
            self.web.before(self.path.lstrip("/"))
        part = self._part(tag, len(content))
        if part:
            said["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(content)}"
            content = content[part.start:part.stop]
        self._send(206 if part else 200, content, said, body=body)

    def _part(self, tag, size):
        """The bytes asked for; nothing for all of them."""
        asked = self.headers.get("Range", "")
        if not asked or self.headers.get("If-Range", tag) != tag:
            return None
        start, _, last = asked.removeprefix("bytes=").partition("-")
        if not start:
            return range(max(size - int(last), 0), size)
        return range(int(start), min(int(last or size) + 1, size))

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
