"""The page on formats says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import FORMATS
from pz_tsm_core.readers.compression import COMPRESSIONS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "formats.md").read_text("utf-8")


def test_the_formats_of_the_page_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (here|confined) \|$", PAGE, re.MULTILINE)
    assert [(name, tuple(re.findall(r"`(\.\w+)`", endings)), "table=" in tables, where)
            for name, endings, tables, where in rows] == [
        (name, kind.suffixes, kind.several, "confined" if kind.confined else "here")
        for name, kind in FORMATS.items()]


def test_the_compressions_of_the_page_are_those_of_the_code() -> None:
    sentence = PAGE[PAGE.index("Behind each ending"):].partition(", whose name")[0]
    assert re.findall(r"`(\.\w+)`", sentence) == [kind.suffix for kind in COMPRESSIONS]


def test_the_limits_of_the_page_are_the_defaults() -> None:
    rows = re.findall(r"^\| `(max_\w+)` \| ([\d.]+) \|", PAGE, re.MULTILINE)
    assert dict(rows) == {name: str(value) for name, value in Limits().model_dump().items()}
