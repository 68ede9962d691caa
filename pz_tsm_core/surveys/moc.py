"""Coverage maps (IVOA MOC 2.0) as people hand them in: as text, or as a file in three forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pz_tsm_core.errors import Code, refuse

if TYPE_CHECKING:
    from mocpy import MOC

#: The footprint of a survey takes a thousandth of this.
MAX_BYTES = 4 * 2**20

#: Orders of a MOC end here.
MAX_ORDER = 29

_RANGE = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?")
_FORM = re.compile(r"(?:\d{1,2}/[\d\s,-]*)+")
_FORMS = "cells by order, as in `3/12 4/100-103`; or a file of FITS, JSON or such text"


def is_moc(text: str) -> bool:
    """Whether a text has the form of a MOC in ASCII."""
    return _FORM.fullmatch(text.strip()) is not None


def moc_of_text(text: str, where: str = "moc") -> str:
    """The same MOC in the one way in which it is written here, whole cells joined.

    Parameters
    ----------
    where : it stands, for messages

    Raises
    ------
    TsmError
        `value.out-of-range` for what is no MOC, or an empty one.

    Examples
    --------
    >>> moc_of_text("4/100-103 3/12")
    '3/12 25'
    """
    from mocpy import MOC

    if not is_moc(text):
        raise _no_moc(where, f"`{text.strip()[:80]}`")
    plain = text.replace(",", " ")
    _refuse_wrong_cells(plain, where)
    return _written(lambda: MOC.from_string(plain, "ascii"), where)


def moc_of_file(path: Path) -> str:
    """The MOC of a file, known by its first byte, as text.

    Raises
    ------
    TsmError
        `file.missing`, `file.limit`; `value.out-of-range` for what is no MOC, or an empty one.
    """
    first = _first_byte(path)
    if first not in {b"S", b"{"}:
        return moc_of_text(path.read_text("ascii", errors="replace"), str(path))
    from mocpy import MOC

    form = "fits" if first == b"S" else "json"
    text = _written(lambda: MOC.load(str(path), form), str(path))
    _refuse_wrong_cells(text, str(path))
    return text


def _first_byte(path: Path) -> bytes:
    """The first byte of a file that is not too large."""
    try:
        if not path.is_file() and path.exists():  # a pipe would be read for ever
            raise _unreadable(path, "a folder" if path.is_dir() else "no regular file")
        with path.open("rb") as stream:
            first, size = stream.read(1), path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if size > MAX_BYTES:
        raise refuse(Code.FILE_LIMIT, str(path), found=f"{size:,} bytes",
                     expected=f"a MOC of at most {MAX_BYTES:,} bytes",
                     remedy="make it coarser, or name a cone around it")
    return first


def _unreadable(path: Path, found: str) -> Exception:
    return refuse(Code.FILE_MISSING, str(path), found=found, expected="a file with a MOC",
                  remedy="correct the path")


def _refuse_wrong_cells(text: str, where: str) -> None:
    """The parser takes some cells that do not exist for others, or passes over them."""
    order = 0
    for token in text.replace("/", "/ ").split():
        if token.endswith("/"):
            order = int(token[:-1])
            if order > MAX_ORDER:
                raise _no_moc(where, f"the order {order}, above {MAX_ORDER}")
        elif (cells := _RANGE.fullmatch(token)) is None:
            raise _no_moc(where, f"`{token[:40]}`")
        elif not int(cells[1]) <= int(cells[2] or cells[1]) < 12 * 4**order:
            raise _no_moc(where, f"`{token[:40]}` in order {order}, whose last cell is "
                                 f"{12 * 4**order - 1}")


def _written(parse: Callable[[], MOC], where: str) -> str:
    try:
        text = str(parse().to_string("ascii"))
    except (ValueError, OSError) as error:
        raise _no_moc(where, str(error).split("\n")[0]) from None
    except BaseException as error:
        # Rust panics over some damaged files; the class of a panic has no name to import.
        if type(error).__name__ != "PanicException":
            raise
        raise _no_moc(where, "a damaged file") from None
    # The order to which it was drawn stands at its end, with or without cells of that order.
    cells = re.sub(r"\d+/\s*$", "", text).strip()
    if not cells:
        raise _no_moc(where, "a MOC without cells")
    return cells


def _no_moc(where: str, found: str) -> Exception:
    return refuse(Code.VALUE_RANGE, where, found=found, expected=_FORMS, remedy="correct it")
