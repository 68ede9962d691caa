"""The page on matching tells every key, every default, every value and every column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.schema import MATCH
from pz_tsm_core.sky.cover import COARSER
from pz_tsm_core.sky.lsdb_engine import CANDIDATES
from pz_tsm_core.sky.objects import SAMPLE
from pz_tsm_core.sky.offsets import FEWEST

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "matching.md").read_text("utf-8")
KEYS = [(policy, key) for policy in (MatchPolicy, ClusterPolicy) for key in policy.model_fields]


def table(policy) -> dict[str, tuple[str, str]]:
    """Values and default of each key, as the page has them."""
    title = {MatchPolicy: "match", ClusterPolicy: "cluster"}[policy]
    _, section = PAGE.split(f"## Keys of `{title}`\n")
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|", section.split("\n## ")[0], re.MULTILINE)
    return {key: (values, default.strip()) for key, values, default in rows}


@pytest.mark.parametrize(("policy", "key"), KEYS)
def test_every_key_stands_in_its_table_with_its_values_and_default(policy, key) -> None:
    values, default = table(policy)[key]
    real = getattr(policy(), key)
    if isinstance(real, bool | str):
        assert default == (f"`{real}`".lower() if real != "" else "none")
    else:
        assert default == f"{real:g}"
    kind = get_type_hints(policy)[key]
    if get_origin(kind) is Literal:
        assert set(re.findall(r"`(\w+)`", values)) == set(get_args(kind))
    for most in (each.le for each in policy.model_fields[key].metadata if hasattr(each, "le")):
        assert f"{most:,}" in values


def test_no_key_is_told_that_there_is_not() -> None:
    for policy in (MatchPolicy, ClusterPolicy):
        assert set(table(policy)) == set(policy.model_fields)


def test_every_column_is_told() -> None:
    for column in MATCH:
        assert f"| `{column.name}` |" in PAGE


def test_numbers_of_the_code_are_those_of_the_page() -> None:
    assert {2: "two orders coarser"}[COARSER] in PAGE
    assert f"counts no further than {CANDIDATES}," in PAGE
    assert f"at least {FEWEST} matched galaxies" in PAGE
    assert f"where {SAMPLE} rows in each of three files" in PAGE
