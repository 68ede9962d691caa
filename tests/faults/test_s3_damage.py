"""Whatever happens to the objects of an artifact on S3 is found before they are used."""

import random

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store

REQUEST = StageRequest(stage="combine", version=1)
OTHER = StageRequest(stage="combine", version=2)
TABLE = pa.table({"galaxy_id": range(2000), "z": [i / 1000 for i in range(2000)]})


def fill(draft):
    draft.write_table("galaxies", TABLE)


@pytest.fixture
def store(s3):
    return open_store(s3)


@pytest.fixture
def ref(store):
    return store.publish(REQUEST, fill).ref


def table_file(store, ref):
    return store.directory(ref) / "galaxies.parquet"


def manifest_file(store, ref):
    return store.directory(ref).parent / "manifest.json"


def assert_found(s3, ref, *, by_reading=True):
    """Damage is told on reading and set aside on finding; a new run makes it good."""
    if by_reading:
        with pytest.raises(TsmError) as caught:
            open_store(s3).read_table(ref, "galaxies")
        assert caught.value.codes == (Code.STORE_CORRUPT,)
    store = open_store(s3)
    assert store.find(ref.address) is None
    assert store.publish(REQUEST, fill).content == ref.content
    assert store.read_table(ref, "galaxies").equals(TABLE)


@pytest.mark.parametrize("count", [3, pytest.param(60, marks=pytest.mark.prove)])
@pytest.mark.parametrize("file", [table_file, manifest_file])
def test_every_flipped_bit_is_found(s3, store, ref, file, count):
    rng = random.Random(20261120)
    for _ in range(count):
        path = file(store, ref)
        sound = path.read_bytes()
        at, bit = rng.randrange(len(sound)), rng.randrange(8)
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1:])
        assert_found(s3, ref)


def test_a_flipped_bit_in_the_name_of_the_files_is_found(s3, store, ref):
    path = manifest_file(store, ref)
    for at, bit in ((0, 1), (3, 0), (12, 3), (40, 5), (100, 0), (127, 2)):
        sound = path.read_bytes()
        assert sound.index(b"\n") > at
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1:])
        found = open_store(s3).find(ref.address)
        assert found is None or found.ref == ref
        assert open_store(s3).publish(REQUEST, fill).content == ref.content
        assert open_store(s3).read_table(ref, "galaxies").equals(TABLE)


def test_a_truncated_file_is_found(s3, store, ref):
    path = table_file(store, ref)
    path.write_bytes(path.read_bytes()[:500])
    assert_found(s3, ref)


def test_a_missing_file_is_found(s3, store, ref):
    table_file(store, ref).unlink()
    assert_found(s3, ref)


def test_a_file_too_many_is_found(s3, store, ref):
    (store.directory(ref) / "Npix=5.parquet").write_bytes(b"")
    assert_found(s3, ref, by_reading=False)


def test_a_file_swapped_for_another_valid_one_is_found(s3, store, ref):
    other = store.publish(OTHER, lambda d: d.write_table("galaxies", TABLE.slice(1)) and None).ref
    table_file(store, ref).write_bytes(table_file(store, other).read_bytes())
    assert_found(s3, ref)


def test_a_manifest_that_was_moved_from_elsewhere_is_found(s3, store, ref):
    other = store.publish(OTHER, fill).ref
    manifest_file(store, ref).write_bytes(manifest_file(store, other).read_bytes())
    assert_found(s3, ref)


def test_without_its_manifest_there_is_no_artifact(s3, store, ref):
    manifest_file(store, ref).unlink()
    with pytest.raises(TsmError) as caught:
        open_store(s3).read_table(ref, "galaxies")
    assert caught.value.codes == (Code.STORE_MISSING,)
    assert_found(s3, ref, by_reading=False)


def test_what_was_set_aside_can_be_looked_at_until_its_manifest_is_removed(s3):
    store = open_store(s3)
    path = table_file(store, store.publish(REQUEST, fill).ref)
    path.write_bytes(path.read_bytes()[:-9])
    assert store.find(REQUEST.address) is None
    store.publish(REQUEST, fill)
    del store
    open_store(s3).collect()
    (shelf,) = s3.glob(".quarantine/*")
    assert path.exists()
    (shelf / "manifest.json").unlink()
    assert open_store(s3).collect().left_over_bytes > 1000
    assert not path.exists()


def test_what_was_found_sound_is_not_read_again_unless_it_was_written_anew(s3, store, ref):
    assert store.find(ref.address)
    bucket = open_store(s3)._backend._bucket
    later, opened = open_store(s3), []
    later._backend._bucket = Spy(bucket, opened)
    assert later.find(ref.address).ref == ref
    assert opened == []
    path = table_file(store, ref)
    path.write_bytes(path.read_bytes())  # the same bytes, the same ETag
    assert later.find(ref.address).ref == ref
    assert opened == []
    version = later.products.add("deep", "table", {"a": ref}, "a")
    assert later.verify(version).damages == ()
    assert len(opened) == 1, "to verify is to read every byte"


class Spy:
    """A bucket that notes what is opened."""

    def __init__(self, bucket, opened):
        self._bucket, self._opened = bucket, opened

    def __getattr__(self, verb):
        if verb == "open":
            self._opened.append(verb)
        return getattr(self._bucket, verb)
