"""Rows of VOTables, written by the letter of the standard in each serialization, are read as such.

Astropy reads them the same. Parts of the document are taken so small that they end anywhere: in a
tag, a digit, a row.
"""

from __future__ import annotations

import base64
import math
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pytest
from astropy.io import votable
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import from_votable
from pz_tsm_core.readers.source import Source

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5)
#: All but what XML cannot hold, or would not tell from a line break.
ANY = st.text(st.characters(max_codepoint=0xFFFD, exclude_categories=("Cc", "Cs", "Cn")),
              max_size=5)


@dataclass(frozen=True)
class Kind:
    """A FIELD: its attributes, values, and how the standard writes them.

    Parameters
    ----------
    null : of a number, what stands for a missing one
    """

    datatype: str
    arraysize: str
    values: st.SearchStrategy[Any]
    text: Callable[[Any], str]
    binary: Callable[[Any], bytes]
    null: Any = None

    @property
    def is_text(self) -> bool:
        return self.datatype in ("char", "unicodeChar")

    @property
    def is_single(self) -> bool:
        return self.is_text or not self.arraysize

    def tag(self, name: str) -> str:
        size = f' arraysize="{self.arraysize}"' if self.arraysize else ""
        null = f'<VALUES null="{self.null}"/>' if isinstance(self.null, int) else ""
        return f'<FIELD name="{name}" datatype="{self.datatype}"{size}>{null}</FIELD>'


def packed(form: str) -> Callable[[Any], bytes]:
    return lambda value: struct.pack(f">{form}", value)


def whole(datatype: str, form: str, lowest: int, highest: int, null: int) -> Kind:
    return Kind(datatype, "", st.integers(lowest, highest), str, packed(form), null)


def real(datatype: str, form: str, width: int) -> Kind:
    text = (lambda value: str(np.float32(value))) if width == 32 else repr
    return Kind(datatype, "", st.floats(width=width), text, packed(form), math.nan)


def counted(encoding: str, width: int) -> Callable[[str], bytes]:
    return lambda text: struct.pack(">i", len(text)) + text.encode(encoding)[: len(text) * width]


KINDS = [
    Kind("boolean", "", st.booleans(), "FT".__getitem__, lambda value: b"FT"[value:value + 1],
         "?"),
    whole("unsignedByte", "B", 0, 255, 255),
    whole("short", "h", -(2**15), 2**15 - 1, -999),
    whole("int", "i", -(2**31), 2**31 - 1, 0),
    whole("long", "q", -(2**63), 2**63 - 1, -(2**63)),
    real("float", "f", 32),
    real("double", "d", 64),
    Kind("char", "*", ASCII, str, counted("ascii", 1)),
    Kind("char", "5*", ASCII, str, counted("ascii", 1)),
    Kind("char", "5", ASCII, str, lambda text: text.encode().ljust(5, b"\0")),
    Kind("unicodeChar", "*", ANY, str, counted("utf-16-be", 2)),
    Kind("unicodeChar", "5", ANY, str, lambda text: text.encode("utf-16-be").ljust(10, b"\0")),
    # Lists are there to be passed over.
    Kind("float", "3", st.just([0.5, -1, 2]), lambda value: " ".join(map(str, value)),
         lambda value: struct.pack(">3f", *value)),
    Kind("short", "*", st.lists(st.integers(0, 9), max_size=3),
         lambda value: " ".join(map(str, value)),
         lambda value: struct.pack(f">i{len(value)}h", len(value), *value)),
    Kind("bit", "11", st.just(0), lambda _: "0 " * 11, lambda _: b"\x0f\xf0"),
]

Row = list[Any]


def tabledata(kinds: list[Kind], rows: list[Row]) -> str:
    def cell(kind: Kind, value: Any) -> str:
        return f"<TD>{'' if value is None else escape(kind.text(value))}</TD>"

    written = ("".join(map(cell, kinds, row)) for row in rows)
    return f"<TABLEDATA>{''.join(f'<TR>{row}</TR>' for row in written)}</TABLEDATA>"


def stream(kinds: list[Kind], rows: list[Row], tag: str) -> str:
    octets = b""
    for row in rows:
        if tag == "BINARY2":
            flags = "".join("01"[value is None] for value in row).ljust(-(-len(row) // 8) * 8, "0")
            octets += int(flags, 2).to_bytes(len(flags) // 8, "big")
        for kind, value in zip(kinds, row, strict=True):
            octets += b"?" if value is None and kind.null == "?" else kind.binary(
                kind.null if value is None else value)
    lines = base64.encodebytes(octets).decode()
    return f'<{tag}><STREAM encoding="base64">\n{lines}</STREAM></{tag}>'


SERIALIZATIONS: dict[str, Callable[[list[Kind], list[Row]], str]] = {
    "TABLEDATA": tabledata,
    "BINARY": lambda kinds, rows: stream(kinds, rows, "BINARY"),
    "BINARY2": lambda kinds, rows: stream(kinds, rows, "BINARY2"),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Kind], list[Row]]:
    """Columns drawn from `KINDS`, and up to eight rows; what may be missing is at times."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=10))
    values = [st.none() | kind.values if kind.null is not None else kind.values for kind in kinds]
    return kinds, draw(st.lists(st.tuples(*values).map(list), min_size=1, max_size=8))


def document(kinds: list[Kind], data: str) -> str:
    fields = "".join(kind.tag(f"c{number}") for number, kind in enumerate(kinds))
    return (f'<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>'
            f"<TABLE>{fields}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>")


def expected(kind: Kind, value: Any, serialization: str) -> Any:
    """What of a value there is left: no word tells NaN or the null from a missing number."""
    if isinstance(value, str):
        return value.strip(" ") if serialization == "TABLEDATA" else value
    missing = value == kind.null or (isinstance(value, float) and math.isnan(value))
    return None if missing else value


def ours(path: Path, names: list[str]) -> dict[str, list[Any]]:
    with from_votable.stream(Source(path, tuple(names), Limits(), path.name)) as stream:
        return stream.read_all().to_pydict()


def astropys(path: Path, names: list[str]) -> dict[str, list[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = votable.parse(path).get_first_table().array
    return {name: [str(value) if isinstance(value, str) else None if hidden else value.item()
                   for value, hidden in zip(np.ma.getdata(table[name]),
                                            np.ma.getmaskarray(table[name]), strict=True)]
            for name in names}


@pytest.mark.parametrize("serialization", SERIALIZATIONS)
@settings(max_examples=200)
@given(table=tables(), part=st.sampled_from([17, 250, 2**20]))
def test_what_is_written_is_read(serialization, table, part, tmp_path_factory) -> None:
    kinds, rows = table
    path = tmp_path_factory.getbasetemp() / f"{serialization}.xml"
    path.write_text(document(kinds, SERIALIZATIONS[serialization](kinds, rows)), "utf-8")
    wanted = {f"c{number}": [expected(kind, row[number], serialization) for row in rows]
              for number, kind in enumerate(kinds) if kind.is_single}
    if not wanted:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_votable, "CHUNK", part)
        assert repr(ours(path, list(wanted))) == repr(wanted)
    assert repr(astropys(path, list(wanted))) == repr(wanted)
