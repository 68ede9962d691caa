"""The rows of a small VOTable by which a service tells of itself, such as a count or a schema.

Rows of catalogues are for the readers, in a process of their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from pz_tsm_core.sources._votable import NotVOTableError

Row = Mapping[str, Any]


def rows_of(path: Path) -> list[Row]:
    """Give the rows, with null and NaN as None, and names of columns in small letters.

    Raises
    ------
    NotVOTableError
        for what is not whole, and for rows that stand elsewhere.
    """
    from astropy.io.votable import parse_single_table

    _check_tags(path)
    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        try:
            table = parse_single_table(file).to_table()
        except (ValueError, IndexError) as error:
            raise NotVOTableError(str(error)) from None
    names = [name.lower() for name in table.colnames]
    return [dict(zip(names, map(_plain, row), strict=True)) for row in table]


def _plain(value: Any) -> Any:
    """The value as Python's own, text without the blanks around it; None where there is none."""
    from numpy.ma import is_masked

    if is_masked(value) or value != value:  # noqa: PLR0124 - what is not a number
        return None
    own = value.item() if hasattr(value, "item") else value
    return own.strip() if isinstance(own, str) else own


def _check_tags(path: Path) -> None:
    """Refuse what refers to another place: astropy would fetch it from wherever it is told."""

    def start(name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag in ("FITS", "PARQUET") or (tag == "STREAM" and "href" in attributes):
            raise NotVOTableError(f"rows as {tag} of another place")

    def doctype(*_: object) -> None:
        raise NotVOTableError("a DOCTYPE")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(path.read_bytes(), True)  # noqa: FBT003 - all of it
    except expat.ExpatError as error:
        raise NotVOTableError(str(error)) from None
