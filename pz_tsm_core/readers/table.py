"""One way to read a table file, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import from_csv, from_fits, from_parquet
from pz_tsm_core.readers.source import Source


@dataclass(frozen=True)
class Format:
    """A format that can be read.

    Parameters
    ----------
    suffixes : endings of file names, in lower case
    magic : the first bytes of every file of the format; empty where it has none
    """

    suffixes: tuple[str, ...]
    magic: bytes
    read: Callable[[Source], pa.Table]


FORMATS = {
    "parquet": Format((".parquet", ".pq"), b"PAR1", from_parquet.read),
    "csv": Format((".csv",), b"", from_csv.read_commas),
    "tsv": Format((".tsv",), b"", from_csv.read_tabs),
    "fits": Format((".fits", ".fit", ".fts"), b"SIMPLE  =", from_fits.read),
}


def read_table(
    path: str | PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word that every reader of tables uses
    columns: Iterable[str] | None = None,
    limits: Limits | None = None,
) -> pa.Table:
    """Read a table that somebody else wrote, checked and with its integers whole.

    Whole numbers never pass through float, missing values among them included; dictionaries are
    decoded, blanks that pad FITS strings removed, row labels of pandas left out.

    Parameters
    ----------
    format : a key of `FORMATS`; by default the ending of the file name says it
    columns : the columns to read, in this order; by default all
    limits : how much to take in before refusing

    Raises
    ------
    TsmError
        `file.missing`, `file.format`, `file.damaged`, `file.limit`, `table.empty`,
        `table.missing-column`, `table.duplicate-column` or `table.column-type`.
    """
    wanted = None if columns is None else tuple(columns)
    source = Source(Path(path), wanted, limits or Limits())
    kind = _format(source.path, format)
    _check_file(source, kind)
    table = kind.read(source)
    if not len(table):
        raise source.empty("no rows")
    return table


def _format(path: Path, name: str | None) -> Format:
    if name is None:
        for kind in FORMATS.values():
            if path.name.lower().endswith(kind.suffixes):
                return kind
    elif name in FORMATS:
        return FORMATS[name]
    raise refuse(Code.FILE_FORMAT, f"{path}",
                 found=f"the format `{name}`" if name else f"the ending `{path.suffix}`",
                 expected=f"one of {', '.join(FORMATS)}",
                 remedy=nearest(name or path.suffix.lstrip("."), FORMATS))


def _check_file(source: Source, kind: Format) -> None:
    path = source.path
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(kind.magic))
    except FileNotFoundError:
        raise refuse(Code.FILE_MISSING, f"{path}", found="no such file", expected="a table file",
                     remedy="correct the path; it counts from the current directory") from None
    except OSError as error:
        raise refuse(Code.FILE_MISSING, f"{path}", found=error.strerror or str(error),
                     expected="a file that can be read",
                     remedy="name a file, and look at its permissions") from None
    if size == 0:
        raise source.empty("a file of 0 bytes")
    if size > source.limits.max_bytes:
        raise source.too_large(f"{size} bytes", f"{source.limits.max_bytes}")
    if start != kind.magic:
        raise source.damaged(f"a beginning that no such file has ({start!r})")
