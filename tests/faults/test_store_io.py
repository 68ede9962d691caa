"""Full disks and failing hardware: one clear error, nothing visible, and the next try succeeds."""

import errno
import os
import resource
from pathlib import Path

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TransientError, TsmError
from pz_tsm_core.model.artifact import Principal, StageRequest
from pz_tsm_core.store import open_store
from pz_tsm_core.store.posix import PosixBackend
from pz_tsm_core.store.store import Store

REQUEST = StageRequest(stage="combine", version=1)
OTHER = StageRequest(stage="combine", version=2)
TABLE = pa.table({"galaxy_id": range(5000)})


def fill(draft):
    draft.write_table("galaxies", TABLE)


def refusal(call):
    with pytest.raises(TsmError) as caught:
        call()
    assert caught.value.codes == (Code.STORE_IO,)
    return caught.value


def store_io_or_done(call):
    """Whether the call was refused, which it may be for one reason only."""
    codes = ()
    try:
        call()
    except TsmError as error:
        codes = error.codes
    assert codes in ((), (Code.STORE_IO,))
    return bool(codes)


def visible(root):
    return list(root.glob("objects/*/*/*"))


def mended(root):
    manifest = open_store(root).publish(REQUEST, fill)
    assert open_store(root).read_table(manifest.ref, "galaxies").equals(TABLE)
    assert len(visible(root)) == 1
    open_store(root).publish(OTHER, fill)  # sweeps what could not be removed before
    assert not list((root / ".staging").iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.ESTALE])
def test_whichever_call_of_the_backend_fails_nothing_is_visible(tmp_path, faulty, code):
    for nth in range(1, 50):
        root = tmp_path / str(nth)
        backend = faulty(PosixBackend(root), nth, code)
        store = Store(str(root), Principal(), backend)
        refused = store_io_or_done(lambda s=store: s.publish(REQUEST, fill))
        assert not (refused and visible(root))
        mended(root)
        if backend.spared:
            assert nth > 4
            return
    pytest.fail("the publish never succeeds")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["mkdir", "chmod", "fsync", "rename", "open"])
def test_whichever_system_call_fails_the_artifact_is_absent_or_whole(
    tmp_path, monkeypatch, code, call
):
    real = getattr(os, call)
    for nth in range(1, 50):
        root = tmp_path / str(nth)
        left = [nth]

        def faulty(*args, left=left, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, faulty)
            store_io_or_done(lambda root=root: open_store(root).publish(REQUEST, fill))
        # After the rename the result stands, though its name may not have reached the disk.
        assert not visible(root) or open_store(root).find(REQUEST.address)
        mended(root)
        if left[0] > 0:
            return
    pytest.fail("the publish never succeeds")


@pytest.mark.parametrize("limit", [0, 100, 10_000])
def test_a_full_disk_while_a_table_is_written_is_one_clear_error(tmp_path, limit):
    wide = pa.table({"x": [os.urandom(64) for _ in range(2000)]})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store = open_store(tmp_path)
    store.publish(OTHER, fill)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        refusal(lambda: store.publish(REQUEST, lambda d: d.write_table("galaxies", wide)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(visible(tmp_path)) == 1
    assert store.publish(REQUEST, fill)


def test_a_full_disk_under_another_library_is_the_stores_error(tmp_path):
    def full(draft):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refusal(lambda: open_store(tmp_path).publish(REQUEST, full))


def test_only_what_waiting_may_cure_is_transient(tmp_path, faulty):
    for code, transient in ((errno.ESTALE, True), (errno.ENOSPC, False)):
        backend = faulty(PosixBackend(tmp_path), 1, code)
        error = refusal(lambda b=backend: Store("s", Principal(), b).find("0" * 64))
        assert isinstance(error, TransientError) is transient


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_without_write_permission_is_one_clear_error(tmp_path):
    tmp_path.chmod(0o555)
    refusal(lambda: open_store(Path(tmp_path) / "store").publish(REQUEST, fill))
