"""Files come whole or not at all, whatever the server and the network do to them."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.remote import Received, shown

DATE = "Fri, 20 Nov 2026 08:00:00 GMT"
LATER = "Fri, 20 Nov 2026 09:00:00 GMT"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file.fits"


def _is_whole(received: Received, target: Path, content: bytes) -> None:
    assert received.path == target
    assert target.read_bytes() == content
    assert received.bytes == len(content)
    assert received.sha256 == sha256(content)
    assert not target.with_name("file.fits.part").exists()


def _fails(code: Code, act: Callable[[], object], *, passes: bool) -> TsmError:
    with pytest.raises(TsmError) as failed:
        act()
    assert failed.value.codes == (code,)
    assert isinstance(failed.value, TransientError) is passes
    return failed.value


class TestWhole:
    """What a good server gives."""

    def test_a_file_comes_as_it_is(self, server, reach, target, body) -> None:
        url = server.on("/file.fits", lambda visit: visit.file())
        received = reach.download(url, target)
        _is_whole(received, target, body)
        assert received.validator == '"edition-1"'
        assert received.name == "file.fits"
        assert len(server.seen) == 1
        assert server.seen[0].headers["Accept-Encoding"] == "identity"
        assert server.seen[0].headers["User-Agent"].startswith("pz-tsm/")

    def test_an_empty_file_comes_too(self, server, reach, target) -> None:
        url = server.on("/file", lambda visit: visit.file(b""))
        _is_whole(reach.download(url, target), target, b"")

    def test_a_file_without_length_comes(self, server, reach, target, body) -> None:
        def until_closed(visit) -> None:
            visit.head(200, {"Connection": "close"})
            visit.wfile.write(body)
            visit.close_connection = True

        _is_whole(reach.download(server.on("/file", until_closed), target), target, body)

    def test_a_file_in_chunks_comes(self, server, reach, target, body) -> None:
        url = server.on("/file", lambda visit: _chunks(visit, body, len(body)))
        _is_whole(reach.download(url, target), target, body)

    def test_a_query_is_sent_as_a_form(self, server, reach, target, body) -> None:
        url = server.on("/sync", lambda visit: visit.file())
        received = reach.download(url, target, method="POST", data={"QUERY": "SELECT 1"})
        _is_whole(received, target, body)
        assert server.seen[0].method == "POST"
        assert server.seen[0].body == b"QUERY=SELECT+1"

    def test_redirects_are_followed(self, server, reach, target, body) -> None:
        url = server.on("/a", lambda visit: visit.reply(302, headers={"Location": "/b/file.csv"}))
        server.on("/b/file.csv", lambda visit: visit.file())
        received = reach.download(url, target)
        _is_whole(received, target, body)
        assert received.name == "file.csv"

    @pytest.mark.parametrize(("header", "name"), [
        ('attachment; filename="zcat.fits"', "zcat.fits"),
        ("attachment; filename=zcat.fits", "zcat.fits"),
        ("attachment; filename*=UTF-8''z%C3%A9ta.csv", "zéta.csv"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\..\\\\zcat.fits"', "zcat.fits"),
        ("attachment", "get.php"),
    ])
    def test_the_server_may_name_the_file(self, header, name, server, reach, target) -> None:
        url = server.on(
            "/get.php", lambda visit: visit.file(headers={"Content-Disposition": header}))
        assert reach.download(url + "?id=3", target).name == name

    def test_what_was_there_is_replaced(self, server, reach, target, body) -> None:
        target.write_bytes(b"old")
        _is_whole(reach.download(server.on("/f", lambda visit: visit.file()), target), target, body)

    def test_progress_is_told_in_bytes(self, server, reach, target, body) -> None:
        heard = []
        reach._hear = heard.append
        url = server.on("/file", lambda visit: visit.file())
        reach.download(url, target)
        assert heard[-1].done == heard[-1].total == len(body)
        assert all(moved.unit == "bytes" and moved.what == url for moved in heard)
        assert [moved.done for moved in heard] == sorted(moved.done for moved in heard)


def _chunks(visit, content: bytes, stop: int, *, end: bytes = b"0\r\n\r\n") -> None:
    visit.head(200, {"Transfer-Encoding": "chunked", "ETag": '"edition-1"'})
    for start in range(0, stop, 10_000):
        piece = content[start:min(start + 10_000, stop)]
        visit.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    if stop < len(content):
        visit.break_off(reset=False)
    else:
        visit.wfile.write(end)


class TestCut:
    """Transfers that break off."""

    @pytest.mark.parametrize("seed", range(16))
    def test_a_transfer_that_is_cut_anywhere_is_equal(
            self, seed, server, reach, target, body) -> None:
        chance = random.Random(seed)
        said = {"etag": ["", '"strong"', 'W/"weak"'][seed % 3], "modified": DATE}
        cuts = [chance.randrange(2, 40_000), 0, 1, *(chance.randrange(40_000) for _ in range(3))]
        replies = [lambda visit, cut=cut: visit.file(**said, cut=cut, reset=cut % 2 == 1)
                   for cut in cuts]
        url = server.on("/file", *replies, lambda visit: visit.file(**said))
        _is_whole(reach.download(url, target), target, body)
        assert len(server.seen) == len(cuts) + 1
        assert all("Range" in seen.headers for seen in server.seen[2:])

    @pytest.mark.parametrize("reply", [
        lambda visit, body, cut: visit.file(body, etag="", cut=cut),
        lambda visit, body, cut: visit.file(body, etag='W/"1"', cut=cut),
        lambda visit, body, cut: visit.file(body, ranges=False, cut=cut),
        lambda visit, body, cut: _chunks(visit, body, len(body) if cut is None else cut),
    ])
    @pytest.mark.parametrize("seed", range(4))
    def test_what_cannot_be_resumed_begins_anew(
            self, seed, reply, server, reach, target, body) -> None:
        cut = random.Random(seed).randrange(len(body))
        url = server.on("/file", lambda visit: reply(visit, body, cut),
                        lambda visit: reply(visit, body, None))
        _is_whole(reach.download(url, target), target, body)
        assert len(server.seen) == 2

    def test_only_what_is_missing_is_asked_for(self, server, reach, target, body) -> None:
        url = server.on("/file", lambda visit: visit.file(cut=150_000), lambda visit: visit.file())
        _is_whole(reach.download(url, target), target, body)
        asked = server.seen[1].headers
        assert asked["If-Range"] == '"edition-1"'
        assert int(asked["Range"].removeprefix("bytes=").rstrip("-")) == 149_999

    def test_a_later_call_goes_on_where_one_broke_off(
            self, server, limited, target, body) -> None:
        url = server.on("/file", lambda visit: visit.file(cut=150_000), lambda visit: visit.file())
        _fails(Code.SERVICE_INCOMPLETE, lambda: limited(retries=0).download(url, target),
               passes=True)
        assert not target.exists()
        _is_whole(limited(retries=0).download(url, target), target, body)
        assert "Range" in server.seen[1].headers

    def test_a_process_that_was_killed_is_followed_by_one_that_goes_on(
            self, server, reach, target, body) -> None:
        def slow(visit) -> None:
            visit.head(200, {"Content-Length": str(len(body)), "ETag": '"edition-1"'})
            visit.wfile.write(body[:150_000])
            visit.wfile.flush()
            visit.wait(60)

        url = server.on("/file", slow, lambda visit: visit.file())
        script = ("import sys; from pathlib import Path; from pz_tsm_core.remote import Reach; "
                  "Reach().download(sys.argv[1], Path(sys.argv[2]))")
        part = target.with_name(target.name + ".part")
        with subprocess.Popen([sys.executable, "-c", script, url, str(target)]) as process:
            try:
                while not (part.exists() and part.stat().st_size >= 100_000):
                    assert process.poll() is None
                    time.sleep(0.01)
            finally:
                process.kill()
        _is_whole(reach.download(url, target), target, body)
        asked = server.seen[1].headers["Range"]
        assert int(asked.removeprefix("bytes=").rstrip("-")) >= 99_999

    def test_a_file_that_came_whole_before_is_not_sent_again(
            self, server, limited, target, body) -> None:
        url = server.on("/file", lambda visit: visit.file())
        first = limited().download(url, target)
        again = limited().download(url, target, validator=first.validator)
        _is_whole(again, target, body)
        assert len(server.seen) == 1
        limited().download(url, target, validator='"edition-2"')
        limited().download(url, target)
        assert len(server.seen) == 3

    def test_what_came_from_elsewhere_is_not_gone_on_with(
            self, server, limited, target, body) -> None:
        other = server.on("/other", lambda visit: visit.file(b"x" * 1000, cut=500))
        url = server.on("/file", lambda visit: visit.file())
        with pytest.raises(TransientError):
            limited(retries=0).download(other, target)
        _is_whole(limited().download(url, target), target, body)
        assert "Range" not in server.seen[-1].headers

    def test_what_is_left_of_another_edition_is_not_gone_on_with(
            self, server, limited, target, body) -> None:
        url = server.on("/file", lambda visit: visit.file(cut=500), lambda visit: visit.file())
        with pytest.raises(TransientError):
            limited(retries=0).download(url, target)
        _is_whole(limited().download(url, target, validator='"edition-2"'), target, body)
        assert "Range" not in server.seen[-1].headers

    @pytest.mark.parametrize("spoil", [
        lambda note: note.write_text("{"), lambda note: note.write_text("[]"),
        lambda note: note.write_text('{"origin": 3, "etag": 4}'), lambda note: note.unlink(),
    ])
    def test_bytes_of_which_nobody_knows_are_not_gone_on_with(
            self, spoil, server, limited, target, body) -> None:
        url = server.on("/file", lambda visit: visit.file(cut=500), lambda visit: visit.file())
        with pytest.raises(TransientError):
            limited(retries=0).download(url, target)
        spoil(target.with_name("file.fits.from.json"))
        _is_whole(limited().download(url, target), target, body)
        assert "Range" not in server.seen[-1].headers

    def test_a_server_that_is_always_cut_is_given_up(self, server, reach, target) -> None:
        url = server.on("/file", lambda visit: visit.file(ranges=False, cut=5000))
        _fails(Code.SERVICE_INCOMPLETE, lambda: reach.download(url, target), passes=True)
        assert len(server.seen) <= 2 + reach.limits.retries
        assert not target.exists()


class TestChanged:
    """Bodies that change while they are pulled."""

    @pytest.mark.parametrize("second", [
        {"etag": '"edition-2"'}, {"etag": "", "modified": LATER},
        {"etag": '"edition-1"', "body": b"short"},
    ])
    @pytest.mark.parametrize("heeded", [True, False])
    def test_a_body_that_changed_between_ranges_comes_whole(
            self, heeded, second, server, reach, target, body) -> None:
        second = {"body": bytes(reversed(body)), **second}

        def careless(visit) -> None:
            if not heeded:  # a server that gives ranges of whatever it has
                del visit.headers["If-Range"]
            visit.file(**second)

        first = {"modified": DATE} if "modified" in second else {}
        url = server.on("/file", lambda visit: visit.file(**{
            "etag": "" if first else '"edition-1"', **first}, cut=100_000), careless)
        _is_whole(reach.download(url, target), target, second["body"])

    def test_a_range_that_begins_elsewhere_is_not_used(self, server, reach, target, body) -> None:
        def wrong(visit) -> None:
            if "Range" not in visit.headers:
                visit.file()
                return
            visit.reply(206, body[:10], {"Content-Range": f"bytes 0-9/{len(body)}",
                                         "ETag": '"edition-1"'})

        url = server.on("/file", lambda visit: visit.file(cut=100_000), wrong)
        _is_whole(reach.download(url, target), target, body)

    @pytest.mark.parametrize("said", ["", "bytes", "bytes a-b/c", "bytes 99999-199999/*",
                                      "bytes 99999-", "lines 99999-199999/200000"])
    def test_a_range_that_is_said_oddly_does_no_harm(
            self, said, server, reach, target, body) -> None:
        def odd(visit) -> None:
            if "Range" not in visit.headers:
                visit.file()
                return
            visit.reply(206, body[99_999:], {"Content-Range": said})

        url = server.on("/file", lambda visit: visit.file(cut=100_000), odd)
        _is_whole(reach.download(url, target), target, body)

    @pytest.mark.parametrize("more", [b"", b"more"])
    def test_a_rest_that_says_little_is_compared_with_what_was_begun(
            self, more, server, reach, target, body) -> None:
        def rest(visit) -> None:
            if "Range" not in visit.headers:
                visit.file()
                return
            start = int(visit.headers["Range"].removeprefix("bytes=").rstrip("-"))
            visit.reply(206, body[start:] + more, {"Content-Range": f"bytes {start}-/*"})

        url = server.on("/file", lambda visit: visit.file(cut=100_000), rest)
        received = reach.download(url, target)
        _is_whole(received, target, body)
        assert received.validator == '"edition-1"'
        assert len(server.seen) == (3 if more else 2)

    def test_a_checksum_that_pieces_do_not_have_is_tried_in_one(
            self, server, reach, target, body) -> None:
        # The server keeps its ETag although the file has changed.
        url = server.on("/file", lambda visit: visit.file(bytes(len(body)), cut=100_000),
                        lambda visit: visit.file())
        _is_whole(reach.download(url, target, sha256=sha256(body)), target, body)
        assert len(server.seen) == 3

    @pytest.mark.parametrize("expected", [
        {"sha256": "0" * 64}, {"md5": "0" * 32}, {"bytes": 10}, {"bytes": 10**9}])
    def test_a_file_that_is_not_what_was_ordered_is_refused(
            self, expected, server, reach, target) -> None:
        url = server.on("/file", lambda visit: visit.file())
        _fails(Code.SOURCE_CHANGED, lambda: reach.download(url, target, **expected), passes=False)
        assert not list(target.parent.iterdir())

    def test_a_file_with_the_md5_that_was_told_is_taken(self, server, reach, target, body) -> None:
        url = server.on("/file", lambda visit: visit.file())
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        _is_whole(reach.download(url, target, md5=md5), target, body)

    def test_a_size_is_compared_also_where_the_server_says_none(
            self, server, reach, target, body) -> None:
        url = server.on("/file", lambda visit: _chunks(visit, body, len(body)))
        _fails(Code.SOURCE_CHANGED, lambda: reach.download(url, target, bytes=10), passes=False)
        assert not target.exists()


class TestWrong:
    """Replies that no server should give."""

    @pytest.mark.parametrize("length", ["300000", "200001"])
    def test_fewer_bytes_than_promised_are_refused(
            self, length, server, reach, target, body) -> None:
        def short(visit) -> None:
            visit.reply(200, body, {"Content-Length": length, "Connection": "close"})
            visit.close_connection = True

        url = server.on("/file", short)
        _fails(Code.SERVICE_INCOMPLETE, lambda: reach.download(url, target), passes=True)
        assert not target.exists()

    @pytest.mark.parametrize("length", ["-1", "x", "1e5", "0x10", "9" * 5000, ""])
    def test_a_length_that_is_none_is_not_heeded(self, length, server, reach, target, body) -> None:
        def odd(visit) -> None:
            visit.head(200, {"Content-Length": length, "Connection": "close"})
            visit.wfile.write(body)
            visit.close_connection = True

        _is_whole(reach.download(server.on("/file", odd), target), target, body)

    @pytest.mark.parametrize("end", [b"", b"zz\r\n", b"-5\r\n", b"ffffffffffffffff\r\n"])
    def test_chunks_without_an_end_are_refused(self, end, server, reach, target, body) -> None:
        def broken(visit) -> None:
            _chunks(visit, body, len(body), end=end)
            visit.close_connection = True

        _fails(Code.SERVICE_INCOMPLETE,
               lambda: reach.download(server.on("/file", broken), target), passes=True)
        assert not target.exists()

    @pytest.mark.parametrize("reply", [
        lambda visit: visit.wfile.write(b"nonsense\r\n\r\n"),
        lambda visit: visit.wfile.write(b"HTTP/1.1 999999 ?\r\n\r\n"),
        lambda visit: visit.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"\r\n"),
        lambda visit: visit.wfile.write(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000 + b"\r\n\r\n"),
        lambda visit: visit.wfile.write(b"\0" * 100_000),
        lambda visit: None,
    ], ids=["no-http", "no-status", "many-headers", "long-header", "zeros", "nothing"])
    def test_what_is_no_reply_is_told(self, reply, server, reach, target) -> None:
        def once(visit) -> None:
            reply(visit)
            visit.break_off(reset=False)

        with pytest.raises(TransientError) as failed:
            reach.download(server.on("/file", once), target)
        assert failed.value.codes[0] in (Code.SERVICE_UNREACHABLE, Code.SERVICE_INCOMPLETE)
        assert not target.exists()

    @pytest.mark.parametrize("status", [201, 202, 204, 206, 300, 304, 400, 401, 403, 404, 410, 416,
                                        451, 505])
    def test_another_status_is_no_file(self, status, server, reach, target) -> None:
        url = server.on("/file", lambda visit: visit.reply(status))
        error = _fails(Code.SERVICE_REFUSED, lambda: reach.download(url, target), passes=False)
        assert str(status) in str(error)
        assert len(server.seen) == 1
        assert not target.exists()

    def test_a_compression_that_nobody_asked_for_is_kept_folded(
            self, server, reach, target) -> None:
        bomb = gzip.compress(bytes(10**7))
        url = server.on("/file", lambda visit: visit.reply(
            200, bomb, {"Content-Encoding": "gzip"}))
        _is_whole(reach.download(url, target), target, bomb)

    @pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "compress", "?"])
    def test_an_encoding_that_no_reader_knows_is_refused(
            self, encoding, server, reach, target) -> None:
        url = server.on("/file", lambda visit: visit.file(headers={"Content-Encoding": encoding}))
        error = _fails(Code.SERVICE_REFUSED, lambda: reach.download(url, target), passes=False)
        assert encoding in str(error)

    def test_a_file_that_is_too_large_is_not_begun(self, server, limited, target, body) -> None:
        url = server.on("/file", lambda visit: visit.file())
        _fails(Code.REMOTE_LIMIT,
               lambda: limited(max_bytes=len(body) - 1).download(url, target), passes=False)
        assert not list(target.parent.iterdir())
        _is_whole(limited(max_bytes=len(body)).download(url, target), target, body)

    def test_a_body_without_end_is_left_at_the_limit(self, server, limited, target) -> None:
        def endless(visit) -> None:
            visit.head(200, {"Connection": "close"})
            while not visit.over:
                visit.wfile.write(bytes(2**16))

        _fails(Code.REMOTE_LIMIT, lambda: limited(max_bytes=2**20).download(
            server.on("/file", endless), target), passes=False)
        assert not list(target.parent.iterdir())

    def test_a_redirect_with_a_body_without_end_is_followed(
            self, server, reach, target, body) -> None:
        def endless(visit) -> None:
            visit.head(302, {"Location": "/file", "Connection": "close"})
            while not visit.over:
                visit.wfile.write(bytes(2**16))

        server.on("/file", lambda visit: visit.file())
        _is_whole(reach.download(server.on("/a", endless), target), target, body)

    def test_redirects_in_a_circle_end(self, server, reach, target) -> None:
        url = server.on("/a", lambda visit: visit.reply(302, headers={"Location": "/a"}))
        _fails(Code.SERVICE_REFUSED, lambda: reach.download(url, target), passes=False)
        assert len(server.seen) <= 12

    def test_a_folder_that_cannot_be_written_to_is_told(self, server, reach, tmp_path) -> None:
        (tmp_path / "a file").touch()
        url = server.on("/file", lambda visit: visit.file())
        error = _fails(Code.STORE_IO, lambda: reach.download(url, tmp_path / "a file" / "x"),
                       passes=False)
        assert str(tmp_path) in str(error)

    def test_a_query_in_an_address_is_not_told(self, server, reach, target) -> None:
        url = server.on("/file", lambda visit: visit.reply(403)) + "?X-Amz-Signature=secret"
        error = _fails(Code.SERVICE_REFUSED, lambda: reach.download(url, target), passes=False)
        assert "secret" not in str(error)
        assert shown(url) in str(error)


class TestSlow:
    """Servers that take their time, on purpose or not."""

    def test_a_transfer_that_stalls_goes_on_where_it_did(
            self, server, limited, target, body) -> None:
        def stalling(visit) -> None:
            visit.head(200, {"Content-Length": str(len(body)), "ETag": '"edition-1"'})
            visit.wfile.write(body[:100_000])
            visit.wfile.flush()
            visit.wait(60)

        url = server.on("/file", stalling, lambda visit: visit.file())
        _is_whole(limited(stall_seconds=0.2).download(url, target), target, body)
        assert "Range" in server.seen[1].headers

    @pytest.mark.parametrize("drip", ["head", "body", "chunk"])
    def test_bytes_that_drip_in_end_at_the_deadline(self, drip, server, limited, target) -> None:
        starts = {"head": b"HTTP/1.1 200 OK\r\nX: ",
                  "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
                  "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}

        def dripping(visit) -> None:
            visit.wfile.write(starts[drip])
            while not visit.over:
                visit.wfile.write(b"0")
                visit.wfile.flush()
                visit.wait(0.02)

        began = time.monotonic()
        reach = limited(total_seconds=1.0, stall_seconds=0.8)
        _fails(Code.SERVICE_TIMEOUT,
               lambda: reach.download(server.on("/file", dripping), target), passes=True)
        assert time.monotonic() - began < 1.0 + 5
        assert not target.exists()

    @pytest.mark.parametrize("act", [
        lambda reach, url, target: reach.state(url),
        lambda reach, url, target: reach.download(url, target),
        lambda reach, url, target: reach.download(url, target, method="POST", data={"a": "b"}),
    ], ids=["state", "download", "query"])
    def test_a_stopped_server_is_told_within_the_limit(self, act, limited, target, monkeypatch):
        with _stopped_server() as port:
            monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", f"127.0.0.1:{port}")
            began = time.monotonic()
            reach = limited(total_seconds=1.5, stall_seconds=1, retries=9)
            _fails(Code.SERVICE_TIMEOUT,
                   lambda: act(reach, f"http://127.0.0.1:{port}/", target), passes=True)
            assert time.monotonic() - began < 1.5 + 5


class _stopped_server:
    """A web server of its own process, which was stopped."""

    def __enter__(self) -> int:
        script = ("import http.server as web\n"
                  "server = web.HTTPServer(('127.0.0.1', 0), web.SimpleHTTPRequestHandler)\n"
                  "print(server.server_port, flush=True)\n"
                  "server.serve_forever()")
        self._process = subprocess.Popen([sys.executable, "-c", script], text=True,
                                         stdout=subprocess.PIPE)
        port = int(self._process.stdout.readline())
        os.kill(self._process.pid, signal.SIGSTOP)
        return port

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
