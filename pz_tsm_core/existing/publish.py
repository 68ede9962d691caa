"""Files and folders to where they are looked for: each whole, or as it was before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.export.one_table import write_table

#: No name that a person would give.
_ASIDE = ".pz-tsm-partial"


def write_product(
    table: pa.Table, path: Path, format_: str, *, position: tuple[str, str] = ("ra", "dec"),
    margin: str | None = None,
) -> None:
    """Write a product in one of the five formats; what stood there is replaced when it is whole.

    Parameters
    ----------
    position : columns by which a HATS catalogue is laid out, in degrees
    margin : what its margin is called, if not as usual
    """
    aside = _aside(path)
    if format_ == "hats":
        from pz_tsm_core.sky.write import write_table_as_collection

        ra, dec = position
        write_table_as_collection(table, aside, "catalog", ra_column=ra, dec_column=dec,
                                  margin=margin)
    else:
        write_table(table, aside, format_)
    _replace(aside, path)


def copy(source: Path, target: Path, *, linked: bool = False) -> None:
    """Copy a file or folder; what stood there is replaced when the copy is whole.

    Parameters
    ----------
    linked : give what nobody will change a second name instead, where the disk allows it
    """
    if source.resolve() == target.resolve():
        return
    one = _link if linked else shutil.copyfile
    aside = _aside(target)
    if source.is_dir():
        shutil.copytree(source, aside, copy_function=one)
    else:
        one(source, aside)
    _replace(aside, target)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def _aside(path: Path) -> Path:
    """A place beside `path` where nothing is; what a killed run left there is removed."""
    aside = path.with_name(f"{_ASIDE}-{path.name}")
    _remove(aside)
    return aside


def _replace(aside: Path, path: Path) -> None:
    """Put what is whole in its place."""
    try:
        if path.is_dir() and not path.is_symlink():
            before = path.with_name(f"{_ASIDE}-before-{path.name}")
            _remove(before)
            path.rename(before)
            aside.rename(path)
            _remove(before)
        else:
            aside.replace(path)
    except OSError as error:
        _remove(aside)
        raise refuse(Code.OUTPUT_WRITE, str(path), found=error.strerror or str(error),
                     expected="a place to write to", remedy="name another output") from None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
