"""Tables of redshifts wherever they lie: a file of any format, a HATS folder, or a store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.files import digest_file, expanded
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.model.product import ProductVersion, is_ref
from pz_tsm_core.readers import TableFacts, TableStream, describe_table, open_table
from pz_tsm_core.sky.catalog import is_hats
from pz_tsm_core.store import Store

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
    with stream(path, columns, limits, first, table=table) as rows:
        return rows.read_all()


def stream(
    path: str | Path,
    columns: Iterable[str] | None = None,
    limits: Limits | None = None,
    first: int | None = None,
    *,
    table: str | None = None,
    format: str | None = None,  # noqa: A002 - the word that every reader of tables uses
) -> AbstractContextManager[TableStream]:
    """Open a table to take in its rows batch by batch, as `open_table` or `open_hats` does.

    Parameters
    ----------
    format : of a file, where the ending of its name does not say it

    Raises
    ------
    TsmError
        as `read`, when it is entered and while rows are taken
    """
    _refuse_store(path)
    if not Path(path).is_dir():
        return open_table(path, format=format, columns=columns, table=table, first=first,
                          limits=limits)
    _refuse_choice(path, table)
    from pz_tsm_core.sky.read import open_hats

    return open_hats(path, columns, limits, first)


def read_product(
    table: str | Path, store: Store | None, columns: Sequence[str] | None = None
) -> tuple[ProductVersion, pa.Table] | None:
    """Read the product that a word names; None where a file or HATS folder has that name.

    Raises
    ------
    TsmError
        `product.unknown`, `product.name` for a product that is no table; as `Store.read_table`
    """
    path = expanded(table)
    if store is None or path.is_file() or is_hats(path) or not _may_be_product(str(table)):
        return None
    version = store.products.get(str(table))
    if version.kind != "table":
        raise refuse(Code.PRODUCT_NAME, str(version), found=f"a {version.kind}",
                     expected="a table, as `tsm put` takes it in",
                     remedy="a compilation stands in a recipe as redshifts.compilation")
    return version, store.read_table(version.ref, version.table, columns)


def digest(path: str | Path) -> str:
    """sha256 of a file's bytes, or of all that is read of a HATS folder."""
    _refuse_store(path)
    if not Path(path).is_dir():
        return digest_file(path)
    from pz_tsm_core.sky.read import digest_hats

    return digest_hats(path)


def describe(
    path: str | Path,
    limits: Limits | None = None,
    table: str | None = None,
    format: str | None = None,  # noqa: A002
) -> TableFacts:
    """Say what a table holds, without reading more of it than that takes."""
    _refuse_store(path)
    if not Path(path).is_dir():
        return describe_table(path, format=format, table=table, limits=limits)
    _refuse_choice(path, table)
    from pz_tsm_core.sky.read import describe_hats

    return describe_hats(path, limits)


def _may_be_product(text: str) -> bool:
    try:
        return bool(is_ref(text))
    except ValueError:
        return False


def _refuse_store(path: str | Path) -> None:
    if _IN_A_STORE.search(Path(path).resolve().as_posix()):
        raise refuse(Code.STORE_ACCESS, str(path), found="a path into a store",
                     expected="a table of your own",
                     remedy="name the product, or the address of the artifact, instead")


def _refuse_choice(folder: str | Path, table: str | None) -> None:
    if table is not None:
        raise refuse(Code.FILE_FORMAT, str(folder), found=f"table={table!r} for a HATS folder",
                     expected="a file that holds several tables", remedy="leave it out")
