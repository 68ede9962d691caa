"""Every example of the page on the rule language is what happens."""

from __future__ import annotations

import doctest
import math
import re
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest
import yaml

from pz_tsm_core.errors import TsmError
from pz_tsm_core.legacy.columns import before_a_table
from pz_tsm_core.legacy.translate import translate
from pz_tsm_core.rules import first_match, parse, write
from pz_tsm_core.rules.tree import Function, Search

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "rules.md").read_text("utf-8")


def tables():
    """Every table of the page: its head, and its rows as lists of cells."""
    blocks, rows = [], []
    for line in [*PAGE.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            blocks.append((rows[0], rows[2:]))
            rows = []
    return blocks


def value(cell):
    """A cell of the example table as it stands in a column."""
    if cell == "null":
        return None
    if cell in ("true", "false"):
        return cell == "true"
    try:
        return float(cell)
    except ValueError:
        return cell.strip("'")


HEAD, ROWS = tables()[0]
NAMES = [row[0] for row in ROWS]
TABLE = pa.table({
    name: pa.array([value(row[n]) for row in ROWS], from_pandas=False)
    for n, name in enumerate(HEAD) if n
})


def code(cell):
    return re.sub(r"^`+ ?| ?`+$", "", cell) if "``" in cell else cell.strip("`")


def examples():
    for head, rows in tables():
        if "holds for" in head:
            rule, holds = head.index("rule"), head.index("holds for")
            yield from ((code(row[rule]), row[holds].split()) for row in rows)


def test_the_example_table_holds_what_is_missing_and_what_is_not_finite():
    assert TABLE["z"][4].is_valid
    assert math.isnan(TABLE["z"][4].as_py())
    assert TABLE["zhigh"][5].as_py() == math.inf
    assert TABLE["zflg"].null_count == 1


@pytest.mark.parametrize(("rule", "rows"), list(examples()))
def test_a_rule_holds_for_the_rows_that_the_page_says(rule, rows):
    parsed = parse(rule)
    assert parsed.problems(TABLE.schema) == ()
    assert [name for name, holds in zip(NAMES, parsed.mask(TABLE), strict=True) if holds] == rows


def test_the_list_of_rules_decides_as_the_page_says():
    quality = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])["quality"]
    rules = [(parse(rule["when"]), rule["then"]) for rule in quality["rules"]]
    decided = first_match(rules, TABLE, otherwise=quality["otherwise"])
    _, (row,) = next((head, rows) for head, rows in tables() if head[1:] == NAMES)
    assert decided.values(pa.int8()).to_pylist() == list(map(int, row[1:]))


def test_old_expressions_become_the_rules_that_the_page_says():
    _, rows = next((head, rows) for head, rows in tables() if head[0] == "in Python")
    assert rows
    for python, rule in rows:
        assert write(translate(code(python), "x", before_a_table).tree) == code(rule)


def test_the_error_on_the_page_is_the_error():
    shown = re.search(r'    >>> parse\("(.*)", "(.*)"\)\n((?:    .+\n)+)', PAGE)
    with pytest.raises(TsmError) as caught:
        parse(shown[1], shown[2])
    assert str(caught.value) == "\n".join(line[4:] for line in shown[3].splitlines())


def test_the_python_on_the_page_gives_what_it_shows():
    part = PAGE.split("## In Python")[1].split("## ")[0]
    test = doctest.DocTestParser().get_doctest(part, {}, "rules.md", None, None)
    assert doctest.DocTestRunner().run(test).failed == 0


def test_every_function_and_search_of_the_language_is_on_the_page():
    forms = " ".join(code(row[0]) for head, rows in tables() if head[0] == "form" for row in rows)
    for name in (*get_args(Function), "digit"):
        assert f"{name}(" in forms
    for name in get_args(Search):
        assert f"x {name} 'text'" in forms
