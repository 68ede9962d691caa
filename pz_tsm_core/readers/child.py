"""The process in which `confined` has a table read: it locks itself in before it looks.

Run as a file, so that nothing is imported, and no thread started, before the network is dropped.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

    from pz_tsm_core.errors import Problem
    from pz_tsm_core.readers.facts import Facts
    from pz_tsm_core.readers.source import Source
    from pz_tsm_core.readers.stream import TableStream
    from pz_tsm_core.readers.table import Reader

#: Memory of the interpreter and the libraries, before any table.
OWN_MEMORY = 2 * 2**30

#: How Python and HDF5 say that there is no more memory.
NO_MEMORY = re.compile("^MemoryError|^ArrowMemoryError|memory allocation failed")

#: From <linux/sched.h> and <linux/prctl.h>.
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, SIGKILL = 1, 38, 9

#: What no reader of a table has to do, by the names of Python's audit events.
DENIED = (
    "ctypes.", "ftplib.", "http.", "os.chmod", "os.chown", "os.exec", "os.fork", "os.kill",
    "os.link", "os.mkdir", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn",
    "os.symlink", "os.system", "os.truncate", "pickle.", "shutil.", "socket.", "subprocess.",
    "urllib.",
)


def main() -> int:
    """Do the job that stands on standard input; return `ANSWERED` or `REFUSED`."""
    job = json.load(sys.stdin)
    bound(job["limits"]["max_memory"], job["seconds"])
    drop_network()
    from pz_tsm_core.errors import TsmError
    from pz_tsm_core.model.limits import Limits
    from pz_tsm_core.readers.confined import ANSWERED, REFUSED
    from pz_tsm_core.readers.source import Source
    from pz_tsm_core.readers.table import FORMATS

    reader = FORMATS[job["format"]].reader()
    columns = None if job["columns"] is None else tuple(job["columns"])
    source = Source(Path(job["path"]), columns, Limits(**job["limits"]), job["where"], job["table"])
    watch(source.path)
    with os.fdopen(job["answer"], "wb") as answer:
        try:
            if job["task"] == "describe":
                tell(described(reader, source), answer, source)
            else:
                with streamed(reader, source) as stream:
                    write(stream, answer, source)
        except TsmError as error:
            answer.seek(0)
            answer.truncate()
            answer.write(json.dumps([_plain(problem) for problem in error.problems]).encode())
            return REFUSED
    return ANSWERED


def bound(memory: int, seconds: float) -> None:
    """Bound this process: memory, processor time, size of files, open files, no core dump."""
    for what, value in (
        (resource.RLIMIT_AS, 2 * memory + OWN_MEMORY),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_FSIZE, memory + OWN_MEMORY),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):  # macOS knows no bound on memory
            resource.setrlimit(what, (least, least))


def drop_network() -> None:
    """Die with the parent, gain no rights, and leave the network, as far as the system lets us.

    Linux lets root leave the network, and others in a namespace of their own where the machine
    allows these.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(CLONE_NEWNET):
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def watch(path: Path) -> None:
    """From now on refuse what no reader has to do: an open file is the table or a library."""
    places = tuple(str(Path(place).resolve()) + os.sep
                   for place in (*sys.path, sys.prefix, sys.base_prefix))

    def see(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not isinstance(arguments[0], int):
            name = os.path.realpath(os.fsdecode(arguments[0]))
            writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or not (name == table or name.startswith(places)):
                raise PermissionError(f"{name} is not for the reader of a table")
        elif event.startswith(DENIED):
            raise PermissionError(f"{event} is not for the reader of a table")

    table = os.path.realpath(path)
    sys.addaudithook(see)


def described(reader: Reader, source: Source) -> Facts:
    """Describe the table; whatever a parser raises is told as the fault of the file."""
    with _blaming(source):
        return reader.describe(source)


@contextmanager
def streamed(reader: Reader, source: Source) -> Iterator[TableStream]:
    """Stream the table; whatever a parser raises is told as the fault of the file."""
    with ExitStack() as opened:
        with _blaming(source):
            stream = opened.enter_context(reader.stream(source))
        yield replace(stream, batches=_blamed(stream.batches, source))


def _blamed(batches: Iterator[pa.RecordBatch], source: Source) -> Iterator[pa.RecordBatch]:
    with _blaming(source):
        yield from batches


@contextmanager
def _blaming(source: Source) -> Iterator[None]:
    from pz_tsm_core.errors import TsmError

    try:
        yield
    except TsmError:
        raise
    except Exception as error:  # noqa: BLE001 - parsers raise anything on bytes that are wrong
        told = f"{type(error).__name__}: {error}"
        if NO_MEMORY.search(told):
            most = 2 * source.limits.max_memory + OWN_MEMORY
            raise source.too_large(f"more than {most} bytes to parse it", f"{most} bytes") from None
        raise source.damaged(told) from None


def write(stream: TableStream, answer: BinaryIO, source: Source) -> None:
    """Hand back a table as an Arrow file."""
    import pyarrow as pa

    with _room(source):
        with pa.ipc.new_file(answer, stream.schema) as file:
            for batch in stream.batches:
                file.write_batch(batch)
        answer.flush()


def tell(facts: Facts, answer: BinaryIO, source: Source) -> None:
    """Hand back facts as JSON."""
    with _room(source):
        answer.write(json.dumps(asdict(facts)).encode())
        answer.flush()


@contextmanager
def _room(source: Source) -> Iterator[None]:
    from pz_tsm_core.errors import Code, refuse

    try:
        yield
    except OSError as error:
        raise refuse(Code.STORE_IO, source.where, found=error.strerror or str(error),
                     expected="room for the table in the folder for temporary files",
                     remedy="make room there, or name another in TMPDIR") from None


def _plain(problem: Problem) -> dict[str, str]:
    return asdict(problem) | {"code": problem.code.name}


if __name__ == "__main__":
    sys.exit(main())
