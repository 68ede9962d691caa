"""Parsers of many thousand lines read the bytes of strangers in a process of their own.

The process (`child.py`) gets the open file and no other way to data: an empty environment, no
network where the system allows to drop it, bounds on memory, time and files. What it hands back
is an Arrow file or a list of problems, checked here before anything else sees it. No pickles.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from pz_tsm_core.errors import Code, Problem, TsmError, refuse
from pz_tsm_core.readers.facts import ColumnFacts, Facts
from pz_tsm_core.readers.from_parquet import is_flat
from pz_tsm_core.readers.scratch import OPEN_FILES, path_of, scratch
from pz_tsm_core.readers.source import Source
from pz_tsm_core.readers.stream import TableStream

#: What the process ends with: it answered, or it refused and says why.
ANSWERED, REFUSED = 0, 3

CHILD = Path(__file__).with_name("child.py")

#: All that it gets of the environment: where libraries and temporary files are.
KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR")

#: Damaged HDF5 can make its library go round for ever: small files do not get much time.
LEAST_SECONDS, BYTES_PER_SECOND = 60.0, 2**20

#: An answer in words is never longer.
MAX_WORDS = 2**24


@contextmanager
def stream(name: str, source: Source) -> Iterator[TableStream]:
    """Stream a table as the reader of `FORMATS[name]` does, in a process of its own.

    The process has ended, and the whole table is on disk, before the first row is given.

    Raises
    ------
    TsmError
        what the reader refuses; `file.limit` when time or memory is over, `file.damaged` when
        the bytes end the process.
    """
    with _asked("stream", name, source) as (_, path), ExitStack() as opened:
        with _checking(source):
            # Not mapped into memory, where all that was ever looked at would stay.
            file = pa.ipc.open_file(opened.enter_context(pa.OSFile(str(path))))
            rows = file.count_rows()
        if not all(is_flat(field.type) for field in file.schema):
            raise source.damaged("bytes that mislead the parser: columns of several values")
        source.check_size(rows, 1)
        yield TableStream(file.schema, rows, _batches(file, source))


def _batches(file: pa.ipc.RecordBatchFileReader, source: Source) -> Iterator[pa.RecordBatch]:
    with _checking(source):
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            batch.validate(full=True)
            yield batch


@contextmanager
def _checking(source: Source) -> Iterator[None]:
    """Look at what came back as at anything that strangers' bytes have reached."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise source.damaged(f"bytes that mislead the parser: {error}") from None


def describe(name: str, source: Source) -> Facts:
    """Describe a table as the reader of `FORMATS[name]` does, in a process of its own."""
    with _asked("describe", name, source) as (answer, _):
        told = _words(answer, source)
    return Facts(int(told["rows"]), tuple(ColumnFacts(**column) for column in told["columns"]))


def environment() -> dict[str, str]:
    """The environment of the process: nothing that could be a secret, no plugins, one thread."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    libraries = [str(CHILD.parents[2]), *(entry for entry in sys.path if entry)]
    return kept | {
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in libraries),
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "HDF5_PLUGIN_PRELOAD": "::",  # the word of HDF5 for: none, ever
    }


@contextmanager
def _asked(task: str, name: str, source: Source) -> Iterator[tuple[BinaryIO, Path]]:
    """The answer of a process that was told what to do with the file."""
    with source.path.open("rb") as file, scratch() as (answer, path), scratch() as (errors, _):
        # What is open stays what it is, whoever may exchange the file meanwhile.
        seen = path_of(file.fileno()) if OPEN_FILES.is_dir() else source.path.absolute()
        seconds = _seconds(source)
        job = {
            "task": task, "format": name, "path": str(seen), "answer": answer.fileno(),
            "columns": source.columns, "table": source.table, "where": source.where,
            "limits": source.limits.model_dump(), "seconds": seconds,
        }
        end = _run(json.dumps(job), (file, answer), errors, seconds)
        if end == REFUSED:
            raise TsmError(*(Problem(**_coded(problem)) for problem in _words(answer, source)))
        if end != ANSWERED:
            raise _end(end, errors, seconds, replace(source, path=seen))
        yield answer, path


def _seconds(source: Source) -> float:
    """Time to parse the file: ten times what a slow parser needs, and no more than the limit."""
    size = source.path.stat().st_size
    return min(source.limits.max_seconds, LEAST_SECONDS + size / BYTES_PER_SECOND)


def _run(job: str, open_files: tuple[BinaryIO, ...], errors: BinaryIO, seconds: float) -> int:
    """Status of the process; as if it had used up its time when it has to be stopped."""
    try:
        return subprocess.run(  # noqa: S603 - our own interpreter and our own file
            [sys.executable, "-P", str(CHILD)], input=job.encode(), env=environment(), cwd="/",
            stdout=subprocess.DEVNULL, stderr=errors, check=False,
            pass_fds=[file.fileno() for file in open_files], timeout=seconds,
        ).returncode
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU


def _end(code: int, errors: BinaryIO, seconds: float, source: Source) -> TsmError:
    """Why a process ended without an answer."""
    if code == -signal.SIGXCPU:
        return source.too_slow("parsing it", seconds)
    if code == -signal.SIGKILL:
        return source.too_large("more memory than there is to parse it", "what the machine has")
    if code < 0:
        return source.damaged(f"bytes that end the parser ({signal.Signals(-code).name})")
    errors.seek(0)
    last = errors.read(MAX_WORDS).decode("utf-8", "replace").strip().rpartition("\n")[2]
    return refuse(Code.INTERNAL, source.where, found=last or f"a reader that ended with {code}",
                  expected="a reader that starts", remedy="check the installation; report this")


def _words(answer: BinaryIO, source: Source) -> Any:
    size = answer.seek(0, os.SEEK_END)
    if size > MAX_WORDS:
        raise source.too_large(f"{size} bytes of names and descriptions", f"{MAX_WORDS}")
    answer.seek(0)
    return json.loads(answer.read())


def _coded(problem: dict[str, str]) -> dict[str, Any]:
    return problem | {"code": Code[problem["code"]]}
