"""An object as a file: bytes are fetched where they are asked for."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RangeReader(io.RawIOBase):
    """A raw file over ranges of bytes, to be read through a buffer.

    Parameters
    ----------
    fetch : gives the bytes from a start to an end
    size : of the whole
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """And at any place."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is fetched."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The place where the next bytes are taken."""
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fetch as many bytes as fit, or are left."""
        target = memoryview(buffer).cast("B")
        count = max(0, min(len(target), self._size - self._at))
        if count:
            content = self._fetch(self._at, self._at + count)
            if len(content) != count:
                raise OSError(errno.EIO, f"the server gave {len(content)} bytes, not {count}")
            target[:count] = content
            self._at += count
        return count
