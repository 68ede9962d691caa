"""An object as a file: bytes are fetched where they are asked for, and ahead of who reads on."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable

#: So many bytes are fetched ahead at first, then twice as many each time, up to the most.
FIRST_AHEAD, MOST_AHEAD = 1 << 20, 16 << 20


class RangeReader:
    """A file over ranges of bytes, for Arrow.

    Who reads on from where the last bytes ended gets ever more with one request; who jumps about,
    as readers of some columns do, gets what was asked for and no more.

    Parameters
    ----------
    fetch : gives the bytes from a start to an end
    size : of the whole
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch, self._size = fetch, size
        self._at = 0
        self._held, self._held_from = b"", 0
        self._ahead = 0
        self.closed = False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is fetched."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The place where the next bytes are taken."""
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Give as many bytes as asked for, or as are left."""
        end = self._size if count < 0 else min(self._at + count, self._size)
        if end <= self._at:
            return b""
        if not (self._held_from <= self._at and end <= self._held_to):
            self._hold(end)
        piece = self._held[self._at - self._held_from:end - self._held_from]
        self._at = end
        return piece

    def close(self) -> None:
        """Let go of what is held."""
        self.closed, self._held = True, b""

    @property
    def _held_to(self) -> int:
        return self._held_from + len(self._held)

    def _hold(self, end: int) -> None:
        """Hold the bytes from here to an end, and more if they follow those that were held."""
        kept = b""
        if self._held_from <= self._at <= self._held_to:
            kept = self._held[self._at - self._held_from:]
            self._ahead = min(2 * self._ahead or FIRST_AHEAD, MOST_AHEAD)
        else:
            self._ahead = 0
        start = self._at + len(kept)
        stop = min(max(end, start + self._ahead), self._size)
        fetched = self._fetch(start, stop)
        if len(fetched) != stop - start:
            raise OSError(errno.EIO, f"the server gave {len(fetched)} bytes, not {stop - start}")
        self._held, self._held_from = kept + fetched, self._at
