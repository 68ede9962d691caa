"""Parts of remote files, each known to be of the same edition: over HTTP and from S3."""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from pz_tsm_core.errors import Code, TransientError, refuse
from pz_tsm_core.remote.errors import passing, plainly
from pz_tsm_core.remote.guard import shown
from pz_tsm_core.remote.reach import Reach
from pz_tsm_core.remote.validators import Edition, range_start

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Bytes that are read at a time.
CHUNK = 2**18

#: Bytes at the end of a file that are kept: as many as Arrow looks for a footer in.
LAST = 2**16

#: Seconds before something is tried again that brought nothing, at first and at most; and before
#: a transfer goes on that broke off.
FIRST_WAIT, LONGEST_WAIT, BREATH = 0.5, 60.0, 0.05

#: For libraries that take no time at all for all the time in the world.
_INSTANT = 0.001


class ReplacedError(TransientError):
    """A file that became another one while it was read."""


class Ranges(ABC):
    """A remote file of one edition; what there is at the address is asked when it is made.

    Attributes
    ----------
    where : the address, as it is told to people
    size : bytes
    validator : by which the server tells this edition from others; empty where it does not

    Raises
    ------
    TsmError
        `service.refused` for nothing, or for a size that nobody says; `remote.limit` for a large
        one; `service.*`, `remote.*`.
    """

    def __init__(self, reach: Reach, url: str) -> None:
        self.reach, self.url, self.where = reach, url, shown(url)
        reach.deadline.check(self.where)
        with plainly(self.where):
            size, self.validator = self._state()
        if size is None:
            raise refuse(Code.SERVICE_REFUSED, self.where, found="no file of a known size",
                         expected="a server that says how large it is", remedy="use another copy")
        if size > reach.limits.max_bytes:
            raise refuse(Code.REMOTE_LIMIT, self.where, found=f"{size:,} bytes",
                         expected=f"at most {reach.limits.max_bytes:,}",
                         remedy="allow larger files, if you trust it")
        self.size = size

    def fetch(self, start: int, stop: int) -> bytearray:
        """Give the bytes from `start` to before `stop`.

        What has come before a cut is kept; a try that brings nothing is repeated within limits.

        Raises
        ------
        ReplacedError
            `service.incomplete` when the file has been replaced since it was opened.
        TsmError
            `service.*` or `remote.*`.
        """
        limits, deadline = self.reach.limits, self.reach.deadline

        def is_enough(state: RetryCallState) -> bool:
            return (state.attempt_number > limits.retries
                    or state.upcoming_sleep >= deadline.left())

        again = Retrying(retry=retry_if_exception(_may_pass), stop=is_enough, reraise=True,
                         wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT))
        data = bytearray()
        while start + len(data) < stop:
            come = again(self._bring, start + len(data), stop)
            data = data + come if data else come
        return data

    def _bring(self, start: int, stop: int) -> bytearray:
        """Give all these bytes, or those that come before the transfer breaks off."""
        come = bytearray()
        try:
            self.reach.deadline.check(self.where)
            with plainly(self.where):
                self._read(start, stop, come)
            if not come:
                raise passing(Code.SERVICE_INCOMPLETE, self.where, found="no bytes",
                              expected=f"{stop - start:,} bytes", remedy="try again")
        except TransientError as error:
            if not come or not _may_pass(error):
                raise
            time.sleep(BREATH)
        return come

    def _check(self, edition: Edition) -> None:
        """Refuse bytes of another edition, before they are read."""
        if edition.validator != self.validator or edition.bytes not in (None, self.size):
            raise ReplacedError(*passing(
                Code.SERVICE_INCOMPLETE, self.where, found="another file under the same address",
                expected="the file that was there when the transfer began", remedy="try again",
            ).problems)

    @abstractmethod
    def _state(self) -> tuple[int | None, str]:
        """Size and validator."""

    @abstractmethod
    def _read(self, start: int, stop: int, come: bytearray) -> None:
        """Add bytes as they come, no more than asked for, if they are of this edition."""


class HttpRanges(Ranges):
    """A file on a web server, which must give parts of it."""

    def _state(self) -> tuple[int | None, str]:
        stated = self.reach.state(self.url)
        return stated.bytes, stated.validator

    def _read(self, start: int, stop: int, come: bytearray) -> None:
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with self.reach.session.get(self.url, headers=headers, stream=True) as reply:
            reply.raise_for_status()
            if range_start(reply.headers) != start:
                raise refuse(Code.SERVICE_REFUSED, self.where, found="no parts of files",
                             expected="a server that knows requests for ranges",
                             remedy="use another copy")
            self._check(Edition.of(reply.headers))
            while left := stop - start - len(come):
                chunk = reply.raw.read1(min(left, CHUNK), decode_content=False)
                if not chunk:
                    return
                come += chunk


class S3Ranges(Ranges):
    """An object on S3, or on a store that speaks its protocol.

    Parameters
    ----------
    files : `Reach.filesystem` for it, or for the folder in which it lies
    """

    def __init__(self, reach: Reach, url: str, files: Any) -> None:
        self._files = files
        super().__init__(reach, url)

    def _state(self) -> tuple[int | None, str]:
        self._bucket, self._key, _ = self._files.split_path(self.url)
        info = self._files.info(self.url, refresh=True, timeout=self._patience())
        if info["type"] != "file" or not info.get("ETag"):
            return None, ""
        return info["size"], info["ETag"]

    def _read(self, start: int, stop: int, come: bytearray) -> None:
        from fsspec.asyn import sync

        answer = self._files.call_s3("get_object", Bucket=self._bucket, Key=self._key,
                                     Range=f"bytes={start}-{stop - 1}", timeout=self._patience())
        # Not all servers know If-Match; all say of which edition they give.
        body, is_other = answer["Body"], answer["ETag"] != self.validator
        left = max(self.reach.deadline.left(), _INSTANT)
        sync(self._files.loop, _read, body, come, 0 if is_other else stop - start, timeout=left)
        self._check(Edition(etag=answer["ETag"]))

    def _patience(self) -> float:
        """Seconds for an answer to begin, whatever the libraries below would try again."""
        limits = self.reach.limits
        usual = limits.connect_seconds + limits.stall_seconds
        return max(min(usual, self.reach.deadline.left()), _INSTANT)


async def _read(body: Any, come: bytearray, most: int) -> None:
    """Add so many bytes of a body; its connection is given back also if that fails."""
    async with body:
        while left := most - len(come):
            chunk = await body.read(min(left, CHUNK))
            if not chunk:
                return
            come += chunk


class RangedFile(io.RawIOBase):
    """A remote file as a file object, for libraries that seek.

    Every read is a request, but for the last bytes of the file: readers of Parquet begin there,
    and of a small file these are all.
    """

    def __init__(self, ranges: Ranges) -> None:
        super().__init__()
        self._ranges, self._place = ranges, 0
        self._end, self._last = max(ranges.size - LAST, 0), bytearray()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte, counted from the begin, from here or from the end."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place,
                                io.SEEK_END: self._ranges.size}[whence]
        return self._place

    def tell(self) -> int:
        """The byte that is read next."""
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer, or as much of it as there is left."""
        view = memoryview(buffer).cast("B")
        stop = min(self._place + len(view), self._ranges.size)
        if stop <= self._place:
            return 0
        data = self._bytes(self._place, stop)
        view[:len(data)] = data
        self._place = stop
        return len(data)

    def _bytes(self, start: int, stop: int) -> bytearray:
        if start < self._end:
            return self._ranges.fetch(start, stop)
        if not self._last:
            self._last = self._ranges.fetch(self._end, self._ranges.size)
        return self._last[start - self._end:stop - self._end]


def _may_pass(error: BaseException) -> bool:
    """Whether to try again: not what was asked several times below already, nor a new edition."""
    return (isinstance(error, TransientError) and not isinstance(error, ReplacedError)
            and {Code.SERVICE_TIMEOUT, Code.SERVICE_INCOMPLETE}.issuperset(error.codes))
