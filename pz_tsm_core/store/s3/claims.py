"""Which of what stands on a server was left by processes of this machine that are dead.

A server knows no processes: it must believe a hold or a lease until its time is over. Whoever
works on the same machine, as the same user, can know earlier: beside the object on the server a
process claims a local file of the same name, under a lock that dies with it.
"""

from __future__ import annotations

import fcntl
import io
import re
from contextlib import suppress
from pathlib import Path

from pz_tsm_core.store.owners import claim, is_abandoned, store_lock

_FOLDER = ".owners"
_NAME = re.compile(r"[0-9a-f]{32}")


class Claims:
    """The claims of processes of this user on this machine.

    Parameters
    ----------
    scratch : local folder of the store
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch, self._folder = scratch, scratch / _FOLDER

    def make(self, name: str) -> io.FileIO | None:
        """Claim a name for as long as this process lives and keeps the file.

        Gives None where there is no room for it: then others have to wait.
        """
        with suppress(OSError), store_lock(self._scratch, fcntl.LOCK_SH):
            self._folder.mkdir(exist_ok=True)
            return claim(self._folder / name)
        return None

    def end(self, name: str) -> None:
        """Give up a claim; to be called when nothing of that name stands on the server."""
        with suppress(OSError):
            (self._folder / name).unlink()

    def is_dead(self, name: str) -> bool:
        """Whether the process that made a claim is known to be gone."""
        if not _NAME.fullmatch(name):  # it was read from the server
            return False
        path = self._folder / name
        with suppress(OSError), store_lock(self._scratch, fcntl.LOCK_EX):
            return path.exists() and is_abandoned(path, path)
        return False

    def sweep(self, standing: frozenset[str]) -> None:
        """Remove the claims of the dead, unless something of their name stands on the server."""
        with suppress(OSError):
            for path in sorted(self._folder.iterdir()):
                if path.name not in standing and self.is_dead(path.name):
                    self.end(path.name)
