"""Every rule, over a whole table at once, says what a row-by-row reading of it says."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.rules import first_match, parse, write

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A rule as text and as plain Python over one row."""

    text: str
    value: Callable[[Row], Any]


def known(value):
    return None if isinstance(value, float) and math.isnan(value) else value


def lift(function):
    """Null in, null out; NaN out is null."""
    def lifted(*parts):
        def value(row):
            values = [part.value(row) for part in parts]
            return None if None in values else known(function(*values))
        return value
    return lifted


def divide(a, b):
    with np.errstate(all="ignore"):
        return float(np.float64(a) / np.float64(b))


def arithmetic(operator, a, b):
    with np.errstate(all="ignore"):
        a, b = np.float64(a), np.float64(b)
        return float({"+": a + b, "-": a - b, "*": a * b}[operator])


def compare(operator, a, b):
    if not (isinstance(a, int) and isinstance(b, int)):
        a, b = (float(v) if isinstance(v, int | float) else v for v in (a, b))
    return {"==": a == b, "!=": a != b, "<": a < b,
            "<=": a <= b, ">": a > b, ">=": a >= b}[operator]


def digit(x, n):
    if isinstance(x, float) and not abs(x) < 2.0**63:
        return None
    return abs(int(x)) // 10**n % 10


def conjunction(values):
    return False if False in values else None if None in values else True


COLUMNS = {
    "a": st.one_of(st.none(), st.integers(-3, 30), st.integers(-(2**63), 2**63 - 1)),
    "x": st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True),
                   st.sampled_from([0.0, 1.0, -0.0, 14.0, 213.5, math.nan])),
    "s": st.one_of(st.none(), st.text("aAbB Z", max_size=4)),
    "f": st.one_of(st.none(), st.booleans()),
}
TYPES = {"a": pa.int64(), "x": pa.float64(), "s": pa.string(), "f": pa.bool_()}


def column(name):
    return Pair(name, lambda row: known(row[name]))


def literal(value):
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return Pair(text, lambda row: value)


numbers = st.recursive(
    st.one_of(st.just(column("a")), st.just(column("x")),
              st.one_of(st.integers(-5, 300), st.floats(0, 1e6)).map(literal)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*"), inner, inner).map(lambda t: Pair(
            f"({t[1].text} {t[0]} {t[2].text})",
            lift(lambda a, b: arithmetic(t[0], a, b))(t[1], t[2]))),
        st.tuples(inner, inner).map(lambda t: Pair(
            f"({t[0].text} / {t[1].text})", lift(divide)(*t))),
        inner.map(lambda p: Pair(f"abs({p.text})", lift(lambda v: abs(float(v)))(p))),
        inner.map(lambda p: Pair(f"trunc({p.text})", lift(lambda v: float(np.trunc(float(v))))(p))),
        st.tuples(inner, st.integers(0, 18)).map(lambda t: Pair(
            f"digit({t[0].text}, {t[1]})", lift(lambda v: digit(v, t[1]))(t[0]))),
    ),
    max_leaves=4,
)
texts = st.recursive(
    st.one_of(st.just(column("s")), st.text("aAbB ", max_size=3).map(literal)),
    lambda inner: st.one_of(
        inner.map(lambda p: Pair(f"lower({p.text})", lift(str.lower)(p))),
        inner.map(lambda p: Pair(f"strip({p.text})", lift(str.strip)(p))),
    ),
    max_leaves=3,
)
numbers_and_lengths = st.one_of(
    numbers, texts.map(lambda p: Pair(f"length({p.text})", lift(len)(p))))
choices = st.lists(st.one_of(st.integers(-3, 30), st.floats(-9, 9)), min_size=1, max_size=3)


def within(value, options):
    def found(row):
        v = value.value(row)
        return None if v is None else any(compare("==", v, option) for option in options)
    return found


def negated(value):
    return lambda row: None if value(row) is None else not value(row)


def disjunction(values):
    """De Morgan: `a or b` is `not (not a and not b)`."""
    return negated(lambda row: conjunction([negated(value)(row) for value in values]))


comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
conditions = st.recursive(
    st.one_of(
        st.just(column("f")),
        st.tuples(comparisons, numbers_and_lengths, numbers_and_lengths).map(lambda t: Pair(
            f"({t[1].text} {t[0]} {t[2].text})",
            lift(lambda a, b: compare(t[0], a, b))(t[1], t[2]))),
        st.tuples(st.sampled_from(["==", "!="]), texts, texts).map(lambda t: Pair(
            f"({t[1].text} {t[0]} {t[2].text})",
            lift(lambda a, b: compare(t[0], a, b))(t[1], t[2]))),
        st.tuples(numbers, choices).map(lambda t: Pair(
            f"({t[0].text} in ({', '.join(map(str, t[1]))}))", within(*t))),
        st.tuples(numbers, choices).map(lambda t: Pair(
            f"({t[0].text} not in ({', '.join(map(str, t[1]))}))", negated(within(*t)))),
        st.tuples(numbers, numbers, numbers).map(lambda t: Pair(
            f"({t[0].text} between {t[1].text} and {t[2].text})",
            lambda row: conjunction([
                lift(lambda a, b: compare(">=", a, b))(t[0], t[1])(row),
                lift(lambda a, b: compare("<=", a, b))(t[0], t[2])(row)]))),
        numbers.map(lambda p: Pair(f"({p.text} is null)", lambda row: p.value(row) is None)),
        numbers.map(lambda p: Pair(f"({p.text} is not null)",
                                   lambda row: p.value(row) is not None)),
        numbers.map(lambda p: Pair(
            f"({p.text} is finite)",
            lambda row: p.value(row) is not None and math.isfinite(p.value(row)))),
        st.tuples(texts, st.text("aA", max_size=2)).map(lambda t: Pair(
            f"({t[0].text} contains '{t[1]}')", lift(lambda v: t[1] in v)(t[0]))),
        st.tuples(texts, st.text("aA", max_size=2)).map(lambda t: Pair(
            f"({t[0].text} starts with '{t[1]}')", lift(lambda v: v.startswith(t[1]))(t[0]))),
        st.tuples(texts, st.text("aA", max_size=2)).map(lambda t: Pair(
            f"({t[0].text} ends with '{t[1]}')", lift(lambda v: v.endswith(t[1]))(t[0]))),
    ),
    lambda inner: st.one_of(
        inner.map(lambda p: Pair(f"(not {p.text})", negated(p.value))),
        st.lists(inner, min_size=2, max_size=3).map(lambda ps: Pair(
            f"({' and '.join(p.text for p in ps)})",
            lambda row: conjunction([p.value(row) for p in ps]))),
        st.lists(inner, min_size=2, max_size=3).map(lambda ps: Pair(
            f"({' or '.join(p.text for p in ps)})",
            disjunction([p.value for p in ps]))),
    ),
    max_leaves=4,
)
rows = st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=8)


@settings(max_examples=400, deadline=None)
@given(rule=conditions, rows=rows)
def test_a_rule_says_of_a_table_what_it_says_of_each_row(rule, rows):
    # from_pandas=False: NaN stays NaN and null stays null.
    table = pa.table({name: pa.array([row[name] for row in rows], type_, from_pandas=False)
                      for name, type_ in TYPES.items()})
    expression = parse(rule.text)
    assert expression.problems(table.schema) == ()
    assert expression.mask(table).tolist() == [rule.value(row) is True for row in rows]
    chunks = pa.concat_tables([table.slice(i, 1) for i in range(len(rows))])
    assert expression.mask(chunks).tolist() == expression.mask(table).tolist()


@settings(max_examples=200, deadline=None)
@given(rules=st.lists(conditions, max_size=5), rows=rows, size=st.integers(1, 9))
def test_the_first_rule_that_holds_for_a_row_decides_it(rules, rows, size):
    table = pa.table({name: pa.array([row[name] for row in rows], type_, from_pandas=False)
                      for name, type_ in TYPES.items()})
    expected = [next((n for n, rule in enumerate(rules) if rule.value(row) is True), len(rules))
                for row in rows]
    with mock.patch("pz_tsm_core.rules.evaluate.BATCH_ROWS", size):
        decided = first_match([(parse(rule.text), n) for n, rule in enumerate(rules)], table,
                              otherwise=len(rules))
    assert decided.index.tolist() == expected
    assert decided.hits == tuple(expected.count(n) for n in range(len(rules) + 1))


@settings(max_examples=300, deadline=None)
@given(rule=conditions)
def test_a_rule_that_is_written_again_is_the_same_rule(rule):
    tree = parse(rule.text).tree
    assert parse(write(tree)).tree == tree


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(
    st.text(max_size=60),
    st.text("ax01'\"`()+-*/<>=!.,e ", max_size=200),
    st.lists(st.sampled_from(["a", "x", "and", "or", "not", "in", "(", ")", "1", "'t'", "==", "<",
                              "is", "null", "-", "+", "abs", "digit", ",", "between", "contains"]),
             max_size=40).map(" ".join)))
def test_any_text_is_a_rule_or_one_clear_refusal(text):
    assert refusals(text) <= {Code.RULE_SYNTAX, Code.RULE_TYPE}


def refusals(text):
    try:
        parse(text)
    except TsmError as error:
        return set(error.codes)
    return set()
