"""No text makes a rule do anything but read columns of its table."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.legacy import parse_rule_file
from pz_tsm_core.rules import Kind, parse

HOSTILE = runpy.run_path(str(Path(__file__).with_name("hostile_rules.py")))["HOSTILE"]
EXPRESSION = """
translation_rules:
  ANY: {z_flag_translation: {conditions: [{expr: %s, value: 1}]}}
"""


def test_the_collection_is_large():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_with_its_place(name):
    with pytest.raises(TsmError) as caught:
        parse(HOSTILE[name], "survey x, quality")
    told = [str(problem) for problem in caught.value.problems]
    assert set(caught.value.codes) <= {Code.RULE_SYNTAX, Code.RULE_TYPE}
    assert all(re.search(r"character [1-9]\d*$", p.where) for p in caught.value.problems)
    assert all(len(text) < 1_200 and text.isprintable() for line in told
               for text in line.splitlines())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_no_formula_either(name):
    with pytest.raises(TsmError):
        parse(HOSTILE[name], kind=Kind.NUMBER)


@pytest.mark.parametrize(("text", "place", "name"), [
    ("\N{CYRILLIC SMALL LETTER A} == 1", 1, "CYRILLIC SMALL LETTER A"),
    ("a == \N{ARABIC-INDIC DIGIT THREE}", 6, "ARABIC-INDIC DIGIT THREE"),
    ("a == \N{MINUS SIGN}1", 6, "MINUS SIGN"),
])
def test_a_look_alike_is_called_by_its_name(text, place, name):
    with pytest.raises(TsmError) as caught:
        parse(text, "x")
    assert caught.value.problems[0].where == f"x, character {place}"
    assert name in caught.value.problems[0].found


def test_an_odd_name_in_backquotes_is_a_column_and_nothing_more():
    rule = parse("`__import__('os')` == 1")
    assert rule.columns == {"__import__('os')"}
    assert [problem.code for problem in rule.problems(pa.schema([("a", pa.int64())]))] == [
        Code.RULE_COLUMN]


@pytest.mark.parametrize("expression", [
    "__import__('os').system('true')", "().__class__.__base__.__subclasses__()", "a.__class__ == 1",
    "pd.read_pickle('x')", "np.load('x')", "open('x')", "eval('1')", "a ** 1000000000 == 1",
    "9**9**9 == a", "(lambda: 1)()", "[x for x in a]", "{x: 1 for x in a}", "(x for x in a)",
    "a if b else c", "(a := 1) == 1", "f'{a}' == 'x'", "a @ b == 1", "await a", "*a, b",
    "a.str.replace('x', 'y') == 'z'", "a.apply(len) == 1", "a.to_pickle('x')", "a.str == 'x'",
    "a.str.contains(b)", "a.str.contains('x', flags=open('x'))", "a.str.contains(*b)",
    "a.isin(b)", "float(*a) == 1", "float(**a) == 1", "print(a)", "a is b", "a[b] == 1",
    "a[0:2:1] == 'x'", "str(a)[b:] == 'x'", "a == None", "a == ...", "a == 1j", "a == b'x'",
    "a == 1e999", "a == 99999999999999999999", "_ == 1 and __builtins__ == 1 and open",
    "math.sqrt(a) == 1", "globals()", "len == 1", "a == 1; b == 2", "import os", "a = 1",
    "(" * 10_000, "-" * 1_900 + "a == 1",
    "not " * 490 + "a", "a" + ".b" * 900, "a" + "[0]" * 600, "a" + "+1" * 900 + " == 1",
    "~" * 1_900 + "a", "a == 1 and " * 5_000_000 + "b", "\N{FULLWIDTH LATIN SMALL LETTER A} == 1",
    "\N{MATHEMATICAL BOLD SMALL A} == 1", "a == 1\0", "a\\", "'x", "", " ", "a == 'x' 'y' 1",
])
def test_a_hostile_expression_of_a_rule_file_is_refused_and_never_run(expression):
    quoted = "'" + expression.replace("'", "''").replace("\0", "?") + "'"
    with pytest.raises(TsmError) as caught:
        parse_rule_file(EXPRESSION % quoted, "rules.yaml")
    assert set(caught.value.codes) <= {Code.LEGACY_EXPRESSION, Code.LEGACY_FILE}
    assert len(str(caught.value)) < 2_000
