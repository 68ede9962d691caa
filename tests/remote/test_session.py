"""Sessions are patient with services, polite to them, and bounded."""

from __future__ import annotations

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.remote import Moved, Reach, plainly, session

DATE = "Fri, 20 Nov 2026 08:00:00 GMT"


def _get(reach: Reach, url: str, **options) -> bytes:
    with plainly("the service"):
        reply = reach.session.get(url, **options)
        reply.raise_for_status()
        return reply.content


def _refused(code: Code, reach: Reach, url: str, **options) -> TsmError:
    with pytest.raises(TsmError) as refused:
        _get(reach, url, **options)
    assert refused.value.codes == (code,)
    return refused.value


class TestPatience:
    """What may pass is asked for again; what may not is not."""

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    @pytest.mark.parametrize("method", ["get", "post", "head"])
    def test_a_busy_service_is_asked_again(self, status, method, server, reach) -> None:
        url = server.on("/", lambda visit: visit.reply(status), lambda visit: visit.reply(200))
        reply = getattr(reach.session, method)(url)
        assert reply.status_code == 200
        assert len(server.seen) == 2

    def test_a_service_that_stays_busy_is_left_in_peace(self, server, reach) -> None:
        error = _refused(Code.SERVICE_REFUSED, reach, server.on("/", lambda v: v.reply(503)))
        assert isinstance(error, TransientError)
        assert "503 Service Unavailable" in str(error)
        assert len(server.seen) == 1 + reach.limits.retries

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
    def test_a_refusal_is_taken_as_one(self, status, server, reach) -> None:
        error = _refused(Code.SERVICE_REFUSED, reach, server.on("/", lambda v: v.reply(status)))
        assert not isinstance(error, TransientError)
        assert len(server.seen) == 1

    def test_a_service_says_how_long_to_wait(self, server, reach) -> None:
        url = server.on("/", lambda visit: visit.reply(429, headers={"Retry-After": "1"}),
                        lambda visit: visit.reply(200))
        _get(reach, url)
        first, second = server.seen
        assert second.when - first.when >= 1

    @pytest.mark.parametrize("wait", ["3600", "9" * 300, "Fri, 20 Nov 2037 08:00:00 GMT"])
    def test_nobody_waits_beyond_the_deadline(self, wait, server, reach) -> None:
        url = server.on("/", lambda visit: visit.reply(503, headers={"Retry-After": wait}))
        error = _refused(Code.SERVICE_TIMEOUT, reach, url)
        assert isinstance(error, TransientError)
        assert "127.0.0.1" in str(error)
        assert len(server.seen) == 1
        assert reach.deadline.left() > 0

    @pytest.mark.parametrize("wait", ["soon", "-5", "1.5", "9" * 5000, "", "Fri, 99 Nov 2026"])
    def test_a_wait_that_is_none_is_not_heeded(self, wait, server, reach) -> None:
        url = server.on("/", lambda visit: visit.reply(503, headers={"Retry-After": wait}),
                        lambda visit: visit.reply(200))
        _get(reach, url)
        assert len(server.seen) == 2

    def test_a_connection_that_is_lost_is_made_again(self, server, reach) -> None:
        url = server.on("/", lambda visit: visit.break_off(reset=True),
                        lambda visit: visit.reply(200, b"here"))
        assert _get(reach, url) == b"here"

    def test_a_service_that_is_away_is_told(self, server, reach, traps, monkeypatch) -> None:
        gone = traps("127.0.0.1")
        gone.close()
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", "127.0.0.1")
        error = _refused(Code.SERVICE_UNREACHABLE, reach, f"http://127.0.0.1:{gone.port}/")
        assert isinstance(error, TransientError)
        assert "refused" in str(error)

    def test_a_name_that_nobody_knows_is_told_at_once(self, reach, names) -> None:
        names["archive.test"] = ["not an address", "93.184.216.34"]
        error = _refused(Code.SERVICE_UNREACHABLE, reach, "http://archive.test/")
        assert isinstance(error, TransientError)
        assert names["archive.test"] == ["93.184.216.34"]

    def test_an_answer_that_is_too_slow_is_not_asked_for_again(self, server, limited) -> None:
        url = server.on("/", lambda visit: visit.wait(30))
        error = _refused(Code.SERVICE_TIMEOUT, limited(stall_seconds=0.2), url)
        assert isinstance(error, TransientError)
        assert len(server.seen) == 1

    def test_whoever_asks_may_wait_less_but_not_beyond_the_deadline(self, server, limited) -> None:
        url = server.on("/", lambda visit: visit.wait(30))
        began = time.monotonic()
        _refused(Code.SERVICE_TIMEOUT, limited(), url, timeout=0.2)
        _refused(Code.SERVICE_TIMEOUT, limited(total_seconds=0.5), url, timeout=(60, 60))
        assert time.monotonic() - began < 5

    def test_after_the_deadline_nobody_is_asked(self, server, limited) -> None:
        reach = limited(total_seconds=0.001)
        time.sleep(0.01)
        _refused(Code.SERVICE_TIMEOUT, reach, server.on("/", lambda visit: visit.reply(200)))
        assert not server.seen


class TestPoliteness:
    """Who asks, how often, and how much at a time."""

    def test_it_says_who_asks(self, server, reach) -> None:
        _get(reach, server.on("/", lambda visit: visit.reply(200)))
        assert server.seen[0].headers["User-Agent"].startswith("pz-tsm/0.")
        assert session.user_agent() == server.seen[0].headers["User-Agent"]

    def test_a_host_is_not_asked_more_often_than_allowed(self, server, limited) -> None:
        url = server.on("/", lambda visit: visit.reply(200))
        for _ in range(2):  # whoever begins anew has no other measure
            reach = limited(per_second=20)
            for _ in range(15):
                _get(reach, url)
        when = [seen.when for seen in server.seen]
        assert all(later - earlier > 0.9 for earlier, later in zip(when, when[21:], strict=False))

    def test_no_more_requests_than_allowed_are_open_at_a_time(self, server, limited) -> None:
        url = server.on("/", lambda visit: (visit.wait(0.05), visit.reply(200)))
        reach = limited(per_host=2)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: _get(reach, url), range(16)))
        assert server.most_open == 2

    def test_who_holds_all_connections_does_not_stop_others_for_ever(self, server, limited) -> None:
        url = server.on("/", lambda visit: visit.file())
        reach = limited(per_host=1, total_seconds=0.5)
        with reach.session.get(url, stream=True):
            _refused(Code.SERVICE_TIMEOUT, reach, url)


class TestBounds:
    """Replies that are held in memory."""

    def test_a_short_reply_is_unfolded(self, server, reach) -> None:
        url = server.on("/", lambda visit: visit.reply(
            200, gzip.compress(b"<VOTABLE/>"), {"Content-Encoding": "gzip"}))
        assert _get(reach, url) == b"<VOTABLE/>"

    def test_a_reply_that_unfolds_without_end_is_refused(self, server, reach, monkeypatch):
        monkeypatch.setattr(session, "MAX_IN_MEMORY", 2**20)
        url = server.on("/", lambda visit: visit.reply(
            200, gzip.compress(bytes(2**24)), {"Content-Encoding": "gzip"}))
        _refused(Code.REMOTE_LIMIT, reach, url)

    def test_a_reply_without_end_is_refused(self, server, reach, monkeypatch) -> None:
        def endless(visit) -> None:
            visit.head(200, {"Connection": "close"})
            while not visit.over:
                visit.wfile.write(bytes(2**16))

        monkeypatch.setattr(session, "MAX_IN_MEMORY", 2**20)
        _refused(Code.REMOTE_LIMIT, reach, server.on("/", endless))

    def test_what_is_streamed_is_the_callers(self, server, reach, body, monkeypatch) -> None:
        monkeypatch.setattr(session, "MAX_IN_MEMORY", 10)
        with reach.session.get(server.on("/", lambda v: v.file()), stream=True) as reply:
            assert reply.raw.read(decode_content=False) == body


class TestTrust:
    """Certificates count for names, and only those of authorities that are trusted."""

    def test_a_certificate_of_a_trusted_authority_is_taken(self, tls_server, reach, body) -> None:
        home = tls_server("127.0.0.1")
        assert _get(reach, home.on("/", lambda visit: visit.file())) == body

    def test_the_certificate_is_that_of_the_name(self, tls_server, reach, names, body, monkeypatch):
        home = tls_server("archive.test")
        home.on("/", lambda visit: visit.file())
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", "127.0.0.1")
        names["archive.test"] = names["other.test"] = ["127.0.0.1"]
        assert _get(reach, f"https://archive.test:{home.port}/") == body
        for other in ("other.test", "127.0.0.1"):
            error = _refused(Code.SERVICE_UNREACHABLE, reach, f"https://{other}:{home.port}/")
            assert not isinstance(error, TransientError)
            assert "certificate" in str(error).lower()
        assert len(home.seen) == 1

    def test_a_stranger_is_not_trusted(self, tls_server, reach, monkeypatch) -> None:
        home = tls_server("127.0.0.1")
        monkeypatch.delenv("SSL_CERT_FILE")
        error = _refused(Code.SERVICE_UNREACHABLE, reach, home.on("/", lambda v: v.file()))
        assert not isinstance(error, TransientError)
        assert not home.seen

    def test_the_bundle_of_requests_counts_too(
            self, tls_server, reach, body, monkeypatch, tmp_path) -> None:
        home = tls_server("127.0.0.1")
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert _get(reach, home.on("/", lambda visit: visit.file())) == body

    def test_a_handshake_without_end_ends_within_the_limit(self, limited, traps, monkeypatch):
        silent = traps("127.0.0.1")
        monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", "127.0.0.1")
        reach = limited(connect_seconds=0.2, retries=0)
        error = _refused(Code.SERVICE_TIMEOUT, reach, f"https://127.0.0.1:{silent.port}/")
        assert isinstance(error, TransientError)

    def test_drips_over_tls_end_at_the_deadline_too(self, tls_server, limited) -> None:
        def dripping(visit) -> None:
            visit.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not visit.over:
                visit.wfile.write(b"0")
                visit.wfile.flush()
                visit.wait(0.02)

        home = tls_server("127.0.0.1")
        began = time.monotonic()
        _refused(Code.SERVICE_TIMEOUT, limited(total_seconds=0.7), home.on("/", dripping))
        assert time.monotonic() - began < 5


class TestState:
    """One request says whether there is something new."""

    @pytest.mark.parametrize("said", [{}, {"etag": 'W/"weak"'}, {"etag": "", "modified": DATE},
                                      {"modified": DATE}])
    def test_an_unchanged_source_costs_one_request(self, said, server, reach, body) -> None:
        url = server.on("/file", lambda visit: visit.file(**said))
        first = reach.state(url)
        assert first.bytes == len(body)
        assert first.validator
        assert not first.unchanged
        server.seen.clear()
        assert reach.state(url, first.validator).unchanged
        assert [seen.method for seen in server.seen] == ["HEAD"]

    @pytest.mark.parametrize(("said", "resumable"), [
        ({}, True), ({"etag": 'W/"weak"'}, False), ({"etag": 'W/"weak"', "modified": DATE}, True),
        ({"etag": ""}, False), ({"ranges": False}, False),
    ])
    def test_it_says_whether_a_transfer_may_go_on(self, said, resumable, server, reach) -> None:
        assert reach.state(server.on("/f", lambda v: v.file(**said))).resumable is resumable

    def test_a_changed_source_is_told_apart(self, server, reach) -> None:
        url = server.on("/file", lambda visit: visit.file(etag='"edition-2"'))
        stated = reach.state(url, '"edition-1"')
        assert not stated.unchanged
        assert stated.validator == '"edition-2"'

    def test_a_server_that_knows_no_conditions_is_understood(self, server, reach) -> None:
        url = server.on("/file", lambda visit: visit.reply(200, headers={"ETag": '"edition-1"'}))
        assert reach.state(url, '"edition-1"').unchanged

    @pytest.mark.parametrize("status", [400, 403, 405, 501])
    def test_a_server_that_knows_no_head_is_asked_for_a_byte(
            self, status, server, reach, body) -> None:
        def no_head(visit) -> None:
            if visit.command == "HEAD":
                visit.reply(status)
            else:
                visit.file()

        url = server.on("/file", no_head)
        stated = reach.state(url)
        assert (stated.bytes, stated.validator) == (len(body), '"edition-1"')
        assert server.seen[1].headers["Range"] == "bytes=0-0"
        assert reach.state(url, stated.validator).unchanged

    def test_a_body_without_end_is_not_waited_for(self, server, reach) -> None:
        def endless(visit) -> None:
            if visit.command == "HEAD":
                visit.reply(405)
                return
            visit.head(200, {"Connection": "close", "ETag": '"edition-1"'})
            while not visit.over:
                visit.wfile.write(bytes(2**16))

        assert reach.state(server.on("/file", endless)).validator == '"edition-1"'

    @pytest.mark.parametrize("status", [404, 410, 401])
    def test_what_is_not_there_is_told(self, status, server, reach) -> None:
        with pytest.raises(TsmError) as refused:
            reach.state(server.on("/file", lambda visit: visit.reply(status)), '"edition-1"')
        assert refused.value.codes == (Code.SERVICE_REFUSED,)


def test_progress_is_told_to_who_wants_to_hear_it() -> None:
    heard: list[Moved] = []
    Reach(hear=heard.append).tell("desi", 3, 10, "rows")
    Reach().tell("desi", 3, 10, "rows")
    assert heard == [Moved("desi", 3, 10, "rows")]


def test_threads_may_share_a_reach(server, reach, tmp_path, body) -> None:
    url = server.on("/file", lambda visit: visit.file())
    done = threading.Barrier(4)

    def bring(number: int) -> bytes:
        done.wait()
        return reach.download(url, tmp_path / str(number)).path.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(bring, range(4))) == {body}
