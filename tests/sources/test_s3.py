"""Objects on S3, from rclone's server: whole, cut, replaced, refused, hung."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.retrieval import FetchLimits, Wanted
from pz_tsm_core.model.survey import Source
from pz_tsm_core.remote import Moved, Reach, ranges
from pz_tsm_core.sources import Ask, Offer, Piece, s3, service
from tests.sources.cutting import cutting_network
from tests.sources.s3_servers import S3Server, needs_rclone, s3_server

pytestmark = needs_rclone

BODY = random.Random(11).randbytes(1_000_000)
RANGE = 100_000


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one bucket, in it one object."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "specz" / "dr1").mkdir(parents=True)
    (folder / "specz" / "dr1" / "zall.fits").write_bytes(BODY)
    return folder


@pytest.fixture(scope="module")
def private_server(bucket: Path) -> Iterator[S3Server]:
    with s3_server(bucket) as server:
        yield server


@pytest.fixture
def private(private_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A server that asks for credentials, and an environment that has them."""
    private_server.allow(monkeypatch)
    return private_server


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for the object in ten parts."""
    monkeypatch.setattr(s3, "RANGE", RANGE)


def _ask(key: str = "specz/dr1/zall.fits", known: str = "", table: str = "") -> Ask:
    place = Source(service="s3", url=f"s3://{key}", table=table)
    return Ask(place, {}, Wanted(), None, known)


def _look(ask: Ask, **limits: float) -> Offer:
    return service("s3", Reach(FetchLimits(**limits))).look(ask)


def _pull(folder: Path, ask: Ask | None = None, *, reach: Reach | None = None) -> Piece:
    there = service("s3", reach or Reach())
    asked = ask or _ask()
    (piece,) = there.pull(asked, there.look(asked), folder)
    return piece


def test_an_object_comes_whole_with_credentials(private: S3Server, tmp_path: Path) -> None:
    piece = _pull(tmp_path, _ask(table="ZCATALOG"))
    assert piece.path.read_bytes() == BODY
    assert (piece.path.name, piece.table, piece.lent) == ("zall.fits", "ZCATALOG", False)


def test_a_public_object_needs_no_credentials(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(bucket, public=True) as server:
        server.allow(monkeypatch, key="", secret="")
        assert _pull(tmp_path).path.read_bytes() == BODY


def test_credentials_are_not_shown_to_a_server_that_needs_none(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(bucket, public=True) as server:
        server.allow(monkeypatch, key="of-somebody-else", secret="of-somebody-else")
        assert _pull(tmp_path).path.read_bytes() == BODY


def test_what_is_known_is_unchanged_until_the_object_is_another(private: S3Server) -> None:
    private.put("specz/changing.csv", b"z\n0.1\n")
    first = _look(_ask("specz/changing.csv"))
    assert first.bytes == 6
    assert not first.unchanged
    assert _look(_ask("specz/changing.csv", first.validator)).unchanged
    private.put("specz/changing.csv", b"z\n0.2\n")
    again = _look(_ask("specz/changing.csv", first.validator))
    assert not again.unchanged
    assert again.validator != first.validator


def test_an_empty_object_comes_too(private: S3Server, tmp_path: Path) -> None:
    private.put("specz/empty.csv", b"")
    assert _pull(tmp_path, _ask("specz/empty.csv")).path.read_bytes() == b""


def test_progress_is_told_in_bytes(private: S3Server, tmp_path: Path, small_ranges: None) -> None:
    heard: list[Moved] = []
    _pull(tmp_path, reach=Reach(hear=heard.append))
    assert [moved.done for moved in heard] == list(range(RANGE, len(BODY) + 1, RANGE))
    assert {(moved.total, moved.unit) for moved in heard} == {(len(BODY), "bytes")}


def test_a_transfer_that_is_cut_again_and_again_is_whole_in_the_end(
    private: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RANGE", 20_000)
    monkeypatch.setattr(ranges, "LONGEST_WAIT", 0.01)
    chance = random.Random(5)
    cuts = (chance.choice([chance.randrange(1_000), chance.randrange(60_000)]) for _ in range(80))
    with cutting_network(private.address, cuts) as network:
        private.allow(monkeypatch, via=network.address)
        reach = Reach(FetchLimits(retries=30))
        assert _pull(tmp_path, reach=reach).path.read_bytes() == BODY
    assert network.broken >= 50


def test_what_came_before_a_cut_is_not_asked_for_again(
    private: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also within one range, and where nothing is tried again that brought nothing."""
    large = random.Random(14).randbytes(8_000_000)
    private.put("specz/large.bin", large)
    with cutting_network(private.address, [2_000_000] * 3) as network:
        private.allow(monkeypatch, via=network.address)
        reach = Reach(FetchLimits(retries=0, per_host=1))
        assert _pull(tmp_path, _ask("specz/large.bin"), reach=reach).path.read_bytes() == large
    assert network.broken >= 2


def test_a_later_try_brings_only_what_is_missing(
    private: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_ranges: None
) -> None:
    class PowerCut(BaseException):
        """Nothing that anybody handles."""

    def cut(moved: Moved) -> None:
        if moved.done >= 5 * RANGE:
            raise PowerCut

    with pytest.raises(PowerCut):
        _pull(tmp_path, reach=Reach(hear=cut))
    assert not (tmp_path / "zall.fits").exists()
    heard: list[Moved] = []
    assert _pull(tmp_path, reach=Reach(hear=heard.append)).path.read_bytes() == BODY
    assert heard[0].done == 6 * RANGE
    heard.clear()
    assert _pull(tmp_path, reach=Reach(hear=heard.append)).path.read_bytes() == BODY
    assert not heard


def _replaced_on_the_way(server: S3Server, new: bytes) -> Callable[[Moved], None]:
    """Put another object in its place as soon as the first bytes have come."""
    left = [new]

    def hear(_: Moved) -> None:
        if left:
            server.put("specz/moving.fits", left.pop())

    return hear


@pytest.mark.parametrize("size", [len(BODY), len(BODY) // 2])
def test_an_object_that_is_replaced_on_the_way_is_begun_anew(
    private: S3Server, tmp_path: Path, small_ranges: None, size: int
) -> None:
    new = random.Random(12).randbytes(size)
    private.put("specz/moving.fits", BODY)
    reach = Reach(hear=_replaced_on_the_way(private, new))
    assert _pull(tmp_path, _ask("specz/moving.fits"), reach=reach).path.read_bytes() == new


def test_what_was_begun_of_a_replaced_object_is_not_gone_on_with(
    private: S3Server, tmp_path: Path, small_ranges: None
) -> None:
    private.put("specz/moving.fits", BODY)

    def stop(moved: Moved) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _pull(tmp_path, _ask("specz/moving.fits"), reach=Reach(hear=stop))
    assert (tmp_path / "moving.fits.part").stat().st_size == RANGE
    new = random.Random(13).randbytes(len(BODY))
    private.put("specz/moving.fits", new)
    assert _pull(tmp_path, _ask("specz/moving.fits")).path.read_bytes() == new


@pytest.mark.parametrize("key", ["specz/dr1/nothing.fits", "nowhere/zall.fits", "specz/dr1"])
def test_what_is_not_there_is_refused(private: S3Server, key: str) -> None:
    with pytest.raises(TsmError) as caught:
        _look(_ask(key))
    assert caught.value.codes == (Code.SERVICE_REFUSED,)
    assert not isinstance(caught.value, TransientError)
    assert caught.value.problems[0].where == f"s3://{key}"


@pytest.mark.parametrize("url", ["s3://specz", "s3://specz/", "https://specz/a.fits", "a.fits",
                                 "s3://specz/..", "s3://a:b@specz/zall.fits"])
def test_what_is_no_address_of_an_object_is_refused(private: S3Server, url: str) -> None:
    with pytest.raises(TsmError) as caught:
        _look(Ask(Source(service="s3", url=url), {}, Wanted()))
    assert caught.value.codes == (Code.REMOTE_FORBIDDEN,)


@pytest.mark.parametrize("key", ["", "nobody-knows-this-key"])
def test_wrong_credentials_are_refused_and_not_told(
    private: S3Server, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    private.allow(monkeypatch, key=key, secret=key and "a-wrong-secret-word")
    with pytest.raises(TsmError) as caught:
        _look(_ask())
    assert caught.value.codes == (Code.SERVICE_REFUSED,)
    assert "credentials" in caught.value.problems[0].remedy
    assert "a-wrong-secret-word" not in str(caught.value)


def test_an_object_larger_than_allowed_is_not_begun(private: S3Server, tmp_path: Path) -> None:
    with pytest.raises(TsmError) as caught:
        _pull(tmp_path, reach=Reach(FetchLimits(max_bytes=len(BODY) - 1)))
    assert caught.value.codes == (Code.REMOTE_LIMIT,)
    assert not list(tmp_path.iterdir())


def test_nobody_at_the_endpoint_is_told_as_such(
    private: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cutting_network(private.address, []) as network:
        pass
    private.allow(monkeypatch, via=network.address)
    with pytest.raises(TransientError) as caught:
        _look(_ask(), retries=0)
    assert caught.value.codes == (Code.SERVICE_UNREACHABLE,)


def test_a_private_endpoint_is_refused_unless_the_operator_names_it(
    private: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[default]\nendpoint_url = http://{private.address}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.delenv("PZ_TSM_ALLOW_HOSTS")
    with pytest.raises(TsmError) as caught:
        _look(_ask())
    assert caught.value.codes == (Code.REMOTE_FORBIDDEN,)
    assert f"PZ_TSM_ALLOW_HOSTS={private.address}" in caught.value.problems[0].remedy
    monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", private.address)
    assert _look(_ask()).bytes == len(BODY)


@pytest.mark.parametrize("limits", [
    {"stall_seconds": 60.0, "total_seconds": 1.5}, {"stall_seconds": 0.3, "retries": 1},
], ids=["in all", "without a byte"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_server_that_hangs_is_given_up_within_the_limits(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_ranges: None,
    limits: dict[str, float], when: str,
) -> None:
    with s3_server(bucket) as server:
        server.allow(monkeypatch)
        began = time.monotonic()
        reach = Reach(FetchLimits(connect_seconds=0.5, **limits), hear=lambda _: server.stop())
        if when == "before":
            server.stop()
        with pytest.raises(TransientError) as caught:
            _pull(tmp_path, reach=reach)
        assert caught.value.codes == (Code.SERVICE_TIMEOUT,)
        assert time.monotonic() - began < 7
        server.go_on()
        assert _pull(tmp_path).path.read_bytes() == BODY
