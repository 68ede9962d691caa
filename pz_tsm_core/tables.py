"""Tables of redshifts wherever they lie: a file of any format, or a HATS folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.files import digest_file
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import TableFacts, describe_table, read_table

# `sky.read` is imported where a folder is met: it brings hats, a second that files need not pay.


def read(
    path: str | Path,
    columns: Iterable[str] | None = None,
    limits: Limits | None = None,
    first: int | None = None,
) -> pa.Table:
    """Read a table, or its first rows, as `readers.read_table` or `sky.read.read_hats` does."""
    if not Path(path).is_dir():
        return read_table(path, columns=columns, limits=limits, first=first)
    from pz_tsm_core.sky.read import read_hats

    return read_hats(path, columns, limits, first)


def digest(path: str | Path) -> str:
    """sha256 of a file's bytes, or of all that is read of a HATS folder."""
    if not Path(path).is_dir():
        return digest_file(path)
    from pz_tsm_core.sky.read import digest_hats

    return digest_hats(path)


def describe(path: str | Path, limits: Limits | None = None) -> TableFacts:
    """Say what a table holds, without reading more of it than that takes."""
    if not Path(path).is_dir():
        return describe_table(path, limits=limits)
    from pz_tsm_core.sky.read import describe_hats

    return describe_hats(path, limits)
