"""File systems over HTTP and S3, as HATS catalogues need them."""

from __future__ import annotations

import pickle
import time
from importlib import import_module
from pathlib import Path

import pytest
from upath import UPath

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.remote import Reach, errors, plainly
from tests.sources.s3_servers import S3Server, needs_rclone, s3_server


def _fails(code: Code, act, *, passes: bool) -> TsmError:
    with pytest.raises(TsmError) as failed, plainly("the service"):
        act()
    assert failed.value.codes == (code,)
    assert isinstance(failed.value, TransientError) is passes
    return failed.value


class TestHttp:
    def test_parts_of_a_file_are_read(self, server, reach, body) -> None:
        url = server.on("/file", lambda visit: visit.file())
        assert reach.filesystem(url).cat_file(url, 1000, 2000) == body[1000:2000]
        assert all(seen.headers["User-Agent"].startswith("pz-tsm/") for seen in server.seen)

    def test_paths_are_read_with_its_options(self, server, reach, body) -> None:
        url = server.on("/file", lambda visit: visit.file())
        assert UPath(url, **reach.storage_options(url)).read_bytes() == body

    def test_options_travel_to_other_processes(self, server, reach) -> None:
        url = server.on("/file", lambda visit: visit.file())
        options = reach.storage_options(url)
        assert pickle.loads(pickle.dumps(options)) == options

    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
    def test_authorities_of_the_environment_are_trusted(
            self, variable, tls_server, reach, body, tmp_path, monkeypatch) -> None:
        home = tls_server("127.0.0.1")
        url = home.on("/file", lambda visit: visit.file())
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
        assert reach.filesystem(url).cat_file(url, 0, 9) == body[:9]

    def test_a_stranger_is_not_trusted(self, tls_server, reach, monkeypatch) -> None:
        url = tls_server("127.0.0.1").on("/file", lambda visit: visit.file())
        monkeypatch.delenv("SSL_CERT_FILE")
        error = _fails(Code.SERVICE_UNREACHABLE, lambda: reach.filesystem(url).cat_file(url),
                       passes=False)
        assert "certificate" in str(error)

    @pytest.mark.parametrize(("status", "passes"), [(404, False), (403, False), (503, True)])
    def test_a_refusal_is_told(self, status, passes, server, reach) -> None:
        url = server.on("/file", lambda visit: visit.reply(status))
        _fails(Code.SERVICE_REFUSED, lambda: reach.filesystem(url).cat_file(url), passes=passes)

    def test_a_cut_is_told(self, server, reach) -> None:
        url = server.on("/file", lambda visit: visit.file(cut=1000))
        _fails(Code.SERVICE_INCOMPLETE, lambda: reach.filesystem(url).cat_file(url), passes=True)

    def test_a_server_that_is_silent_is_told(self, server, limited) -> None:
        url = server.on("/file", lambda visit: visit.wait(30))
        reach = limited(stall_seconds=0.2)
        _fails(Code.SERVICE_TIMEOUT, lambda: reach.filesystem(url).cat_file(url), passes=True)

    def test_drips_end_at_the_deadline(self, server, limited) -> None:
        def dripping(visit) -> None:
            visit.head(200, {"Content-Length": "1000000"})
            while not visit.over:
                visit.wfile.write(b"0")
                visit.wfile.flush()
                visit.wait(0.02)

        url = server.on("/file", dripping)
        reach = limited(total_seconds=0.5)
        _fails(Code.SERVICE_TIMEOUT, lambda: reach.filesystem(url).cat_file(url), passes=True)

    def test_an_address_of_another_kind_is_refused(self, reach) -> None:
        for url in ("file:///etc/passwd", "gs://bucket/key", "/etc/passwd"):
            _fails(Code.REMOTE_FORBIDDEN, lambda url=url: reach.filesystem(url), passes=False)


@needs_rclone
class TestS3:
    @pytest.fixture
    def bucket(self, tmp_path: Path) -> Path:
        folder = tmp_path / "s3" / "surveys"
        folder.mkdir(parents=True)
        (folder / "zcat.csv").write_bytes(b"id,z\n1,0.5\n")
        return folder.parent

    def _read(self, reach: Reach, url: str = "s3://surveys/zcat.csv") -> bytes:
        with plainly(url):
            return reach.filesystem(url).cat_file(url)

    def test_what_is_public_is_read_as_anybody(self, bucket, reach, monkeypatch) -> None:
        with s3_server(bucket, public=True) as home:
            home.allow(monkeypatch, key="", secret="")
            assert self._read(reach) == b"id,z\n1,0.5\n"
            assert reach.storage_options("s3://surveys/zcat.csv")["anon"] is True

    def test_what_is_not_is_read_with_credentials(self, bucket, reach, monkeypatch) -> None:
        with s3_server(bucket) as home:
            home.allow(monkeypatch)
            assert self._read(reach) == b"id,z\n1,0.5\n"
            url = "s3://surveys/zcat.csv"
            assert UPath(url, **reach.storage_options(url)).read_bytes() == b"id,z\n1,0.5\n"

    @pytest.mark.parametrize("secret", ["", "another-secret-than-that"])
    def test_without_them_it_is_refused(self, secret, bucket, reach, monkeypatch) -> None:
        with s3_server(bucket) as home:
            home.allow(monkeypatch, **({"secret": secret} if secret else {"key": "", "secret": ""}))
            with pytest.raises(TsmError) as refused:
                self._read(reach)
        assert refused.value.codes == (Code.SERVICE_REFUSED,)
        assert "credentials" in str(refused.value)

    def test_what_is_public_is_read_also_where_nobody_may_list(
            self, bucket, server, reach, monkeypatch) -> None:
        S3Server(f"127.0.0.1:{server.port}", bucket, None).allow(monkeypatch, key="", secret="")
        server.on("/surveys/hats/zcat.csv", lambda visit: visit.file(b"id,z\n1,0.5\n"))
        for hidden in ("/surveys", "/surveys/", "/surveys/hats"):
            server.on(hidden, lambda visit: visit.reply(403))
        files = reach.filesystem("s3://surveys/hats")
        assert files.cat_file("s3://surveys/hats/zcat.csv") == b"id,z\n1,0.5\n"

    def test_the_endpoint_of_the_environment_is_the_operators_word(
            self, bucket, reach, names, monkeypatch) -> None:
        names["archive.test"] = ["127.0.0.1"]
        with s3_server(bucket, public=True) as home:
            port = home.address.rpartition(":")[2]
            home.allow(monkeypatch, key="", secret="")
            monkeypatch.delenv("PZ_TSM_ALLOW_HOSTS")
            assert self._read(reach) == b"id,z\n1,0.5\n"
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://archive.test:{port}")
            assert self._read(reach) == b"id,z\n1,0.5\n"

    def test_no_other_private_address_is(self, bucket, limited, names, monkeypatch) -> None:
        names["surveys.s3.amazonaws.com"] = ["127.0.0.1"]
        S3Server("127.0.0.1:1", bucket, None).allow(monkeypatch, key="", secret="")
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        with pytest.raises(TsmError) as refused:
            self._read(limited(retries=0))
        assert refused.value.codes == (Code.REMOTE_FORBIDDEN,)

    def test_a_server_that_is_stopped_is_told_within_the_limit(
            self, bucket, limited, monkeypatch) -> None:
        with s3_server(bucket, public=True) as home:
            home.allow(monkeypatch, key="", secret="")
            home.stop()
            began = time.monotonic()
            with pytest.raises(TransientError) as failed:
                self._read(limited(stall_seconds=0.3, retries=1, total_seconds=2))
            assert time.monotonic() - began < 2 + 5
        assert failed.value.codes == (Code.SERVICE_TIMEOUT,)


class TestTold:
    """What libraries raise is told in our words, and only that."""

    @pytest.mark.parametrize("name", errors._KINDS)
    def test_the_libraries_still_call_it_so(self, name) -> None:
        module, _, kind = name.rpartition(".")
        found = getattr(import_module(module), kind)
        assert f"{found.__module__}.{found.__qualname__}" == name
        assert issubclass(found, Exception)

    @pytest.mark.parametrize("error", [
        FileNotFoundError(2, "No such file or directory", "/a"), PermissionError(13, "denied"),
        OSError(28, "No space left on device"), ValueError("3"), KeyError("z"), AssertionError(),
    ])
    def test_what_is_no_failure_of_the_network_is_left_as_it_is(self, error) -> None:
        with pytest.raises(type(error)) as raised, plainly("the service"):
            raise error
        assert raised.value is error

    def test_a_refusal_of_ours_is_found_within_others(self) -> None:
        from botocore.exceptions import HTTPClientError

        ours = TsmError(errors.passing(Code.REMOTE_LIMIT, "here", found="", expected="",
                                       remedy="").problems[0])
        with pytest.raises(TsmError) as raised, plainly("the service"):
            raise HTTPClientError(error=ours)
        assert raised.value is ours
