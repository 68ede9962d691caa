"""The page on the guard tells every figure, every limit and its default, every kind of change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pz_tsm_core.model.guard import GuardPolicy
from pz_tsm_core.quality.guard import TITLES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "guard.md").read_text("utf-8")


@pytest.mark.parametrize("key", GuardPolicy.model_fields)
def test_every_limit_stands_in_the_table_with_its_default(key: str) -> None:
    (default,) = re.findall(rf"^\| `{key}` \| (\S+) \|", PAGE, re.MULTILINE)
    value = getattr(GuardPolicy(), key)
    assert default == (str(value).lower() if isinstance(value, bool) else f"{value:g}")


@pytest.mark.parametrize("word", [*TITLES, "former.whole", "added", "removed", "merged", "split",
                                  "renamed", "redshift"])
def test_every_figure_and_every_kind_of_change_is_told(word: str) -> None:
    assert re.search(rf"^\| `{word}` \|", PAGE, re.MULTILINE)
