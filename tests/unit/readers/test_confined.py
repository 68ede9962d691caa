"""The process in which large parsers run: what it may do, and how its ends are told."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table

from pz_tsm_core.errors import Code
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import confined, describe_table, read_table

ROOT = Path(__file__).parents[3]


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "t.ecsv"
    Table({"id": np.array([2**53 + 1, 2]), "z": [0.5, np.nan]}).write(path)
    return path


def play(monkeypatch, tmp_path, code: str) -> None:
    """Let another program answer in place of the reader; `job` is what it was told."""
    child = tmp_path / "child.py"
    child.write_text("import json, os, signal, sys, time\njob = json.load(sys.stdin)\n" + code)
    monkeypatch.setattr(confined, "CHILD", child)


@pytest.mark.parametrize(("code", "expected", "word"), [
    ("os.kill(os.getpid(), signal.SIGSEGV)", Code.FILE_DAMAGED, "SIGSEGV"),
    ("os.kill(os.getpid(), signal.SIGABRT)", Code.FILE_DAMAGED, "SIGABRT"),
    ("os.kill(os.getpid(), signal.SIGKILL)", Code.FILE_LIMIT, "memory"),
    ("os.kill(os.getpid(), signal.SIGXCPU)", Code.FILE_LIMIT, "for parsing it"),
    ("time.sleep(60)", Code.FILE_LIMIT, "more than 3 s for parsing it"),
    ("raise ImportError('no such library')", Code.INTERNAL, "no such library"),
    ("os._exit(9)", Code.INTERNAL, "ended with 9"),
    ("", Code.FILE_DAMAGED, "bytes that mislead the parser"),
    ("os.write(job['answer'], b'ARROW1' + bytes(99))", Code.FILE_DAMAGED, "mislead"),
])
def test_every_end_of_the_process_is_one_error(
    table, tmp_path, monkeypatch, refusal, code, expected, word
) -> None:
    play(monkeypatch, tmp_path, code)
    error = refusal(table, limits=Limits(max_seconds=3))
    assert error.codes == (expected,)
    assert word in error.problems[0].found
    assert "/proc/" not in str(error)


def test_an_answer_is_checked_before_it_is_believed(table, tmp_path, monkeypatch, refusal) -> None:
    answer = tmp_path / "answer.arrow"
    for rows, code in (
        (pa.table({"v": [[1.0], [2.0]]}), Code.FILE_DAMAGED),
        (pa.table({"v": [1, 2, 3]}), Code.FILE_LIMIT),
        (pa.table({"v": pa.array([], pa.int64())}), Code.TABLE_EMPTY),
        (pa.table({"s": pa.Array.from_buffers(
            pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], np.int32)),
                             pa.py_buffer(b"\xff")])}), Code.FILE_DAMAGED),
    ):
        with pa.ipc.new_file(str(answer), rows.schema) as file:
            file.write_table(rows)
        play(monkeypatch, tmp_path,
             f"os.write(job['answer'], open({str(answer)!r}, 'rb').read())")
        assert refusal(table, limits=Limits(max_rows=2)).codes == (code,)


def test_problems_come_across_as_they_are(table, refusal) -> None:
    error = refusal(table, columns=["zz", "objectId"])
    assert error.codes == (Code.TABLE_MISSING_COLUMN,)
    assert "no column `zz`, `objectId`" in error.problems[0].found
    assert error.problems[0].where == str(table)


def test_the_columns_the_words_and_the_facts_come_across(tmp_path) -> None:
    path = tmp_path / "t.h5"
    Table({"id": [1], "z": [0.5]}, descriptions={"z": "redshift"}).write(
        path, path="a", serialize_meta=True)
    Table({"id": [2]}).write(path, path="b", append=True)
    read = read_table(path, table="a", columns=["z"])
    assert read.schema.field("z").metadata == {b"description": b"redshift"}
    assert describe_table(path, table="b").columns[0].name == "id"


def test_a_file_is_read_as_it_was_when_it_was_opened(table, tmp_path, monkeypatch) -> None:
    """Whoever exchanges the file between the look and the reading exchanges nothing."""
    run = confined._run

    def exchange(*arguments):
        Table({"id": [7]}).write(tmp_path / "other.ecsv")
        (tmp_path / "other.ecsv").replace(table)
        return run(*arguments)

    monkeypatch.setattr(confined, "_run", exchange)
    if confined.OPEN_FILES.is_dir():
        assert read_table(table)["id"].to_pylist() == [2**53 + 1, 2]


def test_no_secret_of_the_environment_gets_in(monkeypatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "PREFECT_API_KEY", "PYTHONSTARTUP", "HOME"):
        monkeypatch.setenv(name, "canary")
    assert "canary" not in json.dumps(confined.environment())


def test_the_parser_and_its_parent_leave_no_file_and_no_descriptor(
    table, tmp_path, monkeypatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    gc.collect()  # what other tests have left to it would be closed meanwhile
    descriptors = _open_files()
    assert len(read_table(table)) == 2
    assert _open_files() == descriptors
    assert list(folder.iterdir()) == []


def _open_files() -> int:
    return len(list(confined.OPEN_FILES.iterdir())) if confined.OPEN_FILES.is_dir() else 0


LOCKED = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from pz_tsm_core.readers import child
import pickle, resource, socket, subprocess, urllib.request
child.bound(2**28, 20)
child.drop_network()
child.watch(Path({table!r}))
{deed}
"""

#: What hostile bytes might bring a library to do, were they to take it over.
DEEDS = {
    "read another file": "open({secret!r}).read()",
    "read another file by descriptor": "__import__('os').open({secret!r}, 0)",
    "write a file": "open({table!r}, 'a')",
    "make a file": "open({table!r} + '.new', 'w')",
    "remove a file": "Path({table!r}).unlink()",
    "call out": "socket.create_connection(('127.0.0.1', {port}), timeout=5)",
    "fetch a page": "urllib.request.urlopen('http://127.0.0.1:{port}/')",
    "fetch a local file": "urllib.request.urlopen('file://{secret}').read()",
    "start a program": "subprocess.run(['true'])",
    "fork": "__import__('os').fork()",
    "unpickle": "pickle.loads(pickle.dumps(Path))",
    "take memory": "bytearray(2**40)",
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_locked_in_process_cannot(table, tmp_path, deed) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t")
    with socket.create_server(("127.0.0.1", 0)) as server:
        fields = {"root": str(ROOT), "table": str(table), "secret": str(secret),
                  "port": server.getsockname()[1]}
        code = LOCKED.format(deed=DEEDS[deed].format(**fields), **fields)
        done = subprocess.run([sys.executable, "-Pc", code], capture_output=True, text=True,
                              cwd=tmp_path, timeout=60, check=False)
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.accept()
    assert done.returncode == 1
    assert "not for the reader of a table" in done.stderr or "MemoryError" in done.stderr


def test_a_locked_in_process_can_read_the_table_and_load_its_libraries(table) -> None:
    deed = f"print(open({str(table)!r}).readline()); import sqlite3, xml.dom.minidom"
    code = LOCKED.format(deed=deed, root=str(ROOT), table=str(table))
    done = subprocess.run([sys.executable, "-Pc", code], capture_output=True, text=True,
                          timeout=60, check=True)
    assert "%ECSV" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone lets a process leave the network")
def test_the_network_is_left_where_the_system_allows_it() -> None:
    code = ("from pz_tsm_core.readers import child; import os\n"
            "before = os.readlink('/proc/self/ns/net'); child.drop_network()\n"
            "print(before != os.readlink('/proc/self/ns/net'))")
    alone = "import ctypes; print(ctypes.CDLL(None).unshare(0x50000000) == 0)"
    left, allowed = (subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}).stdout
        for text in (code, alone))
    if allowed.strip() != "True":
        pytest.skip("this machine lets nobody leave the network")
    assert left.strip() == "True"


def test_a_lack_of_memory_is_a_limit(tmp_path, refusal) -> None:
    """20 KB of HDF5 that unfold to 4 GB of text in one chunk, where the process may have half."""
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("s", (65_536,), h5py.string_dtype(), chunks=(65_536,),
                            fillvalue="x" * 60_000)
    assert refusal(path, limits=Limits(max_memory=2**20)).codes == (Code.FILE_LIMIT,)
