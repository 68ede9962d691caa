"""Who is alone in a store on S3, and what is held there: by the clock of the server alone."""

import shutil
import threading
import time

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.artifact import Principal, StageRequest
from pz_tsm_core.store import Store, open_store
from pz_tsm_core.store.s3 import Patience, Place, S3Backend, holds, lease
from pz_tsm_core.store.s3.bucket import Bucket
from pz_tsm_core.store.s3.claims import Claims
from pz_tsm_core.store.s3.lease import Lease, alone

REQUEST = StageRequest(stage="combine", version=1)
#: The shortest that whole seconds allow to tell apart.
SHORT = Patience(lease_seconds=3, hold_seconds=2)


def fill(draft):
    draft.write_table("t", pa.table({"x": range(5)}))


def opened(location, patience=SHORT):
    place = Place.at(str(location))
    return Store(place.location, Principal(), S3Backend(place, patience))


def place_of(location, patience=SHORT):
    place = Place.at(str(location))
    return Bucket(place, patience.quick), Claims(place.scratch)


def links(root):
    return sorted(path.name for path in root.glob(".alone/*"))


def forget_claims(root):
    """Make this process one on another machine: nothing local tells that others are dead."""
    shutil.rmtree(Place.at(str(root)).scratch / ".owners")


def refusal(call):
    with pytest.raises(TsmError) as caught:
        call()
    assert caught.value.codes == (Code.STORE_IO,)
    return caught.value


def test_one_at_a_time_is_alone(s3):
    bucket, claims = place_of(s3, Patience())
    inside, most, turns = [0], [0], []

    def work():
        for _ in range(3):
            with alone(bucket, claims):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                turns.append(inside[0])
                time.sleep(0.01)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(turns), most) == (9, [1])
    assert len(links(s3)) == 1


def test_who_sleeps_past_its_time_is_not_alone_any_more(s3):
    bucket, claims = place_of(s3)
    sleeper, other = Lease(bucket, claims), Lease(bucket, claims)
    sleeper.take()
    sleeper.require()
    forget_claims(s3)
    began = time.monotonic()
    other.take()  # when the server says that the time of the sleeper is over
    assert time.monotonic() - began > SHORT.lease_seconds
    with pytest.raises(OSError, match="lost"):
        sleeper.require()
    assert not sleeper.renew()
    last = links(s3)[-1]
    sleeper.give_back()
    assert links(s3)[-1] == last
    assert (s3 / ".alone" / last).stat().st_size > 0, "the other still is alone"
    other.require()
    assert other.renew()
    other.give_back()
    other.close()
    sleeper.close()


def test_an_old_link_that_comes_late_means_nothing(s3):
    bucket, claims = place_of(s3, Patience())
    sleeper = Lease(bucket, claims)
    sleeper.take()
    for _ in range(3):  # others have come and gone, and removed the links before theirs
        number = int(links(s3)[-1]) + 1
        assert bucket.create(f".alone/{number:016d}", b"")
        (s3 / ".alone" / links(s3)[0]).unlink()
    assert not sleeper.renew(), "its next number is free again, and not the last"
    with alone(bucket, claims):
        assert len(links(s3)) == 1
    sleeper.close()


@pytest.mark.prove
def test_a_lease_lasts_as_long_as_it_is_renewed(s3):
    bucket, claims = place_of(s3)
    with alone(bucket, claims) as mine:
        forget_claims(s3)
        time.sleep(SHORT.lease_seconds + 3)
        mine.require()
        assert len(links(s3)) == 1
        assert int(links(s3)[-1]) > 4


def test_whoever_begins_to_hold_waits_for_who_is_alone(s3):
    store = open_store(s3)
    ref = store.publish(REQUEST, fill).ref
    del store
    looked, found = threading.Event(), []

    def look():
        other = open_store(s3)
        looked.set()
        found.append(other.find(ref.address))

    backend = S3Backend(Place.at(str(s3)))
    thread = threading.Thread(target=look)
    with backend.collecting() as held:
        assert held == frozenset()
        thread.start()
        looked.wait()
        time.sleep(0.3)
        assert found == [], "it looked while somebody was collecting"
        assert backend.discard(f"objects/combine/{ref.address[:2]}/{ref.address}")
    thread.join()
    assert found == [None]


def test_two_threads_that_hold_one_address_both_wait(s3):
    store = open_store(s3)
    store.publish(REQUEST, fill)
    backend, done = S3Backend(Place.at(str(s3))), []
    with backend.collecting():
        threads = [threading.Thread(target=lambda: done.append(store.hold("a" * 64)))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
            time.sleep(0.2)
        assert done == []
    for thread in threads:
        thread.join()
    assert done == [True, True]


def test_who_has_lost_its_lease_discards_nothing(s3, monkeypatch):
    ref = open_store(s3).publish(REQUEST, fill).ref
    backend = S3Backend(Place.at(str(s3)))
    key = f"objects/combine/{ref.address[:2]}/{ref.address}"
    with backend.collecting():
        later = lease.seconds() + 40
        monkeypatch.setattr(lease, "seconds", lambda: later)
        with pytest.raises(OSError, match="lost"):
            backend.discard(key)
    assert open_store(s3).find(ref.address).ref == ref


def test_the_holds_of_other_machines_count_as_long_as_they_are_renewed(s3):
    other = REQUEST.model_copy(update={"version": 2})
    store = opened(s3)
    store.publish(REQUEST, fill)
    ref = open_store(s3).publish(other, fill).ref
    (s3 / ".holds" / ("f" * 32)).write_bytes(ref.address.encode())  # nobody renews it
    forget_claims(s3)
    assert opened(s3).collect().for_runs.artifacts == 2
    time.sleep(SHORT.hold_seconds + 3)
    collected = opened(s3).collect()
    assert [each.address for each in collected.removed] == [other.address]
    assert store.find(REQUEST.address)
    assert len(list(s3.glob(".holds/*"))) == 1


def test_who_sleeps_while_it_writes_writes_again(s3, monkeypatch):
    store, slept = open_store(s3), []
    real, upload = holds.seconds, Bucket.upload

    def sleep_after(bucket, files, keys):
        upload(bucket, files, keys)
        if not slept:
            slept.append(holds.seconds())
            monkeypatch.setattr(holds, "seconds", lambda: real() + 2 * 86_400)

    monkeypatch.setattr(Bucket, "upload", sleep_after)
    error = refusal(lambda: store.publish(REQUEST, fill))
    assert isinstance(error, TransientError)
    assert "held" in str(error)
    assert not list(s3.glob("objects/**/*"))
    first = {path.name for path in s3.glob(".holds/*")}
    assert store.publish(REQUEST, fill) == store.find(REQUEST.address)
    assert len({path.name for path in s3.glob(".holds/*")} - first) == 1, "it holds anew"


def test_a_hold_that_is_not_renewed_in_time_is_not_renewed_at_all(s3, monkeypatch):
    store = open_store(s3)
    store.publish(REQUEST, fill)
    hold = store._backend._hold
    assert hold.renew(hold.name)
    real = holds.seconds
    monkeypatch.setattr(holds, "seconds", lambda: real() + 86_400)
    assert not hold.renew(hold.name)
