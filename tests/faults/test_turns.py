"""Two that need one artifact compute it once, whatever becomes of the one that makes it."""

import errno
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.store import open_store, owners, turns
from tests.faults.maker import REQUEST, TABLE, fill, makers, opened

#: Longer than any test may take: what follows earlier does not follow from the time.
LONG = 900
#: What a busy machine still renews in time.
SHORT = 3


@pytest.fixture
def start(root):
    with makers(root, LONG) as start:
        yield start


def below(root, folder):
    return [path for path in root.glob(f"{folder}/**/*") if path.is_file()]


def assert_one(root):
    """The artifact stands once, whole, and nobody has its turn."""
    store = open_store(root)
    assert store.read_table(store.find(REQUEST.address).ref, "t").equals(TABLE)
    assert len(below(root, "objects")) == 2
    assert below(root, ".turns") == []


def never(draft):
    pytest.fail("it was made twice")


def test_two_processes_that_need_one_artifact_compute_it_once(root, start):
    first = start()
    assert first.says() == "makes"
    second = start()
    assert second.says() == "waits"
    first.go_on()
    manifest = first.says()
    assert second.says() == manifest != ""
    assert first.process.wait() == second.process.wait() == 0
    assert_one(root)


def test_who_waits_makes_it_at_once_when_the_maker_fails_or_is_killed(root, start):
    fails = start()
    assert fails.says() == "makes"
    killed = start()
    assert killed.says() == "waits"
    fails.go_on("fail")
    assert killed.says() == "makes"
    assert fails.process.wait() == 1
    third = start()
    assert third.says() == "waits"
    killed.process.kill()
    assert third.says() == "makes"
    third.go_on()
    assert REQUEST.address in third.says()
    assert third.process.wait() == 0
    assert_one(root)


def test_a_maker_that_is_stopped_is_not_waited_for_and_takes_what_stands_when_it_wakes(root):
    with makers(root, SHORT) as start:
        stopped = start()
        assert stopped.says() == "makes"
        second = start()
        assert second.says() == "waits"
        stopped.process.send_signal(signal.SIGSTOP)
        assert second.says() == "makes"
        stopped.process.send_signal(signal.SIGCONT)
        second.go_on()
        manifest = second.says()
        stopped.go_on()
        assert stopped.says() == manifest != ""
        assert [each.process.wait() for each in (stopped, second)] == [0, 0]
    assert_one(root)


@pytest.mark.prove
def test_a_maker_is_waited_for_as_long_as_it_lives_even_by_one_that_woke(root):
    with makers(root, SHORT) as start:
        stopped = start()
        assert stopped.says() == "makes"
        second = start()
        assert second.says() == "waits"
        stopped.process.send_signal(signal.SIGSTOP)
        assert second.says() == "makes"
        stopped.process.send_signal(signal.SIGCONT)
        third = start()
        assert third.says() == "waits"
        time.sleep(3 * SHORT)
        second.go_on()
        assert third.says() == second.says() != ""
        stopped.go_on("fail")
        assert stopped.process.wait() == 1
    assert_one(root)


def of_another_machine(root):
    """A turn whose maker nobody here can know to be dead."""
    path = root / ".turns" / REQUEST.address
    path = path if isinstance(root, Path) else path / "000001"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'{"pid": 1, "boot_id": "of another machine"}')
    return path


def test_the_dead_of_another_machine_keep_others_waiting_for_a_while_only(root):
    opened(root, 1).publish(REQUEST.model_copy(update={"version": 2}), fill)
    of_another_machine(root)
    heard, began = [], time.monotonic()
    opened(root, 1).publish(
        REQUEST, lambda draft: heard.append("makes") or fill(draft), lambda: heard.append("waits"))
    assert heard == ["waits", "makes"]
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_was_set_keeps_nobody_waiting(tmp_path, hours):
    path, now = of_another_machine(tmp_path), time.time()
    os.utime(path, (now, now + hours * 3600))
    open_store(tmp_path).publish(REQUEST, fill, lambda: pytest.fail("it waits"))
    assert_one(tmp_path)


def test_eight_threads_that_need_one_artifact_compute_it_once(root):
    store, waiting, made, got = open_store(root), threading.Semaphore(0), [], []

    def make(draft):
        made.append(threading.get_ident())
        for _ in range(7):
            assert waiting.acquire(timeout=60)
        fill(draft)

    threads = [threading.Thread(
        target=lambda: got.append(store.publish(REQUEST, make, waiting.release)))
        for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert got == [store.find(REQUEST.address)] * 8
    assert_one(root)


def test_what_somebody_may_not_see_is_neither_told_nor_waited_for(root):
    private = REQUEST.model_copy(update={"access": Access(kind="private", name="ana")})
    ana, ben = (open_store(root, Principal(name=name)) for name in ("ana", "ben"))

    def make(draft):
        with pytest.raises(TsmError) as refused:
            ben.publish(private, never, lambda: pytest.fail("it waits"))
        assert refused.value.codes == (Code.STORE_ACCESS,)
        assert ben.publish(REQUEST, fill, lambda: pytest.fail("it waits"))  # another address
        fill(draft)

    assert ana.publish(private, make).access == private.access
    assert ben.look_up(private.address) is None


def test_who_waited_for_what_came_damaged_makes_it_anew(root):
    store, waits = open_store(root), threading.Event()

    def make(draft):
        fill(draft)
        assert waits.wait(60)

    def wait():
        got.append(open_store(root).publish(REQUEST, fill, harm))

    def harm():
        waits.set()
        first.join()
        (store.directory(store.find(REQUEST.address).ref) / "t.parquet").unlink()

    got = []
    first = threading.Thread(target=lambda: store.publish(REQUEST, lambda draft: (
        second.start(), make(draft))))
    second = threading.Thread(target=wait)
    first.start()
    first.join()
    second.join()
    assert open_store(root).read_table(got[0].ref, "t").equals(TABLE)


def test_a_collection_sweeps_the_turns_of_the_dead_and_no_others(root, start):
    killed = start()
    assert killed.says() == "makes"
    killed.process.kill()
    killed.process.wait()
    assert len(below(root, ".turns")) == 1
    open_store(root).collect()
    assert below(root, ".turns") == []
    living = start()
    assert living.says() == "makes"
    open_store(root).collect()
    assert len(below(root, ".turns")) == 1
    living.go_on()
    assert REQUEST.address in living.says()


def test_who_waits_can_be_interrupted(tmp_path):
    with makers(tmp_path, LONG) as start:
        first = start()
        assert first.says() == "makes"
        second = start()
        assert second.says() == "waits"
        second.process.send_signal(signal.SIGINT)
        _, err = second.process.communicate(timeout=60)
        assert "KeyboardInterrupt" in err
        first.go_on()
        assert REQUEST.address in first.says()
    assert_one(tmp_path)


def test_without_locks_nobody_waits_and_the_second_is_discarded(tmp_path, monkeypatch):
    def flock(handle, mode):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(owners.fcntl, "flock", flock)

    def make(draft):
        inner.append(open_store(tmp_path).publish(REQUEST, fill, lambda: pytest.fail("it waits")))
        fill(draft)

    inner = []
    assert open_store(tmp_path).publish(REQUEST, make) == inner[0]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_who_may_only_read_takes_no_turn_and_gets_what_stands(tmp_path, monkeypatch, code):
    manifest = open_store(tmp_path).publish(REQUEST, fill)

    def claim(path):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(turns, "claim", claim)
    assert open_store(tmp_path).publish(REQUEST, never) == manifest
    assert open_store(tmp_path).publish(REQUEST.model_copy(update={"version": 2}), fill)


def test_a_computed_stage_asks_a_server_three_times_for_its_turn_and_a_cached_one_never(
    s3, proxy, monkeypatch
):
    open_store(s3).publish(REQUEST, fill)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    store = open_store(s3)
    assert store.find(REQUEST.address, "combine")
    assert not [seen for seen in proxy.seen if ".turns" in seen.path]
    proxy.seen.clear()
    store.publish(REQUEST.model_copy(update={"version": 2}), fill)
    asked = [(seen.method, "list" in seen.path or "delete" in seen.path) for seen in proxy.seen
             if ".turns" in seen.path or (seen.method == "POST" and "delete" in seen.path)]
    assert asked == [("GET", True), ("PUT", False), ("POST", True)]
