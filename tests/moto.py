"""An S3 server of this machine that enforces conditions, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Self

from tests.waiting import free_port


@dataclass(frozen=True)
class Moto:
    """moto's server, with one bucket; it takes any credentials."""

    url: str
    pid: int
    bucket: ClassVar[str] = "pztsm"
    key: ClassVar[str] = "pz-tsm"
    secret: ClassVar[str] = "not-a-secret"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Start it on a free port, and end it."""
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                server = cls(f"http://127.0.0.1:{port}", process.pid)
                while not server._has_a_bucket():
                    assert process.poll() is None, "moto did not start"
                    time.sleep(0.05)
                yield server
            finally:
                process.kill()

    def _has_a_bucket(self) -> bool:
        request = urllib.request.Request(f"{self.url}/{self.bucket}", method="PUT")
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except OSError:
            return False
        return True

    @property
    def environment(self) -> dict[str, str]:
        """What a client of this server needs, and nothing of whoever runs the tests."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def stop(self) -> None:
        """Let it take connections and answer none, as a machine that hangs."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        os.kill(self.pid, signal.SIGCONT)
