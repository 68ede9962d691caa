"""What no product rests on and nobody uses is collected; all else stays."""

import errno
import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import PUBLIC, Access, Principal, StageRequest
from pz_tsm_core.store import Collected, holds, open_store, owners

ALICE, BOB = Principal(name="alice"), Principal(name="bob")
MINE = Access(kind="private", name="alice")


def request(number, access=PUBLIC):
    return StageRequest(stage="combine", version=number, access=access)


def publish(store, number, access=PUBLIC):
    table = pa.table({"x": range(number)})
    return store.publish(
        request(number, access), lambda draft: draft.write_table("t", table) and None).ref


def visible(root):
    return {path.parent.name for path in root.glob("objects/*/*/*/manifest.json")}


def folder_of(root, ref):
    return root / "objects" / ref.stage / ref.address[:2] / ref.address


def size(root, ref):
    return sum(path.stat().st_size for path in folder_of(root, ref).rglob("*") if path.is_file())


def spoil(folder):
    file = folder / "manifest.json"
    if isinstance(file, Path):  # published files are read-only there
        file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-9] + b"\n")


def move(file, folder):
    folder.mkdir(exist_ok=True)
    (folder / file.name).write_bytes(file.read_bytes())
    file.unlink()
    if isinstance(file, Path):
        file.parent.rmdir()


def test_what_no_product_rests_on_is_collected_and_told(root):
    store = open_store(root)
    named, below, loose = (publish(store, number) for number in (1, 2, 3))
    created = store.manifest(loose).created
    store.products.add("deep", "table", {"a": named, "b": below}, "a")
    sizes = {ref.address: size(root, ref) for ref in (named, below, loose)}
    del store
    collected = open_store(root).collect()
    (removed,) = collected.removed
    assert (removed.stage, removed.address, removed.bytes, removed.created) == (
        "combine", loose.address, sizes[loose.address], created)
    assert (collected.for_products.artifacts, collected.for_products.bytes) == (
        2, sizes[named.address] + sizes[below.address])
    assert visible(root) == {named.address, below.address}
    assert not list(root.glob(".trash/*"))
    assert open_store(root).collect() == Collected(for_products=collected.for_products)


def test_a_dry_run_tells_the_same_and_removes_nothing(root):
    publish(open_store(root), 3)
    dry = open_store(root).collect(dry_run=True)
    assert (dry.dry_run, len(dry.removed), len(visible(root))) == (True, 1, 1)
    assert open_store(root).collect().removed == dry.removed


def test_what_an_open_store_has_used_is_kept_until_it_is_closed(root):
    refs = {}
    first = open_store(root)
    for number, verb in enumerate(("publish", "find", "manifest", "read_table", "batches", "hold",
                                   "directory", "schema"), start=1):
        refs[verb] = publish(first, number)
    del first
    store = open_store(root)
    publish(store, 1)  # it stands already
    store.find(refs["find"].address)
    store.manifest(refs["manifest"])
    store.read_table(refs["read_table"], "t")
    list(store.batches(refs["batches"], "t"))
    store.hold(refs["hold"].address)
    store.directory(refs["directory"])
    store.schema(refs["schema"], "t")
    collected = open_store(root).collect()
    assert (collected.removed, collected.for_runs.artifacts) == ((), 8)
    del store
    assert len(open_store(root).collect().removed) == 8
    assert not list(root.glob(".holds/*"))


def test_the_first_artifact_of_a_new_store_is_held_too(root):
    store = open_store(root / "new")
    ref = publish(store, 1)
    assert open_store(root / "new").collect().for_runs.artifacts == 1
    assert store.read_table(ref, "t").num_rows == 1


def test_looking_in_a_folder_that_is_no_store_leaves_nothing_there(tmp_path):
    (tmp_path / "notes").mkdir()
    store = open_store(tmp_path)
    assert store.find("0" * 64) is None
    assert store.products.list() == ()
    assert store.collect() == Collected()
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_artifacts_that_were_copied_alone_are_found_and_held(tmp_path):
    ref = publish(open_store(tmp_path / "old"), 1)
    (tmp_path / "new").mkdir()
    (tmp_path / "old" / "objects").rename(tmp_path / "new" / "objects")
    store = open_store(tmp_path / "new")
    assert store.find(ref.address).ref == ref
    assert open_store(tmp_path / "new").collect().for_runs.artifacts == 1


def test_an_address_that_was_looked_for_in_vain_is_held_once_it_stands(root):
    store, other = open_store(root), open_store(root)
    publish(other, 1)
    assert store.find(request(2).address) is None
    ref = publish(other, 2)
    del other
    open_store(root).collect()
    assert visible(root) == {ref.address}


def test_a_version_that_was_asked_for_is_kept_whole_though_it_is_withdrawn(root):
    other = open_store(root)
    refs = {"a": publish(other, 1), "b": publish(other, 2)}
    other.products.add("deep", "table", refs, "a")
    del other
    store = open_store(root)
    version = store.products.get("deep")
    open_store(root).products.withdraw("deep")
    assert open_store(root).collect().for_runs.artifacts == 2
    assert store.read_table(version.ref, "t").num_rows == 1
    del store
    assert len(open_store(root).collect().removed) == 2


def test_a_hold_outlives_the_removal_of_its_file(tmp_path):
    store = open_store(tmp_path)
    ref = publish(store, 1)
    for file in (tmp_path / ".holds").iterdir():
        file.unlink()
    assert store.find(ref.address)
    open_store(tmp_path).collect()
    assert visible(tmp_path) == {ref.address}


@pytest.mark.parametrize("days", [1, 8])
def test_the_hold_of_another_machine_counts_until_it_is_a_week_old(tmp_path, days):
    ref = publish(open_store(tmp_path), 1)
    hold = tmp_path / ".holds" / "theirs"
    hold.write_text('{"pid": 1, "boot_id": "of another machine"}\n' + ref.address)
    old = time.time() - days * 86_400
    os.utime(hold, (old, old))
    collected = open_store(tmp_path).collect()
    assert len(collected.removed) == (1 if days == 8 else 0)
    assert hold.exists() is (days == 1)


def test_a_line_that_a_full_disk_cut_short_spoils_no_other(tmp_path):
    store = open_store(tmp_path)
    ref = publish(store, 1)
    (hold,) = (tmp_path / ".holds").iterdir()
    with hold.open("ab") as file:
        file.write(b"\n" + ref.address[:20].encode())
    other = publish(store, 2)
    open_store(tmp_path).collect()
    assert visible(tmp_path) == {ref.address, other.address}


def test_what_belongs_to_others_is_kept_if_named_and_told_in_sums_alone(root):
    alice = open_store(root, ALICE)
    named, loose = publish(alice, 1, MINE), publish(alice, 2, MINE)
    alice.products.add("secret", "table", {"a": named}, "a")
    open_ = publish(alice, 3)
    sizes = [size(root, ref) for ref in (named, loose)]
    del alice
    collected = open_store(root, BOB).collect()
    assert [removed.address for removed in collected.removed] == [open_.address]
    assert (collected.others.artifacts, collected.others.bytes) == (1, sizes[1])
    assert (collected.for_products.artifacts, collected.for_products.bytes) == (1, sizes[0])
    assert loose.address not in repr(collected)
    assert "alice" not in repr(collected)
    assert "secret" not in repr(collected)
    assert visible(root) == {named.address}


def test_damaged_artifacts_that_nobody_needs_go_too(root):
    store = open_store(root)
    folders = [folder_of(root, publish(store, number)) for number in (1, 2)]
    spoil(folders[0])
    (folders[1] / "manifest.json").unlink()
    del store
    collected = open_store(root).collect()
    # On S3 there is no artifact without a manifest, and its files are leftovers.
    left_over = bool(collected.left_over_bytes)
    assert left_over is not isinstance(root, Path)
    assert (collected.removed, collected.others.artifacts) == ((), 1 if left_over else 2)
    assert not list(root.glob("objects/*/*/*"))


def test_what_was_set_aside_is_kept_and_its_size_told(root):
    store = open_store(root)
    ref = publish(store, 1)
    (store.directory(ref) / "t.parquet").unlink()
    kept = size(root, ref)
    assert store.find(ref.address) is None
    collected = open_store(root).collect()
    assert (collected.set_aside.artifacts, collected.set_aside.bytes) == (1, kept)
    assert len(list(root.glob(".quarantine/*"))) == 1


def test_leftovers_of_the_dead_are_swept_and_their_size_told(tmp_path):
    publish(open_store(tmp_path), 1)
    for place in (".trash/a/artifact", ".staging/b/artifact", ".staging/c"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "file").write_bytes(b"x" * 1000)
    old = time.time() - 8 * 86_400
    for path in [*(tmp_path / ".staging").rglob("*"), tmp_path / ".staging" / "b"]:
        os.utime(path, (old, old))
    fresh = tmp_path / ".staging" / "fresh"
    fresh.mkdir()
    for dry_run in (True, False):
        assert open_store(tmp_path).collect(dry_run=dry_run).left_over_bytes == 3000
    assert list((tmp_path / ".staging").iterdir()) == [fresh]
    assert not list((tmp_path / ".trash").iterdir())


def test_a_stray_file_or_folder_among_the_artifacts_is_left_alone(tmp_path):
    publish(open_store(tmp_path), 1)
    (tmp_path / "objects" / "combine" / "00" / "mine").mkdir(parents=True, exist_ok=True)
    (tmp_path / "objects" / "note.txt").touch()
    assert len(open_store(tmp_path).collect().removed) == 1
    assert [path.name for path in tmp_path.glob("objects/*/*/*")] == ["mine"]


def test_collecting_where_there_is_no_store_makes_none(root):
    assert open_store(root / "store").collect() == Collected()
    assert not (root / "store").exists()


def test_a_damaged_record_is_told_and_nothing_collected_before_it_is_mended(root):
    store = open_store(root)
    store.products.add("deep", "table", {"a": publish(store, 1)}, "a")
    publish(store, 2)
    del store
    spoil(root / "products/public/deep/1")
    store = open_store(root)
    for call in (store.collect, lambda: store.products.get("deep")):
        with pytest.raises(TsmError, match="products/public/deep/1") as caught:
            call()
        assert caught.value.codes == (Code.STORE_CORRUPT,)
    assert len(visible(root)) == 2
    assert store.products.list() == ()
    assert store.products.add("deep", "table", {"a": publish(store, 1)}, "a").version == 2


def test_a_damaged_record_of_another_owner_is_told_without_its_name(root):
    alice = open_store(root, ALICE)
    alice.products.add("secret", "table", {"a": publish(alice, 1, MINE)}, "a")
    del alice
    (folder,) = root.glob("products/*/secret/1")
    spoil(folder)
    with pytest.raises(TsmError) as caught:
        open_store(root, BOB).collect()
    assert caught.value.codes == (Code.STORE_CORRUPT,)
    assert "secret" not in str(caught.value)
    assert len(visible(root)) == 1


@pytest.mark.parametrize("entry", ["7x", "07", "notes"])
def test_what_is_no_record_stops_a_collection_too(tmp_path, entry):
    store = open_store(tmp_path)
    store.products.add("deep", "table", {"a": publish(store, 1)}, "a")
    (tmp_path / "products/public/deep" / entry).mkdir()
    assert store.products.get("deep").version == 1
    with pytest.raises(TsmError, match="no number of a version"):
        store.collect()


def test_a_record_at_another_place_than_its_own_is_not_followed(root):
    store = open_store(root)
    store.products.add("deep", "table", {"a": publish(store, 1)}, "a")
    move(root / "products/public/deep/1/manifest.json", root / "products/public/deep/2")
    for call in (store.collect, lambda: store.products.get("deep")):
        with pytest.raises(TsmError, match="it is the record products/public/deep/1"):
            call()


def test_a_damaged_withdrawal_stops_a_collection(root):
    store = open_store(root)
    store.products.add("deep", "table", {"a": publish(store, 1)}, "a")
    store.products.withdraw("deep")
    spoil(root / "products/public/deep/1-withdrawn")
    with pytest.raises(TsmError, match="1-withdrawn"):
        open_store(root).collect()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_who_may_only_read_a_store_reads_it_without_a_hold(tmp_path, monkeypatch, code):
    ref = publish(open_store(tmp_path), 1)

    def refused(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(owners.os, "open", refused)
        assert open_store(tmp_path).read_table(ref, "t").num_rows == 1
    assert not list((tmp_path / ".holds").iterdir())


def test_a_full_disk_is_told_before_anything_is_read_without_a_hold(tmp_path, monkeypatch):
    ref = publish(open_store(tmp_path), 1)
    monkeypatch.setattr(holds, "claim", lambda path: (_ for _ in ()).throw(
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with pytest.raises(TsmError) as caught:
        open_store(tmp_path).read_table(ref, "t")
    assert caught.value.codes == (Code.STORE_IO,)


def test_a_forked_child_holds_for_itself_and_leaves_its_parents_hold(root):
    store = open_store(root)
    ours = publish(store, 1)
    theirs = publish(open_store(root), 2)
    ready, tell = os.pipe()
    wait, leave = os.pipe()
    if (child := os.fork()) == 0:
        store.hold(theirs.address)
        os.write(tell, b"x")
        os.read(wait, 1)
        del store
        os._exit(0)
    os.read(ready, 1)
    assert open_store(root).collect().for_runs.artifacts == 2
    os.write(leave, b"x")
    os.waitpid(child, 0)
    assert [each.address for each in open_store(root).collect().removed] == [theirs.address]
    assert visible(root) == {ours.address}
    assert store.read_table(ours, "t").num_rows == 1
