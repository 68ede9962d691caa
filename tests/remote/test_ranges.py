"""Parts of remote files: of one edition, no more than was asked for, as file objects."""

from __future__ import annotations

import contextlib
import io
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pz_tsm_core import remote
from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import Reach
from pz_tsm_core.remote.ranges import HttpRanges, RangedFile, ReplacedError

BODY = random.Random(21).randbytes(100_000)

#: What a server answers to a request for a range: headers beside, and the bytes.
Answer = Callable[[int, int], tuple[dict[str, str], bytes]]


def well(start: int, stop: int) -> tuple[dict[str, str], bytes]:
    return {"ETag": '"a"'}, BODY[start:stop]


def another(start: int, stop: int) -> tuple[dict[str, str], bytes]:
    return {"ETag": '"b"'}, BODY[start:stop]


def longer(start: int, stop: int) -> tuple[dict[str, str], bytes]:
    """A file of another size, from a server that has no ETags."""
    return {"Content-Range": f"bytes {start}-{stop - 1}/{len(BODY) + 1}"}, BODY[start:stop]


def elsewhere(start: int, stop: int) -> tuple[dict[str, str], bytes]:
    return {"Content-Range": f"bytes 0-{stop - start - 1}/{len(BODY)}"}, BODY[:stop - start]


def without_end(start: int, stop: int) -> tuple[dict[str, str], bytes]:
    return {"ETag": '"a"', "Content-Length": str(10**15)}, BODY[start:]


def nothing(start: int, stop: int) -> tuple[dict[str, str], bytes]:
    return {"ETag": '"a"'}, b""


@contextlib.contextmanager
def _server(answer: Answer, monkeypatch: pytest.MonkeyPatch, head: dict[str, str]) -> Iterator[str]:
    class Visit(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._head(200, {"Accept-Ranges": "bytes", "Content-Length": str(len(BODY)), **head})

        def do_GET(self) -> None:
            start, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            headers, body = answer(start, last + 1)
            self._head(206, {"Content-Range": f"bytes {start}-{last}/{len(BODY)}",
                             "Content-Length": str(len(body)), **headers})
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Visit) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", f"127.0.0.1:{server.server_port}")
        yield f"http://127.0.0.1:{server.server_port}/part.parquet"
        server.shutdown()


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., HttpRanges]]:
    """Opens a file on a server that gives its parts in some way."""
    monkeypatch.setattr(remote.ranges, "LONGEST_WAIT", 0.01)
    with contextlib.ExitStack() as servers:
        def opened(answer: Answer, etag: str = '"a"') -> HttpRanges:
            head = {"ETag": etag} if etag else {}
            url = servers.enter_context(_server(answer, monkeypatch, head))
            return HttpRanges(Reach(FetchLimits(per_second=1e4, retries=2)), url)

        yield opened


def test_any_part_is_what_it_is(ranges: Callable[..., HttpRanges]) -> None:
    file = ranges(well)
    assert (file.size, file.validator) == (len(BODY), '"a"')
    for start, stop in ((0, 1), (99_999, 100_000), (5, 70_000), (7, 7)):
        assert file.fetch(start, stop) == BODY[start:stop]


@pytest.mark.parametrize(("answer", "etag"), [(another, '"a"'), (longer, "")])
def test_bytes_of_another_edition_are_not_taken(
    ranges: Callable[..., HttpRanges], answer: Answer, etag: str
) -> None:
    with pytest.raises(ReplacedError) as caught:
        ranges(answer, etag).fetch(10, 20)
    assert caught.value.codes == (Code.SERVICE_INCOMPLETE,)


def test_bytes_of_another_place_are_not_taken(ranges: Callable[..., HttpRanges]) -> None:
    with pytest.raises(TsmError) as caught:
        ranges(elsewhere).fetch(10, 20)
    assert caught.value.codes == (Code.SERVICE_REFUSED,)


def test_no_more_is_read_than_was_asked_for(ranges: Callable[..., HttpRanges]) -> None:
    assert ranges(without_end).fetch(10, 20) == BODY[10:20]


def test_a_server_that_sends_nothing_is_given_up(ranges: Callable[..., HttpRanges]) -> None:
    with pytest.raises(TransientError) as caught:
        ranges(nothing).fetch(10, 20)
    assert caught.value.codes == (Code.SERVICE_INCOMPLETE,)


def test_it_reads_and_seeks_as_a_file_does(ranges: Callable[..., HttpRanges]) -> None:
    ours, truth = RangedFile(ranges(well)), io.BytesIO(BODY)
    for step in (lambda file: file.read(10), lambda file: file.seek(-8, io.SEEK_END),
                 lambda file: file.read(4), lambda file: file.seek(2, io.SEEK_CUR),
                 lambda file: file.read(100), lambda file: file.read(1),
                 lambda file: file.seek(50_000), lambda file: file.read(), lambda file: file.tell(),
                 lambda file: file.seek(200_000), lambda file: file.read(5)):
        assert step(ours) == step(truth)
