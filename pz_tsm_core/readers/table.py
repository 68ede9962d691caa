"""One way to read a table file, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import confined
from pz_tsm_core.readers.compression import unfolded
from pz_tsm_core.readers.facts import Facts, TableFacts
from pz_tsm_core.readers.source import BATCH_ROWS, ROW_LABELS, Source
from pz_tsm_core.readers.stream import TableStream, bounded

#: Bytes at the beginning of a file among which a format must show itself.
START = 1024


class Reader(Protocol):
    """What reads one format: a module of this room, or a layout of text files."""

    def stream(self, source: Source) -> AbstractContextManager[TableStream]:
        """The rows, as they are asked for."""
        ...

    def describe(self, source: Source) -> Facts:
        """How many rows there are, and the columns."""
        ...


def _csv() -> Reader:
    from pz_tsm_core.readers import from_csv

    return from_csv.Delimited(",")


def _tsv() -> Reader:
    from pz_tsm_core.readers import from_csv

    return from_csv.Delimited("\t")


def _txt() -> Reader:
    from pz_tsm_core.readers import from_csv

    return from_csv.Delimited(None)


def _ecsv() -> Reader:
    from pz_tsm_core.readers import from_ecsv

    return from_ecsv


def _fits() -> Reader:
    from pz_tsm_core.readers import from_fits

    return from_fits


def _hdf5() -> Reader:
    from pz_tsm_core.readers import from_hdf5

    return from_hdf5


def _parquet() -> Reader:
    from pz_tsm_core.readers import from_parquet

    return from_parquet


def _votable() -> Reader:
    from pz_tsm_core.readers import from_votable

    return from_votable


@dataclass(frozen=True)
class Format:
    """A format that can be read.

    What reads it is imported when it is first needed: parsers are large, and those that run
    confined have no business in this process.

    Parameters
    ----------
    suffixes : endings of file names, in lower case
    magic : what the first bytes of every file of the format look like; None where it has none
    confined : whether its parser is too large to be trusted, and runs in a process of its own
    several : whether a file may hold several tables, of which one can be named
    """

    suffixes: tuple[str, ...]
    magic: re.Pattern[bytes] | None
    reader: Callable[[], Reader]
    confined: bool = False
    several: bool = False


FORMATS = {
    "parquet": Format((".parquet", ".pq", ".parq"), re.compile(rb"PAR1"), _parquet),
    "csv": Format((".csv",), None, _csv),
    "tsv": Format((".tsv",), None, _tsv),
    "txt": Format((".txt",), None, _txt),
    "fits": Format((".fits", ".fit", ".fts"), re.compile(rb"SIMPLE  ="), _fits, several=True),
    "votable": Format((".xml", ".vot", ".votable"),
                      re.compile(rb"(\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE|(\w+:)?VOTABLE)"),
                      _votable, confined=True, several=True),
    "ecsv": Format((".ecsv",), re.compile(rb"(\xef\xbb\xbf)?# ?%ECSV"), _ecsv, confined=True),
    "hdf5": Format((".h5", ".hdf5", ".hdf"), re.compile(rb"\x89HDF\r\n\x1a\n"), _hdf5,
                   confined=True, several=True),
}


def read_table(
    path: str | PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word that every reader of tables uses
    columns: Iterable[str] | None = None,
    table: str | None = None,
    first: int | None = None,
    limits: Limits | None = None,
) -> pa.Table:
    """Read a table that somebody else wrote, checked and with its integers whole.

    Whole numbers never pass through float, missing values among them included; dictionaries are
    decoded, blanks that pad FITS strings removed, row labels of pandas left out. What the file
    says of a column stands in its field's metadata: `unit`, `ucd`, `description`. Compressed
    files are unfolded on the way (docs/reference/formats.md).

    Parameters
    ----------
    format : a key of `FORMATS`; by default the ending of the file name says it
    columns : the columns to read, in this order; by default all
    table : of a file that holds several: path of an HDF5 group or dataset, name of a VOTable
        TABLE or of a FITS extension; by default the only or first one
    first : so many rows, from the first on; by default all. Of Parquet and FITS no more is read
    limits : how much to take in before refusing

    Raises
    ------
    TsmError
        `file.missing`, `file.format`, `file.damaged`, `file.limit`, `table.empty`,
        `table.missing-column`, `table.duplicate-column`, `table.column-type`, or `store.io` when
        there is no room to unfold a file.
    """
    with open_table(path, format=format, columns=columns, table=table, first=first,
                    limits=limits) as stream:
        return stream.read_all()


@contextmanager
def open_table(
    path: str | PathLike[str],
    *,
    format: str | None = None,  # noqa: A002
    columns: Iterable[str] | None = None,
    table: str | None = None,
    first: int | None = None,
    limits: Limits | None = None,
    rows: int = BATCH_ROWS,
) -> Iterator[TableStream]:
    """Open a table to take in its rows batch by batch, in memory that does not grow with it.

    What is promised, asked for and refused is as for `read_table`; what only a later row shows is
    refused when that row is reached. Text without types is gone through twice, for the types and
    for the values; what is parsed confined is on disk before its first row is given.

    Parameters
    ----------
    rows : at most so many in a batch
    """
    wanted = None if columns is None else tuple(columns)
    source = Source(Path(path), wanted, limits or Limits(), str(path), table, first, rows)
    with _opened(source, format) as (name, plain):
        kind = FORMATS[name]
        reading = confined.stream(name, plain) if kind.confined else kind.reader().stream(plain)
        with reading as stream:
            yield bounded(stream, plain)


def describe_table(
    path: str | PathLike[str],
    *,
    format: str | None = None,  # noqa: A002
    table: str | None = None,
    limits: Limits | None = None,
) -> TableFacts:
    """Say what a table file holds: its format, how many rows, and every column.

    Headers and footers tell where the format has them; text files are read. Columns that
    `read_table` cannot read are told as well.

    Raises
    ------
    TsmError
        as `read_table`.
    """
    source = Source(Path(path), None, limits or Limits(), str(path), table)
    with _opened(source, format) as (name, plain):
        kind = FORMATS[name]
        facts = confined.describe(name, plain) if kind.confined else kind.reader().describe(plain)
    columns = tuple(one for one in facts.columns if not ROW_LABELS.fullmatch(one.name))
    return TableFacts(facts.rows, columns, name)


@contextmanager
def _opened(source: Source, format_: str | None) -> Iterator[tuple[str, Source]]:
    """The name of the format and the plain file, both checked."""
    if format_ is not None and format_ not in FORMATS:
        raise _unknown(source, f"the format `{format_}`", format_)
    _check_file(source)
    with unfolded(source, lambda name: format_ or _format_of(source, name)) as (plain, name):
        if source.table is not None and not FORMATS[name].several:
            raise source.unsupported(f"table={source.table!r} for {name}",
                                     "a format whose files hold several tables",
                                     "leave it out")
        _check_start(plain, name)
        yield name, plain


def _format_of(source: Source, file_name: str) -> str:
    for name, kind in FORMATS.items():
        if file_name.lower().endswith(kind.suffixes):
            return name
    suffix = Path(file_name).suffix
    raise _unknown(source, f"the ending `{suffix}`", suffix.lstrip("."))


def _unknown(source: Source, found: str, word: str) -> Exception:
    return source.unsupported(found, f"one of {', '.join(FORMATS)}",
                              f"name it by its ending or by `format`: {nearest(word, FORMATS)}")


def _check_file(source: Source) -> None:
    path = source.path
    try:
        size = _size(path)
    except FileNotFoundError:
        raise refuse(Code.FILE_MISSING, f"{path}", found="no such file", expected="a table file",
                     remedy="correct the path; it counts from the current directory") from None
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise refuse(Code.FILE_MISSING, f"{path}",
                     found=getattr(error, "strerror", None) or str(error),
                     expected="a file that can be read",
                     remedy="name a file, and look at its permissions") from None
    if size == 0:
        raise source.empty("a file of 0 bytes")
    if size > source.limits.max_bytes:
        raise source.too_large(f"{size} bytes", f"{source.limits.max_bytes}")


def _size(path: Path) -> int:
    """Size of a file that can be opened; an OSError for anything else."""
    size = path.stat().st_size
    if not path.is_file():  # to open a pipe would wait for ever
        raise OSError(0, "a folder" if path.is_dir() else "no regular file")
    path.open("rb").close()
    return size


def _check_start(source: Source, name: str) -> None:
    """Refuse a file that begins otherwise than its format does."""
    with source.path.open("rb") as file:
        start = file.read(START)
    own = FORMATS[name].magic
    if own and own.match(start):
        return
    others = [other for other, kind in FORMATS.items() if kind.magic and kind.magic.match(start)]
    # The header of ECSV is a comment to CSV.
    if own is None and set(others) <= {"ecsv"}:
        return
    found = f"bytes of {others[0]}" if others else f"a beginning that no {name} has ({start[:8]!r})"
    raise source.damaged(found, f"bytes of {name}, as the ending or `format` says",
                         f"read it as {others[0]}: name it so, or give `format`" if others
                         else "look at what the file holds; was a page of errors saved?")
