"""A file from an address to disk: streamed, gone on with after a cut, checked, then moved."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from requests import Response, Session
from tenacity import RetryCallState, Retrying, retry_if_exception

from pz_tsm_core.errors import Code, TransientError, TsmError, refuse
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote.deadline import Deadline
from pz_tsm_core.remote.errors import passing, plainly
from pz_tsm_core.remote.guard import shown
from pz_tsm_core.remote.part import Part
from pz_tsm_core.remote.validators import Edition, range_start

CHUNK = 2**18
TELL_SECONDS = 0.1
#: Seconds, at most, before a transfer that gets on is taken up again; and before one that does not,
#: the first time and ever.
_BREATH = 0.1
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0

#: What a transfer is tried again for. A service that takes no connection, or refuses, was asked
#: several times already: sessions do that.
_AGAIN = {Code.SERVICE_TIMEOUT, Code.SERVICE_INCOMPLETE}

#: Compressions that whoever reads the file knows by its first bytes, and unfolds within limits.
_KEPT_FOLDED = {"", "identity", "gzip", "x-gzip", "zstd"}


@dataclass(frozen=True)
class Order:
    """What is to be brought, to where, and what is known of it beforehand.

    Parameters
    ----------
    md5 : for what is published with no better digest
    """

    url: str
    target: Path
    method: str = "GET"
    data: Mapping[str, Any] | None = None
    validator: str = ""
    sha256: str = ""
    md5: str = ""
    bytes: int | None = None

    def is_met_by(self, path: Path, sha256: str) -> bool:
        """Whether a file, of this digest, is what was ordered, as far as that is known."""
        return (self.bytes in (None, path.stat().st_size) and self.sha256 in ("", sha256)
                and (not self.md5 or self.md5 == digest_of(path, "md5")))

    def __str__(self) -> str:
        known = (f"{self.bytes} bytes" if self.bytes is not None else "",
                 f"sha256 {self.sha256}" if self.sha256 else "",
                 f"md5 {self.md5}" if self.md5 else "")
        return ", ".join(filter(None, known))


@dataclass(frozen=True)
class Received:
    """A file that came, whole and checked.

    Parameters
    ----------
    validator : by which the server tells this edition from others; empty where it does not
    name : by which the server calls it, to tell its format by; leads nowhere, and is empty for a
        file that was there already
    """

    path: Path
    bytes: int
    sha256: str
    validator: str
    name: str = ""


class Transfer:
    """One file on its way.

    Parameters
    ----------
    tell : is told what, how many bytes of how many have come, and the unit
    """

    def __init__(
        self,
        order: Order,
        session: Session,
        limits: FetchLimits,
        deadline: Deadline,
        tell: Callable[..., None],
    ) -> None:
        self._order, self._session, self._limits = order, session, limits
        self._deadline, self._tell = deadline, tell
        self._where = shown(order.url)
        self._part = Part(order.target, order.url)
        self._ranges = order.method == "GET"  # until the server shows that it does them wrongly
        self._before = self._fruitless = 0

    def carry_out(self) -> Received:
        """Bring it, as often as it takes within the limits."""
        again = Retrying(retry=retry_if_exception(_may_pass), after=self._count,
                         wait=self._pause, stop=self._is_enough, reraise=True)
        try:
            return self._there() or again(self._once)
        except OSError as error:  # those of the network are told already
            raise refuse(
                Code.STORE_IO, str(self._order.target), found=error.strerror or str(error),
                expected="a folder with room, that can be written to",
                remedy="make room there, or name another",
            ) from error

    def _there(self) -> Received | None:
        """The file, when a former call has brought this very edition."""
        order, edition = self._order, self._part.whole
        if edition is None or not order.validator or edition.validator != order.validator:
            return None
        size, sha256 = order.target.stat().st_size, digest_of(order.target)
        if edition.bytes not in (None, size) or not order.is_met_by(order.target, sha256):
            return None
        return Received(order.target, size, sha256, edition.validator)

    def _once(self) -> Received:
        self._before = kept = self._kept()
        with plainly(self._where), self._ask(kept) as reply:
            start, edition = self._begin(reply, kept)
            self._write(reply, start, edition.bytes)
            return self._checked(edition, _name(reply), resumed=start > 0)

    def _kept(self) -> int:
        """Bytes that have come and can be gone on with.

        The last of them is asked for again: what is whole already is no range beyond the end.
        """
        edition = self._part.edition if self._ranges else None
        if edition is None or not edition.if_range:
            return 0
        expected = self._order.validator
        return self._part.size - 1 if expected in ("", edition.validator) else 0

    def _ask(self, kept: int) -> Response:
        headers = {"Accept-Encoding": "identity"}
        edition = self._part.edition
        if kept and edition:
            headers |= {"Range": f"bytes={kept}-", "If-Range": edition.if_range}
        order = self._order
        return self._session.request(order.method, order.url, data=order.data, headers=headers,
                                     stream=True)

    def _begin(self, reply: Response, kept: int) -> tuple[int, Edition]:
        """From which byte on the body is written, and of what; refuse what is no such reply."""
        if kept and reply.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise self._begun_anew()
        reply.raise_for_status()
        said = Edition.of(reply.headers)
        self._check(reply, said, kept)
        # Some servers answer a range with 200, and say only beside it that it is one.
        ranged = bool(kept) and "Content-Range" in reply.headers
        if reply.status_code != HTTPStatus.PARTIAL_CONTENT and not ranged:
            self._part.begin(said)
            return 0, said
        begun = self._part.edition
        if begun is None or begun.differs(said):
            raise self._begun_anew()
        if range_start(reply.headers) != kept:
            self._ranges = False
            raise self._begun_anew()
        return kept, begun

    def _check(self, reply: Response, edition: Edition, kept: int) -> None:
        """Refuse, before it is pulled, what cannot be right."""
        partial = HTTPStatus.PARTIAL_CONTENT if kept else HTTPStatus.OK
        if reply.status_code not in (HTTPStatus.OK, partial):
            raise refuse(Code.SERVICE_REFUSED, self._where, found=f"HTTP {reply.status_code}",
                         expected="a file", remedy="try later, or correct the address")
        encoding = reply.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in _KEPT_FOLDED:
            raise refuse(Code.SERVICE_REFUSED, self._where,
                         found=f"a body that is encoded as `{encoding}`",
                         expected="the file as it is, which is what was asked for",
                         remedy="fetch the file by hand, and name it")
        if edition.bytes is not None:
            self._check_size(edition.bytes)
            if self._order.bytes not in (None, edition.bytes):
                raise self._changed(f"{edition.bytes} bytes", f"{self._order.bytes} bytes")

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            self._part.drop()
            raise refuse(Code.REMOTE_LIMIT, self._where, found=f"{size} bytes or more",
                         expected=f"at most {self._limits.max_bytes} bytes",
                         remedy="allow more, if you expect so much")

    def _write(self, reply: Response, start: int, total: int | None) -> None:
        done, told = start, -math.inf
        with self._part.growing(start) as file:
            while chunk := reply.raw.read1(CHUNK, decode_content=False):
                done += len(chunk)
                self._check_size(done)
                file.write(chunk)
                self._deadline.check(self._where)
                if time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    self._tell(self._where, done, total, "bytes")
        self._tell(self._where, done, total, "bytes")
        if total is not None and done != total:
            if done > total:
                self._part.drop()
            raise passing(Code.SERVICE_INCOMPLETE, self._where, found=f"{done} bytes",
                          expected=f"{total} bytes, as promised", remedy="try again")

    def _checked(self, edition: Edition, name: str, *, resumed: bool) -> Received:
        """Move what came to its place, if it is what was ordered."""
        order, size, sha256 = self._order, self._part.size, digest_of(self._part.path)
        if not order.is_met_by(self._part.path, sha256):
            self._part.drop()
            if resumed:  # the fault may be of the pieces: once more, in one
                raise self._begun_anew()
            raise self._changed(f"{size} bytes, sha256 {sha256}", f"a file of {order}")
        self._part.finish()
        return Received(order.target, size, sha256, edition.validator, name)

    def _begun_anew(self) -> TransientError:
        """Forget what came, and return the error after which the next try begins with byte 0."""
        self._part.drop()
        return passing(Code.SERVICE_INCOMPLETE, self._where,
                       found="another file than the one that was begun",
                       expected="the rest of it", remedy="try again, from the first byte on")

    def _changed(self, found: str, expected: str) -> TsmError:
        return refuse(Code.SOURCE_CHANGED, self._where, found=found, expected=expected,
                      remedy="see what has changed there, and correct the definition")

    def _count(self, _: RetryCallState) -> None:
        """What brought something that stays is not counted: the next try begins behind it."""
        self._fruitless = 0 if self._kept() > self._before else self._fruitless + 1

    def _pause(self, _: RetryCallState) -> float:
        """Longer each time, and by chance: others were cut in the same moment."""
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (self._fruitless - 1))
        return random.uniform(0, longest if self._fruitless else _BREATH)  # noqa: S311

    def _is_enough(self, state: RetryCallState) -> bool:
        return (max(self._fruitless, 1) > self._limits.retries
                or state.upcoming_sleep >= self._deadline.left())


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """Digest of what lies at a path now, in hexadecimal digits."""
    # Not `digest_file`: two files that came to one place within a tick of the clock look equal.
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TransientError) and _AGAIN.issuperset(error.codes)


def _name(reply: Response) -> str:
    """The name of the file: what the server gives it, or the end of its address."""
    header = Message()
    header["Content-Disposition"] = reply.headers.get("Content-Disposition", "")
    name = header.get_filename() or unquote(urlsplit(reply.url).path)
    return PurePosixPath(name.replace("\\", "/")).name
