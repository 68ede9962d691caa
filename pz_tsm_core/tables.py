"""Tables of redshifts wherever they lie: a file of any format, or a HATS folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.files import digest_file
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import TableFacts, describe_table, read_table

#: Where the files of artifacts lie in a store, published, set aside or in the making.
_IN_A_STORE = re.compile(r"/(objects/[a-z0-9_-]+/[0-9a-f]{2}/[0-9a-f]{64}"
                         r"|\.quarantine/[0-9a-f]{64}-[0-9a-f]{8}|\.staging/[0-9a-f]{32})(/|$)")

# `sky.read` is imported where a folder is met: it brings hats, a second that files need not pay.


def read(
    path: str | Path,
    columns: Iterable[str] | None = None,
    limits: Limits | None = None,
    first: int | None = None,
    table: str | None = None,
) -> pa.Table:
    """Read a table, or its first rows, as `readers.read_table` or `sky.read.read_hats` does.

    Raises
    ------
    TsmError
        as those; `file.format` for one of several tables of a HATS folder; `store.access` for a
        path into a store, here and below: there the store alone says who may see what.
    """
    _refuse_store(path)
    if not Path(path).is_dir():
        return read_table(path, columns=columns, table=table, limits=limits, first=first)
    _refuse_choice(path, table)
    from pz_tsm_core.sky.read import read_hats

    return read_hats(path, columns, limits, first)


def digest(path: str | Path) -> str:
    """sha256 of a file's bytes, or of all that is read of a HATS folder."""
    _refuse_store(path)
    if not Path(path).is_dir():
        return digest_file(path)
    from pz_tsm_core.sky.read import digest_hats

    return digest_hats(path)


def describe(
    path: str | Path, limits: Limits | None = None, table: str | None = None
) -> TableFacts:
    """Say what a table holds, without reading more of it than that takes."""
    _refuse_store(path)
    if not Path(path).is_dir():
        return describe_table(path, table=table, limits=limits)
    _refuse_choice(path, table)
    from pz_tsm_core.sky.read import describe_hats

    return describe_hats(path, limits)


def _refuse_store(path: str | Path) -> None:
    if _IN_A_STORE.search(Path(path).resolve().as_posix()):
        raise refuse(Code.STORE_ACCESS, str(path), found="a path into a store",
                     expected="a table of your own",
                     remedy="name the product, or the address of the artifact, instead")


def _refuse_choice(folder: str | Path, table: str | None) -> None:
    if table is not None:
        raise refuse(Code.FILE_FORMAT, str(folder), found=f"table={table!r} for a HATS folder",
                     expected="a file that holds several tables", remedy="leave it out")
