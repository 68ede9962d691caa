"""Whatever happens to the bytes of an artifact is found before they are used."""

import json
import random
import shutil

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store
from pz_tsm_core.store.seal import sealed

REQUEST = StageRequest(stage="combine", version=1)
OTHER = StageRequest(stage="combine", version=2)
TABLE = pa.table({"galaxy_id": range(2000), "z": [i / 1000 for i in range(2000)]})


def fill(draft):
    draft.write_table("galaxies", TABLE)
    draft.rows(2000, 2000)


@pytest.fixture
def published(tmp_path):
    store = open_store(tmp_path)
    manifest = store.publish(REQUEST, fill)
    return store, manifest.ref, store.directory(manifest.ref)


def rewrite(path, content):
    path.chmod(0o644)
    path.write_bytes(content)


def assert_found(store, ref, *, by_reading=True):
    """Damage is told on reading and set aside on finding; a new run makes it good."""
    if by_reading:
        with pytest.raises(TsmError) as caught:
            store.read_table(ref, "galaxies")
        assert caught.value.codes == (Code.STORE_CORRUPT,)
        with pytest.raises(TsmError):
            list(store.batches(ref, "galaxies"))
    assert store.find(ref.address) is None
    assert store.publish(REQUEST, fill).content == ref.content
    assert store.read_table(ref, "galaxies").equals(TABLE)


def test_every_flipped_bit_is_found(published):
    store, ref, folder = published
    rng = random.Random(20261120)
    for name in ("galaxies.parquet", "manifest.json"):
        sound = (folder / name).read_bytes()
        for _ in range(100):
            at, bit = rng.randrange(len(sound)), rng.randrange(8)
            rewrite(folder / name, sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1 :])
            assert_found(store, ref)
            rewrite(folder / name, sound := (folder / name).read_bytes())


@pytest.mark.parametrize("keep", [0, 3, 500, -1])
@pytest.mark.parametrize("name", ["galaxies.parquet", "manifest.json"])
def test_a_truncated_file_is_found(published, name, keep):
    store, ref, folder = published
    rewrite(folder / name, (folder / name).read_bytes()[:keep])
    assert_found(store, ref)


def test_a_missing_data_file_is_found(published):
    store, ref, folder = published
    (folder / "galaxies.parquet").unlink()
    assert_found(store, ref)


def test_a_missing_manifest_is_found(published):
    store, ref, folder = published
    (folder / "manifest.json").unlink()
    assert_found(store, ref)


def test_a_deleted_artifact_is_made_again(published):
    store, ref, folder = published
    shutil.rmtree(folder)
    assert store.find(ref.address) is None
    assert store.publish(REQUEST, fill).content == ref.content


def test_a_file_too_many_is_found(published):
    store, ref, folder = published
    (folder / "Npix=5.parquet").write_text("")
    assert_found(store, ref, by_reading=False)


def test_a_file_swapped_for_another_valid_one_is_found(published):
    store, ref, folder = published
    ref_2 = store.publish(OTHER, lambda d: d.write_table("galaxies", TABLE.slice(1)) and None).ref
    rewrite(folder / "galaxies.parquet",
            (store.directory(ref_2) / "galaxies.parquet").read_bytes())
    assert_found(store, ref)


def test_the_manifest_of_another_artifact_is_found(published):
    store, ref, folder = published
    ref_2 = store.publish(OTHER, fill).ref
    rewrite(folder / "manifest.json", (store.directory(ref_2) / "manifest.json").read_bytes())
    assert_found(store, ref)


@pytest.mark.parametrize(("key", "value"), [
    ("rows", {"taken": 9, "given": 9, "dropped": {}}),
    ("access", {"kind": "private", "name": "ana"}),
    ("notes", {"edited": True}),
])
def test_an_edited_manifest_is_found(published, key, value):
    store, ref, folder = published
    edited = json.loads((folder / "manifest.json").read_bytes()) | {key: value}
    text = json.dumps(edited, indent=1, sort_keys=True) + "\n"
    rewrite(folder / "manifest.json", text.encode())
    assert_found(store, ref)


def test_damage_after_the_first_read_is_found(published):
    store, ref, folder = published
    assert store.read_table(ref, "galaxies").equals(TABLE)
    sound = (folder / "galaxies.parquet").read_bytes()
    rewrite(folder / "galaxies.parquet", sound[:-20] + bytes([sound[-20] ^ 4]) + sound[-19:])
    assert_found(store, ref)


def test_damage_is_kept_for_a_look_and_told(published, tmp_path, caplog):
    store, ref, folder = published
    (folder / "galaxies.parquet").unlink()
    assert store.find(ref.address) is None
    assert len(list((tmp_path / ".quarantine").iterdir())) == 1
    assert "galaxies.parquet" in caplog.text


def test_a_manifest_of_a_later_release_is_left_alone(published):
    store, ref, folder = published
    said = json.loads((folder / "manifest.json").read_bytes()) | {"schema": 2}
    said.pop("seal")
    rewrite(folder / "manifest.json", sealed(said))
    with pytest.raises(TsmError) as caught:
        store.find(ref.address)
    assert caught.value.codes == (Code.STORE_UNSUPPORTED,)
    assert folder.exists()
