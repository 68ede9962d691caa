"""Folders for what is on its way: kept from try to try, so that a cut transfer goes on."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pz_tsm_core.remote import Deadline

#: What nobody came back for is removed after this long without a change.
KEPT_SECONDS = 7 * 24 * 3600
_LOOK_SECONDS = 0.2


@contextmanager
def parts(root: Path, key: str, deadline: Deadline) -> Iterator[Path]:
    """Lend the folder of a request, to this process alone; it goes when all went well.

    After a failure it stays, and the next try for the same request, of this process or another,
    begins with what is there.
    """
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    with _alone(root / f"{key}.lock", deadline):
        folder = root / key
        folder.mkdir(exist_ok=True)
        yield folder
        shutil.rmtree(folder)


@contextmanager
def _alone(lock: Path, deadline: Deadline) -> Iterator[None]:
    """Hold a lock that dies with this process; whoever fetches the same waits for it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                deadline.check("another fetch of the same, which holds its folder")
                time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(handle)


def _sweep(root: Path) -> None:
    """Remove what lies there since long: a file system without locks may leave it."""
    for path in root.iterdir():
        if time.time() - path.stat().st_mtime > KEPT_SECONDS:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
