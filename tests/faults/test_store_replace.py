"""A record that changes is the old one or the new one, whoever dies, fails or writes beside."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pz_tsm_core
from pz_tsm_core.store.posix import PosixBackend

ROOT = Path(pz_tsm_core.__file__).parents[1]
KEY = "sources/desi_dr1/record.json"
POINTS = ("stage.before", "stage.after", "replace.before_rename", "replace.after_rename")

REPLACE = """
import sys
from pathlib import Path
from pz_tsm_core.store.posix import PosixBackend
PosixBackend(Path(sys.argv[1])).replace(sys.argv[2], b"new" * 1000)
"""
# Writes a long record of its own again and again; a mixture of two would show.
WRITE = """
import sys
from pathlib import Path
from pz_tsm_core.store.posix import PosixBackend
backend = PosixBackend(Path(sys.argv[1]))
for _ in range(40):
    backend.replace(sys.argv[2], sys.argv[3].encode() * 20_000)
"""


def child(code, *arguments, **environment):
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=env)


def test_a_record_is_read_as_it_was_last_written(tmp_path):
    backend = PosixBackend(tmp_path / "store")
    with pytest.raises(FileNotFoundError):
        backend.read(KEY)
    for content in (b"first", b"", b"a second, longer one"):
        backend.replace(KEY, content)
        assert backend.read(KEY) == content
        assert list(backend.files("sources")) == ["desi_dr1/record.json"]
    assert not list((tmp_path / "store/.staging").iterdir())


@pytest.mark.parametrize("place", POINTS)
def test_a_writer_killed_anywhere_leaves_the_old_record_or_the_new(tmp_path, place):
    PosixBackend(tmp_path).replace(KEY, b"old")
    killed = child(REPLACE, tmp_path, KEY, PZ_TSM_KILL_AT=place)
    assert killed.wait() == -signal.SIGKILL
    expected = b"new" * 1000 if place == "replace.after_rename" else b"old"
    assert PosixBackend(tmp_path).read(KEY) == expected
    PosixBackend(tmp_path).replace(KEY, b"next")  # a new process sweeps what the killed one left
    assert PosixBackend(tmp_path).read(KEY) == b"next"
    assert not list((tmp_path / ".staging").iterdir())


def test_readers_never_see_a_mixture_of_what_two_write_at_once(tmp_path):
    backend = PosixBackend(tmp_path)
    backend.replace(KEY, b"a" * 20_000)
    writers = [child(WRITE, tmp_path, KEY, letter) for letter in "ab"]
    while None in [writer.poll() for writer in writers]:
        seen = backend.read(KEY)
        assert (len(seen), len(set(seen))) == (20_000, 1)
    assert [writer.returncode for writer in writers] == [0, 0]


@pytest.mark.parametrize("call", ["mkdir", "chmod", "fsync", "replace", "open"])
def test_whichever_system_call_fails_the_record_is_the_old_or_the_new(
    tmp_path, monkeypatch, call
):
    real = getattr(os, call)
    for nth in range(1, 50):
        PosixBackend(tmp_path).replace(KEY, b"old")
        left = [nth]

        def faulty(*args, left=left, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*args, **kwargs)

        refused = False
        with monkeypatch.context() as patch:
            patch.setattr(os, call, faulty)
            try:
                PosixBackend(tmp_path).replace(KEY, b"new")
            except OSError:
                refused = True
        seen = PosixBackend(tmp_path).read(KEY)
        assert seen == b"new" or (refused and seen == b"old")
        if left[0] > 0:
            return
    pytest.fail("the replacement never succeeds")
