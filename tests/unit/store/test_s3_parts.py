"""The parts of the store on S3 that need no server."""

import errno
import io
import random

import pytest
from botocore import exceptions as boto

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.store.backend import Stamp
from pz_tsm_core.store.refusals import io_errors
from pz_tsm_core.store.remembered import Remembered
from pz_tsm_core.store.s3 import Patience, Place
from pz_tsm_core.store.s3.claims import Claims
from pz_tsm_core.store.s3.envelope import Envelope, new_write
from pz_tsm_core.store.s3.reader import MOST_AHEAD, RangeReader
from pz_tsm_core.store.s3.refusals import as_os_errors


@pytest.mark.parametrize(("text", "bucket", "prefix"), [
    ("s3://pztsm", "pztsm", ""), ("s3://pztsm/", "pztsm", ""), ("s3://a.b-c/x/y/", "a.b-c", "x/y"),
    ("s3://pztsm/a b/ö", "pztsm", "a b/ö")])
def test_a_location_is_a_bucket_and_a_prefix(text, bucket, prefix):
    place = Place.at(text)
    assert (place.bucket, place.prefix) == (bucket, prefix)
    assert place.location == text.rstrip("/")
    assert Place.at(place.location) == place
    assert place.below("k") == (f"{prefix}/k" if prefix else "k")


@pytest.mark.parametrize("text", [
    "s3://", "s3://ab", "s3://Bucket", "s3://bucket//x", "s3://bucket/../x", "s3://bucket/.",
    "s3:/bucket", "s3://bu_cket/x", "s3://user:key@bucket/x"])
def test_what_is_no_location_is_refused(text):
    with pytest.raises(TsmError) as caught:
        Place.at(text)
    assert caught.value.codes == (Code.STORE_UNSUPPORTED,)


def test_the_server_is_the_one_that_the_environment_names(monkeypatch):
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    amazon = Place.at("s3://pztsm")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    one = Place.at("s3://pztsm")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://minio.lan/")
    other = Place.at("s3://pztsm")
    assert (amazon.endpoint, amazon.server) == ("", "amazonaws.com")
    assert (one.server, other.server) == ("127.0.0.1:1", "minio.lan")
    assert len({place.scratch for place in (amazon, one, other)}) == 3


def test_requests_under_a_lease_end_within_its_margin():
    for lease_seconds in (3, 60, 600):
        patience = Patience(lease_seconds=lease_seconds)
        quick = patience.quick
        longest = quick.tries * (quick.connect_seconds + quick.read_seconds)
        assert longest <= patience.margin_seconds < lease_seconds / 2


def test_a_manifest_comes_out_of_its_envelope_as_it_went_in():
    content = b'{\n "a": 1\n}\n'
    data = f"objects/combine/ab/{'ab' * 32}/{new_write()}"
    envelope = Envelope.from_bytes(Envelope(data, content).to_bytes())
    assert (envelope.data, envelope.content) == (data, content)
    assert envelope.write == data[-32:]


@pytest.mark.parametrize("first", [
    b"", b"{}", b"[]", b"null", b'{"data": 3}', b'{"data": "objects/x"}',
    b'{"data": "../' + b"0" * 32 + b'"}', b"\xff", b"[" * 100_000])
def test_what_is_no_envelope_names_no_files(first):
    assert Envelope.from_bytes(first + b"\n{}") == Envelope("", first + b"\n{}")


def test_ranges_read_as_the_whole_does():
    whole = random.Random(5).randbytes(10_000)

    def fetch(start, end):
        assert 0 <= start < end <= len(whole)
        return whole[start:end]

    rng, file, expected = random.Random(6), RangeReader(fetch, len(whole)), io.BytesIO(whole)
    for _ in range(500):
        if rng.random() < 0.5:
            at = rng.randrange(-100, 10_100)
            at, whence = (at, io.SEEK_SET) if at >= 0 else (at, io.SEEK_END)
            assert file.seek(at, whence) == expected.seek(at, whence)
        count = rng.randrange(-1, 3000)
        assert file.read(count) == expected.read(count)
    file.seek(0)
    assert file.read() == whole


def test_who_reads_on_asks_seldom_and_who_jumps_gets_no_more_than_that():
    size, asked = 100 << 20, []
    fetched = bytes(MOST_AHEAD)

    def fetch(start, end):
        asked.append(end - start)
        return fetched[:end - start]

    file = RangeReader(fetch, size)
    while file.read(1 << 20):
        pass
    assert sum(asked) == size
    assert len(asked) < 12
    asked.clear()
    for at in range(0, size, 10 << 20):
        file.seek(at)
        assert len(file.read(1000)) == 1000
    assert asked == [1000] * 10


def test_a_server_that_gives_too_little_is_told():
    with pytest.raises(OSError, match="1 bytes, not 5"):
        RangeReader(lambda start, end: b"x", 5).read(5)


def answer(code, status):
    return boto.ClientError({"Error": {"Code": code, "Message": "why"},
                             "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


@pytest.mark.parametrize(("error", "number", "passing"), [
    (answer("NoSuchKey", 404), errno.ENOENT, False),
    (answer("404", 404), errno.ENOENT, False),
    (answer("NoSuchBucket", 404), errno.ENXIO, False),
    (answer("PreconditionFailed", 412), errno.EEXIST, False),
    (answer("ConditionalRequestConflict", 409), errno.EEXIST, False),
    (answer("OperationAborted", 409), errno.EBUSY, True),
    (answer("RequestTimeTooSkewed", 403), errno.EACCES, False),
    (answer("AccessDenied", 403), errno.EPERM, False),
    (answer("SignatureDoesNotMatch", 403), errno.EACCES, False),
    (answer("ExpiredToken", 400), errno.EACCES, False),
    (answer("SlowDown", 503), errno.EBUSY, True),
    (answer("InternalError", 500), errno.EBUSY, True),
    (answer("XMinioStorageFull", 507), errno.ENOSPC, False),
    (answer("NotImplemented", 501), errno.EOPNOTSUPP, False),
    (answer("InvalidArgument", 400), errno.EIO, False),
    (boto.ReadTimeoutError(endpoint_url="http://x"), errno.ETIMEDOUT, True),
    (boto.ConnectTimeoutError(endpoint_url="http://x"), errno.ETIMEDOUT, True),
    (boto.EndpointConnectionError(endpoint_url="http://x"), errno.ENETUNREACH, True),
    (boto.ConnectionClosedError(endpoint_url="http://x"), errno.ENETUNREACH, True),
    (boto.NoCredentialsError(), errno.EACCES, False),
    (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), errno.EIO, False),
    (OSError(errno.ENOSPC, "full"), errno.ENOSPC, False),
])
def test_every_refusal_has_its_number_and_says_whether_waiting_helps(error, number, passing):
    with pytest.raises(OSError, match=r".") as caught, as_os_errors():
        raise error
    assert caught.value.errno == number
    with pytest.raises(TsmError) as told, io_errors("s3://pztsm"):
        raise caught.value
    assert isinstance(told.value, TransientError) is passing
    unable = Code.STORE_UNSUPPORTED if number == errno.EOPNOTSUPP else Code.STORE_IO
    assert told.value.codes == (unable,)


def test_what_was_found_sound_is_remembered_by_later_processes(tmp_path):
    path = tmp_path / "deep" / "sound.jsonl"
    stamps = {f"k{i}": Stamp(i, f"etag-{i}") for i in range(5)}
    first = Remembered(path)
    for key, stamp in stamps.items():
        first[key] = stamp
    with path.open("ab") as file:
        file.write(b'[\n{"a": 1}\n["k9", "x"]\n["cut", 5, "et')
    again = Remembered(path)
    assert {key: again.get(key) for key in stamps} == stamps
    assert again.get("k9") is again.get("cut") is None
    again["k1"] = Stamp(1, "anew")
    assert Remembered(path).get("k1") in (Stamp(1, "anew"), stamps["k1"])


def test_bytes_that_are_no_text_cost_what_was_remembered_and_no_more(tmp_path):
    path = tmp_path / "sound.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    remembered = Remembered(path)
    assert remembered.get("k") is None
    remembered["k"] = Stamp(1, "x")
    assert remembered.get("k") == Stamp(1, "x")


def test_a_claim_is_dead_when_its_process_is_and_unknown_names_are_not(tmp_path):
    claims = Claims(tmp_path)
    name = "0" * 32
    assert not claims.is_dead(name)
    assert not claims.is_dead("../../etc/passwd")
    file = claims.make(name)
    assert not claims.is_dead(name)
    file.close()
    assert claims.is_dead(name)
    claims.sweep(frozenset({name}))
    assert claims.is_dead(name)
    claims.sweep(frozenset())
    assert not claims.is_dead(name)
    assert list((tmp_path / ".owners").iterdir()) == []
