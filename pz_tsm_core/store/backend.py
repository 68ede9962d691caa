"""What the store asks of the place that holds its bytes; nothing else differs between places.

Keys are relative POSIX paths below the root of the store. An *object* is a folder of files that
becomes visible as a whole: its data files first, its manifest last.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from upath import UPath

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Stamp:
    """Size of a file, and a token that differs once its bytes have been written anew."""

    size: int
    token: str


class Stamps(Protocol):
    """Stamps of files by key; a dictionary is one."""

    def get(self, key: str, /) -> Stamp | None:
        """Stamp of a file, if it is known."""

    def __setitem__(self, key: str, stamp: Stamp, /) -> None: ...


#: Seconds after which a turn that nobody renews is over: a stopped process, a dead machine.
TURN_SECONDS = 60.0


class Turn(Protocol):
    """The right to make an artifact; it renews itself, and ends with its process.

    Should it be lost on the way, as by a machine that slept, two make the artifact: one of them
    publishes it.
    """

    def give_back(self) -> None:
        """Let the next one have it, and raise nothing: in time it ends by itself."""


class Unguarded:
    """A `Turn` where nobody can be kept out: without locks, or without the right to write."""

    def give_back(self) -> None:
        """Nothing is to be given back."""


class Backend(Protocol):
    """Fifteen verbs. All of them raise `OSError` when the place refuses.

    Four guarantees carry the store; a new backend says how it gives each of them:
    atomic visibility (`publish`), one winner (`publish` returns False to all others), a listing
    that shows what was published before (`names`, `files`), and that nothing is collected which
    somebody holds (`hold`, `collecting`).

    Attributes
    ----------
    sound : stamps of files that were found sound, kept for later processes; None where stamps do
        not vouch for bytes, or reading them again costs little
    """

    sound: Stamps | None

    def names(self, key: str) -> list[str]:
        """Names right below a key, sorted; empty when there is no such key."""

    def files(self, key: str) -> dict[str, Stamp]:
        """Every file below a key by its path relative to it; empty when there is none."""

    def read(self, key: str) -> bytes:
        """Bytes of a small file; `FileNotFoundError` when there is none."""

    def open(self, key: str) -> pa.NativeFile:
        """Open a file for random access; `FileNotFoundError` when there is none."""

    def locate(self, key: str) -> Path | UPath:
        """Path under which other libraries find the key."""

    def beside(self, name: str) -> Path:
        """Local folder for what others keep beside the objects and may lose."""

    def staging(self) -> AbstractContextManager[Path]:
        """Lend an empty folder on local disk, removed at the end; a crash leaves it to later ones.

        Folders that dead processes left are removed on the way, those of living ones never.
        """

    def publish(self, staged: Path, key: str, manifest: bytes) -> bool:
        """Make a staged folder the object `key`: all durable before visible, manifest last.

        Returns False, and changes nothing, when the object exists already. After an error the
        object is either absent or whole.
        """

    def replace(self, key: str, content: bytes) -> None:
        """Write a small file anew, outside every object: a record that changes, read by `read`.

        Whoever reads meanwhile gets the old bytes or the new, never a mixture; of two who write at
        once the last one stays. Durable when it returns; after an error it is the old or the new.
        """

    def set_aside(self, key: str, damaged: Callable[[], bool]) -> bool:
        """Move an object out of sight if it is damaged, judged while nobody else can move it."""

    def hold(self, address: str) -> bool:
        """Keep what stands, or will stand, under an address from being collected.

        Lasts as long as this backend and its process. What a collection took before this returns
        is out of sight for everybody when it returns; no later one takes it. Returns False, and
        does nothing, where there is no store yet: then nothing stands there either. Whoever may
        not write to the place holds nothing.
        """

    def turn(self, address: str) -> Turn | None:
        """Take the turn to make what will stand at an address; None when somebody else has it.

        That of a process which died on this machine is over at once; any other when it was not
        renewed for a while, by the clock of the place.
        """

    def collecting(self) -> AbstractContextManager[frozenset[str]]:
        """Lend the addresses that are held; while it lasts nobody begins to hold another.

        Refuses where it cannot be known who holds what.
        """

    def discard(self, key: str) -> bool:
        """Move an object out of sight, whole and at once; only inside `collecting`.

        Returns False when it is gone already.
        """

    def sweep(self, *, dry_run: bool = False) -> int:
        """Delete what was discarded and what dead processes left; give the bytes that it took.

        With `dry_run` it deletes nothing and gives the bytes that it would.
        """
