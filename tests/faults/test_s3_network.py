"""What networks and servers do to a store on S3: it is told clearly, and nothing half is used."""

import gc
import os
import time

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.artifact import Principal, StageRequest
from pz_tsm_core.sky.catalog import open_catalog
from pz_tsm_core.sky.wrap import import_lsdb
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.store import Store, open_store
from pz_tsm_core.store.s3 import Patience, Place, S3Backend
from tests.moto import Moto
from tests.sources.s3_servers import needs_rclone, s3_server
from tests.waiting import free_port

REQUEST = StageRequest(stage="combine", version=1)
TABLE = pa.table({"galaxy_id": range(5000)})
HASTY = Patience(connect_seconds=1, read_seconds=1, tries=2)


def fill(draft):
    draft.write_table("galaxies", TABLE)


def refusal(call):
    with pytest.raises(TsmError) as caught:
        call()
    (problem,) = caught.value.problems
    return caught.value, problem


def visible(root):
    return [path.parent.name for path in root.glob("objects/*/*/*/manifest.json")]


def below(root, folder):
    return [path for path in root.glob(f"{folder}/**/*") if path.is_file()]


def impatient(location):
    place = Place.at(str(location))
    return Store(place.location, Principal(), S3Backend(place, HASTY))


@pytest.fixture
def through(s3, proxy, monkeypatch):
    """The same place, reached through the proxy; the store of it stands already."""
    open_store(s3).publish(REQUEST.model_copy(update={"version": 9}), fill)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return s3


def assert_whole(root, count=2):
    gc.collect()  # a failed try is kept by its error
    store = open_store(root)
    assert store.read_table(store.find(REQUEST.address).ref, "galaxies").equals(TABLE)
    assert len(visible(root)) == len(below(root, "objects")) / 2 == count
    del store
    gc.collect()
    open_store(root).collect()
    assert below(root, "objects") == below(root, ".holds") == []


def is_manifest(seen):
    return seen.method == "PUT" and seen.path.endswith("manifest.json")


def test_a_lost_answer_is_told_apart_from_a_lost_race(through, proxy):
    proxy.rule = lambda seen: "lose answer" if is_manifest(seen) and not any(
        each.status for each in proxy.seen if is_manifest(each)) else None
    store, filled = open_store(through), []
    manifest = store.publish(REQUEST, lambda d: filled.append(fill(d)))
    puts = [seen.status for seen in proxy.seen if is_manifest(seen)]
    assert puts == [200, 412], "the server had taken the first, and refused the second"
    assert store.find(REQUEST.address) == manifest
    assert len(filled) == 1
    del store
    assert_whole(through)


def test_an_answer_that_never_comes_is_looked_for(through, proxy):
    proxy.rule = lambda seen: "lose answer" if is_manifest(seen) else None
    open_store(through).publish(REQUEST, fill)
    proxy.rule = lambda seen: None
    assert_whole(through)


def test_who_loses_an_answer_and_the_race_gets_the_winners_artifact(through, proxy, moto):
    def rule(seen):
        if not is_manifest(seen):
            return None
        if not won:
            won.append(None)
            place = Place(*str(through).removeprefix("s3://").split("/"), moto.url)
            other = Store(place.location, Principal(), S3Backend(place))
            won[0] = other.take_in(fill, lambda draft: REQUEST)  # it does not wait for a turn
        return "lose answer"

    won, proxy.rule = [], rule
    assert open_store(through).publish(REQUEST, fill) == won[0]
    proxy.rule = lambda seen: None
    assert_whole(through)


@pytest.mark.prove
@pytest.mark.parametrize("verdict", ["lose request", "lose answer", "busy"])
def test_a_request_that_fails_once_is_sent_again(through, proxy, verdict):
    failed = set()

    def rule(seen):
        kind = seen.method, seen.path.split("?")[0].rpartition("/")[2][:9]
        return None if kind in failed else failed.add(kind) or verdict

    proxy.rule = rule
    store = open_store(through)
    assert store.publish(REQUEST, fill) == store.find(REQUEST.address)
    del store
    assert_whole(through)


@pytest.mark.prove
@pytest.mark.parametrize("verdict", ["lose request", "lose answer", "busy", "cut answer"])
def test_whichever_request_fails_for_good_the_artifact_is_absent_or_whole(
    through, proxy, verdict
):
    for nth in range(1, 80):
        proxy.seen.clear()
        proxy.rule = lambda seen, nth=nth: verdict if seen.number in range(nth, nth + 20) else None
        codes = ()
        try:
            impatient(through).publish(REQUEST, fill)
        except TsmError as error:
            codes = error.codes
        assert codes in ((), (Code.STORE_IO,))
        spared = len(proxy.seen) < nth
        proxy.rule = lambda seen: None
        if visible(through):
            store = open_store(through)
            assert store.find(visible(through)[0])
            del store
        open_store(through).publish(REQUEST, fill)
        open_store(through).collect()
        assert below(through, "objects") == below(through, ".holds") == []
        if spared:
            assert nth > 8
            return
    pytest.fail("the publish never succeeds")


@pytest.mark.parametrize("after", [
    8, *(pytest.param(each, marks=pytest.mark.prove) for each in (1, 3, 5, 10, 12))])
def test_a_server_that_goes_away_is_told_and_may_be_waited_for(through, proxy, after):
    proxy.rule = lambda seen: "lose request" if seen.number > after else None
    error, problem = refusal(lambda: impatient(through).publish(REQUEST, fill))
    assert isinstance(error, TransientError)
    del error
    assert problem.code == Code.STORE_IO
    assert "AWS_ENDPOINT_URL" in problem.remedy
    assert len(visible(through)) == 1
    proxy.rule = lambda seen: None
    open_store(through).publish(REQUEST, fill)
    assert_whole(through)


@pytest.mark.prove
def test_a_catalogue_behind_a_server_that_goes_away_may_be_waited_for(through, proxy):
    lsdb = import_lsdb()
    sky = pa.table({"ra": [1.0, 2.0, 200.0], "dec": [0.0, 1.0, -30.0]})
    ref = open_store(through).publish(REQUEST, lambda d: write_table_as_collection(
        sky, d.directory / "hats", "sky") and None).ref
    path = impatient(through).directory(ref) / "hats"
    assert len(open_catalog(lsdb, path, ["ra"])) == 3
    proxy.rule = lambda seen: "lose request"
    with pytest.raises(TransientError):
        open_catalog(lsdb, path, ["ra"])


def test_bytes_that_break_off_while_they_are_read_are_asked_for_again(through, proxy):
    ref = open_store(through).publish(REQUEST, fill).ref
    proxy.rule = lambda seen: "cut answer" if not proxy.broken and seen.path.endswith(
        "parquet") and seen.method == "GET" and not proxy.broken.append(seen) else None
    proxy.broken = []
    assert open_store(through).read_table(ref, "galaxies").equals(TABLE)
    assert len(proxy.broken) == 1


def test_who_may_only_read_reads_without_a_hold_and_is_told_when_it_writes(through, proxy):
    writes = ("PUT", "POST", "DELETE")
    ref = open_store(through).publish(REQUEST, fill).ref
    proxy.rule = lambda seen: "denied" if seen.method in writes else None
    store = open_store(through)
    assert store.read_table(ref, "galaxies").equals(TABLE)
    assert store.find(ref.address).ref == ref
    other = REQUEST.model_copy(update={"version": 2})
    error, problem = refusal(lambda: store.publish(other, fill))
    assert not isinstance(error, TransientError)
    assert "AccessDenied" in problem.found
    assert below(through, ".holds") == []
    for server in below(through, ".servers"):
        server.unlink()  # as in a copy of the store alone
    assert open_store(through).read_table(ref, "galaxies").equals(TABLE)


def test_a_server_that_ignores_the_condition_is_found_out_and_refused(s3, proxy, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    proxy.rule = lambda seen: "unconditional"
    _, problem = refusal(lambda: open_store(s3).publish(REQUEST, fill))
    assert problem.code == Code.STORE_UNSUPPORTED
    assert "If-None-Match" in problem.expected
    assert below(s3, "") == []


def test_a_server_is_asked_once_for_every_store_and_way_to_it(s3, proxy, monkeypatch):
    for url in (os.environ["AWS_ENDPOINT_URL"], proxy.url, proxy.url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        open_store(s3).publish(REQUEST, fill)
    assert len(below(s3, ".servers")) == 2
    assert len({seen.path for seen in proxy.seen if ".probe/" in seen.path}) == 1
    assert below(s3, ".probe") == []


def test_a_server_that_is_stopped_makes_every_verb_fail_within_its_limit(s3, moto):
    ref = open_store(s3).publish(REQUEST, fill).ref
    # A request is tried twice, a file's bytes twice as often, with a pause of up to 2 seconds.
    limit = 2 * HASTY.tries * (HASTY.connect_seconds + HASTY.read_seconds + 2)
    big = pa.table({"x": [os.urandom(1 << 20) for _ in range(8)]})
    store = impatient(s3)
    store.find(ref.address)

    def fill_and_stop(draft):
        draft.write_table("t", big)
        moto.stop()

    request = REQUEST.model_copy(update={"version": 3})
    for prepare, verb in (
        (moto.stop, lambda s: s.find(ref.address)),
        (moto.stop, lambda s: s.read_table(ref, "galaxies")),
        (bool, lambda s: s.publish(request, fill_and_stop)),
    ):
        prepare()
        try:
            began = time.monotonic()
            error, problem = refusal(lambda verb=verb: verb(store))
            assert isinstance(error, TransientError)
            assert problem.code == Code.STORE_IO
            assert time.monotonic() - began < limit + 5
        finally:
            moto.go_on()
    assert open_store(s3).read_table(ref, "galaxies").equals(TABLE)


def test_no_server_no_bucket_and_no_key_are_told_as_such(s3, monkeypatch):
    def told(location=str(s3), **environment):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value) if value else patch.delenv(name)
            return refusal(lambda: impatient(location).publish(REQUEST, fill))

    nowhere = f"http://127.0.0.1:{free_port()}"
    error, problem = told(AWS_ENDPOINT_URL=nowhere)
    assert isinstance(error, TransientError)
    assert nowhere in problem.found
    error, problem = told("s3://no-such-bucket/x")
    assert not isinstance(error, TransientError)
    assert (problem.where, "bucket" in problem.found) == ("s3://no-such-bucket/x", True)
    error, problem = told(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert not isinstance(error, TransientError)
    assert "credentials" in problem.found
    assert "AWS_ACCESS_KEY_ID" in problem.remedy


@pytest.fixture
def rclone(tmp_path, monkeypatch):
    """rclone's server, which knows its keys and ignores conditions, in the place of the other."""
    folder = tmp_path / "rclone"
    (folder / Moto.bucket).mkdir(parents=True)
    with s3_server(folder) as server:
        server.allow(monkeypatch)
        yield server


@needs_rclone
def test_rclone_is_refused_as_a_store_and_can_be_read_from(s3, rclone, monkeypatch):
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ENDPOINT_URL_S3")
        ref = open_store(s3).publish(REQUEST, fill).ref
    for path in below(s3, "objects"):
        rclone.put(path.path, path.read_bytes())
    store = open_store(s3)
    assert store.read_table(ref, "galaxies").equals(TABLE)
    _, problem = refusal(lambda: store.publish(REQUEST.model_copy(update={"version": 2}), fill))
    assert problem.code == Code.STORE_UNSUPPORTED
    _, problem = refusal(store.collect)
    assert problem.code == Code.STORE_UNSUPPORTED
    assert store.find(ref.address).ref == ref


@needs_rclone
def test_a_key_that_the_server_does_not_know_is_told_as_such(s3, rclone, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "of-somebody-else")
            error, problem = refusal(lambda: impatient(s3).find(REQUEST.address))
            assert not isinstance(error, TransientError)
            assert problem.code == Code.STORE_IO
            assert "AWS_ACCESS_KEY_ID" in problem.remedy
