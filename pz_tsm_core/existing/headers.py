"""What the columns of a catalogue are called, and which of them a configuration names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pz_tsm_core import tables
from pz_tsm_core.errors import Code, Problems, nearest
from pz_tsm_core.model.document import Document, Loc

#: What a text file is read as: its separator is found whatever its name says.
TEXT = "txt"
_TEXT_FILES = (".csv", ".tsv", ".txt")
_COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")


@dataclass(frozen=True)
class Header:
    """A catalogue's format and the names of its columns."""

    format: str
    names: tuple[str, ...]


def is_text_file(path: Path) -> bool:
    """Whether a file is of delimited text, compressed or not."""
    name = path.name.lower()
    for ending in _COMPRESSIONS:
        name = name.removesuffix(ending)
    return path.is_file() and name.endswith(_TEXT_FILES)


def read_header(path: Path) -> Header:
    """Read what a catalogue says of itself; of text files, all of it is read."""
    facts = tables.describe(path, format=TEXT if is_text_file(path) else None)
    return Header(facts.format, tuple(column.name for column in facts.columns))


def check_columns(
    columns: Mapping[str, str | None], names: Collection[str], document: Document, loc: Loc,
    problems: Problems, *, required: tuple[str, ...] = ("ra", "dec"),
) -> None:
    """Note columns that are not there: those that are mapped, and those that must be.

    Parameters
    ----------
    required : standard names, which stand for columns of the same name unless they are mapped
    """
    for standard in dict.fromkeys((*columns, *required)):
        native = columns.get(standard) or (standard if standard in required else None)
        if native and native not in names:
            problems.add(Code.TABLE_MISSING_COLUMN,
                         document.where((*loc, "columns", standard)),
                         found=f"no column `{native}`", expected="a column of the catalogue",
                         remedy=near(native, names))


def near(native: str, names: Collection[str]) -> str:
    """The nearest name, also where only case differs."""
    same = [name for name in names if name.lower() == native.lower()]
    return f"did you mean `{same[0]}`?" if same else nearest(native, names)
