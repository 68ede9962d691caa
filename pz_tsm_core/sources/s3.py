"""Single objects on S3, and on stores that speak its protocol."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.remote import plainly, shown
from pz_tsm_core.remote.part import Part
from pz_tsm_core.remote.ranges import Ranges, ReplacedError, S3Ranges
from pz_tsm_core.remote.validators import Edition
from pz_tsm_core.sources._disk import on_disk
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

#: Bytes that are asked for at a time: few requests, and little that a cut loses.
RANGE = 16 * 2**20


class S3(Service):
    """An object at s3://bucket/key; `table` names the one that is meant of several in the file.

    What anybody may read is read without credentials; they, the endpoint and the region are those
    of the environment (AWS_*).
    """

    name = "s3"

    def look(self, ask: Ask) -> Offer:
        """Say how large the object is, and whether it is the one that is known, by its ETag."""
        there = self._there(ask.place.url)
        return Offer(bytes=there.size, validator=there.validator,
                     unchanged=there.validator == ask.known)

    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring the object; one that is replaced meanwhile is begun anew."""
        url = ask.place.url
        part = Part(folder / _file_name(url), url)
        if part.whole != Edition(etag=offer.validator, bytes=offer.bytes):
            anew = Retrying(retry=retry_if_exception_type(ReplacedError), reraise=True,
                            stop=stop_after_attempt(self.reach.limits.retries + 1))
            with on_disk(part.path):
                anew(self._bring, url, part)
        yield Piece(folder / _file_name(url), table=ask.place.table or None)

    def _there(self, url: str) -> Ranges:
        if not url.startswith("s3://") or not _file_name(url):
            raise refuse(Code.REMOTE_FORBIDDEN, shown(url), found="no address of an object",
                         expected="s3://bucket/key", remedy="correct `sources` of the definition")
        with plainly(shown(url)):
            return S3Ranges(self.reach, url, self.reach.filesystem(url))

    def _bring(self, url: str, part: Part) -> None:
        """Bring what is still missing of the object as it is now."""
        there = self._there(url)
        edition = Edition(etag=there.validator, bytes=there.size)
        if part.edition != edition:
            part.begin(edition)
        done, per_host = part.size, self.reach.limits.per_host

        def fetch(start: int) -> bytearray:
            return there.fetch(start, min(start + RANGE, there.size))

        with ThreadPoolExecutor(per_host) as pool, part.growing(done) as file:
            for data in _in_turn(pool, fetch, range(done, there.size, RANGE), per_host):
                file.write(data)
                done += len(data)
                self.reach.tell(there.where, done, there.size, "bytes")
        part.finish()


def _in_turn(
    pool: ThreadPoolExecutor, fetch: Callable[[int], bytearray], starts: Iterable[int], ahead: int
) -> Iterator[bytearray]:
    """What comes, in the order asked; a few are asked for before the first is there."""
    asked: deque[Future[bytearray]] = deque()
    try:
        for start in starts:
            asked.append(pool.submit(fetch, start))
            if len(asked) > ahead:
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()
    finally:
        for each in asked:
            each.cancel()


def _file_name(url: str) -> str:
    """A safe name, with the ending that says the format; empty for a bucket and for no name."""
    _, _, key = url.removeprefix("s3://").partition("/")
    return re.sub(r"[^\w.+-]", "_", PurePosixPath(key).name)[-100:].lstrip(".")
