"""Expressions and blocks of old rule files say what Python and pandas say of the same rows.

Two references, both from outside the code under test: every row by itself, evaluated by Python
over values that know how they are missing; and whole columns, evaluated by pandas with the types
in which the older pipeline holds them.
"""

import ast
import math
import operator
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core.errors import TsmError
from pz_tsm_core.legacy import Output, homogenize, parse_rule_file
from pz_tsm_core.legacy.columns import of_a_table, with_numbers
from pz_tsm_core.legacy.translate import names, translate

SHARED = Path(__file__).parents[3] / "shared" / "data" / "linea" / "flags_translation.yaml"
STANDARD = {"z", "z_err", "z_flag"}
TEXTS = {"SPECTYPE", "CLASS", "Class", "zspec_survey", "zfinal_type", "zbest_type", "COMM",
         "Remarks", "TYPE", "spe_class", "QF"}
TRUTHS = {"ZCAT_PRIMARY", "special"}

#: Blocks as the newer dialect has them, written after its description.
NEWER = """
translation_rules:
  COSMOS_WEB:
    z_flag_translation:
      conditions:
        - {expr: "z_flag != 0", value: 0}
        - {expr: "z_flag == 0 and np.abs(zpdf_med - zchi2) > 0.001", value: 1}
        - {expr: "z_flag == 0 and np.abs(zpdf_med - zchi2) <= 0.001 and nbfilt < 30", value: 2}
        - {expr: "z_flag == 0 and np.abs(zpdf_med - zchi2) <= 0.001 and nbfilt >= 30", value: 3}
      default: 0
  DEIMOS_10K:
    object_type_translation:
      allow_condition_overlap: true
      default: null
      conditions:
        - {expr: "10 <= z_flag < 20", value: agn}
        - {expr: "Remarks.str.strip().str.lower().isin(['star', 'm star'])", value: star}
        - {expr: "Remarks.str.lower().str.contains(',star$', na=False)", value: star}
        - {expr: 'Remarks.str.contains("\\\\(QSO\\\\)|,QSO$")', value: qso}
  VIMOS:
    object_type_translation:
      conditions:
        - {expr: "COMM.str.strip().str.lower() == 'star'", value: star}
        - {expr: "COMM.str.contains('(BLAGN)', regex=False)", value: agn}
  VANDELS:
    object_type_translation:
      conditions:
        - {expr: "np.trunc(z_flag).isin([13, 14, 19, 213, 214, 219])", value: agn}
  SWIRE:
    z_flag_translation: {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 6: null, default: 1}
    object_type_translation:
      source: mst
      allow_condition_overlap: true
      -1: star
      1: galaxy
      conditions:
        - {expr: "(13 <= J1 <= 30) | (13 <= J2 <= 15)", value: qso}
        - {expr: "~(J1 == J1) & (J2 != 1)", value: null}
  2MRS:
    object_type_translation:
      conditions:
        - {expr: "str(TYPE)[:2] == '-9'", value: agn}
        - {expr: "not str(TYPE)[:2] == '-9' and not TYPE.str.strip().isin(['98'])", value: galaxy}
  EUCLID_Q1:
    object_type_translation:
      source: spe_class
      optional_source: true
      STAR: star
      Galaxy: galaxy
      " qso ": qso
      UNDEF: null
  ODD:
    z_flag_translation:
      conditions:
        - {expr: "not (z_flag > 2)", value: 0}
        - {expr: "not (flag1 > 2 or special)", value: 1}
        - {expr: "int(float(z_flag)) % 10 in (3, 4)", value: 3}
        - {expr: "int(z_flag) // 10 == 2", value: 4}
        - {expr: "str(int(z_flag))[-1] == '9' or len(str(int(z_flag))) > 3", value: 2}
        - {expr: "pd.isna(flag1) and z_err.notna()", value: 1}
        - {expr: "float(QF) > 1 and -flag1 + 1 < 0 and flag1.between(2, 9)", value: 4}
        - {expr: "z not in [1, 2] and SPECTYPE not in ('STAR', 'QSO')", value: 0}
        - {expr: "special != True and np.isnan(flag1) == False", value: 2}
        - {expr: "not (z <= flag1) and ZCAT_PRIMARY == 1", value: 3}
        - {expr: "flag1 == 'x' or SPECTYPE == 4 or CLASS.str.upper() != 'STAR'", value: 1}
        - {expr: "CLASS.str.startswith('S') and not CLASS.str.endswith('R', na=False)", value: 0}
        - {expr: "CLASS.str.contains('sta', case=False) and CLASS.str.len() > 4", value: 4}
      default: 0
"""


# ---------------------------------------------------------------- one row at a time, by Python
class Logic:
    """True, False or NA, in Kleene's logic."""

    def __init__(self, value):
        self.value = value

    def __and__(self, other):
        values = {self.value, truth(other).value}
        return Logic(False if False in values else None if None in values else True)

    def __or__(self, other):
        return ~(~self & ~truth(other))

    def __invert__(self):
        return Logic(None if self.value is None else not self.value)

    def __eq__(self, other):
        return self if other in (True, 1) else ~self

    def __ne__(self, other):
        return ~(self == other)

    __hash__ = None


def truth(value):
    if isinstance(value, Cell):  # a column of truth values by itself: None counts as false
        return Logic(value.value is True)
    return value if isinstance(value, Logic) else Logic(bool(value))


@dataclass(eq=False)
class Cell:
    """A value of a column; missing (None) as NaN, or `masked` as NA."""

    value: Any
    masked: bool

    def _compare(self, other, compared):
        other = other if isinstance(other, Cell) else Cell(other, masked=False)
        missing = self.value is None or other.value is None
        if missing:
            masked = self.masked or other.masked
            return Logic(None if masked else compared is operator.ne)
        if isinstance(self.value, str) != isinstance(other.value, str):
            return Logic(compared is operator.ne)
        return Logic(compared(self.value, other.value))

    def _compute(self, other, computed):
        other = other if isinstance(other, Cell) else Cell(other, masked=False)
        known = self.value is not None and other.value is not None
        return Cell(computed(self.value, other.value) if known else None,
                    self.masked or other.masked)

    def __and__(self, other):
        return truth(self) & other

    def __or__(self, other):
        return truth(self) | other

    def __invert__(self):
        return ~truth(self)

    def __neg__(self):
        return self._compute(-1, operator.mul)

    def __getitem__(self, key):
        if self.value is None:
            return self
        try:
            return Cell(self.value[key], masked=True)
        except IndexError:
            return Cell(None, masked=True)

    def isin(self, choices):
        return Logic(self.value is not None and self.value in choices)

    def isna(self):
        return Logic(self.value is None)

    def notna(self):
        return Logic(self.value is not None)

    def between(self, low, high):
        return (self >= low) & (self <= high)

    @property
    def str(self):
        return TextMethods(self)


def give_operators(kind):
    """Let cells be compared and computed with."""
    for name in ("eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "mod",
                 "floordiv"):
        one, compares = getattr(operator, name), len(name) == 2

        def direct(self, other, one=one, compares=compares):
            return self._compare(other, one) if compares else self._compute(other, one)

        def reflected(self, other, one=one):
            return Cell(other, masked=False)._compute(self, one)

        setattr(kind, f"__{name}__", direct)
        if not compares:
            setattr(kind, f"__r{name}__", reflected)


give_operators(Cell)


@dataclass
class TextMethods:
    cell: Cell

    def _apply(self, function):
        return Cell(None if self.cell.value is None else function(self.cell.value), masked=True)

    def _search(self, function, na=None):
        return Logic(na if self.cell.value is None else bool(function(self.cell.value)))

    def lower(self):
        return self._apply(str.lower)

    def upper(self):
        return self._apply(str.upper)

    def strip(self):
        return self._apply(str.strip)

    def len(self):
        return self._apply(len)

    def startswith(self, text, na=None):
        return self._search(lambda v: v.startswith(text), na)

    def endswith(self, text, na=None):
        return self._search(lambda v: v.endswith(text), na)

    def contains(self, text, case=True, na=None, regex=True):
        found = re.compile(text if regex else re.escape(text), 0 if case else re.IGNORECASE)
        return self._search(found.search, na)


def number(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def as_int(cell):
    value = number(cell.value)
    return Cell(None if value is None or not math.isfinite(value) else int(value), masked=True)


BY_ROW = {
    "__builtins__": {},
    "float": lambda cell: Cell(number(cell.value), masked=True),
    "int": as_int,
    "str": lambda cell: Cell(None if cell.value is None else str(cell.value), masked=True),
    "len": lambda cell: Cell(None if cell.value is None else len(cell.value), masked=True),
    "pd": SimpleNamespace(isna=Cell.isna, notna=Cell.notna),
    "np": SimpleNamespace(
        isfinite=lambda cell: Logic(cell.value is not None and math.isfinite(cell.value)),
        isnan=Cell.isna,
        abs=lambda cell: Cell(None if cell.value is None else abs(cell.value), cell.masked),
        trunc=lambda cell: Cell(None if cell.value is None else math.trunc(cell.value)
                                if math.isfinite(cell.value) else cell.value, masked=False),
    ),
}


class ToOperators(ast.NodeTransformer):
    """`and`, `or`, `not` and chains of comparisons as & | ~, which columns understand."""

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        join = ast.BitAnd() if isinstance(node.op, ast.And) else ast.BitOr()
        made = node.values[0]
        for value in node.values[1:]:
            made = ast.BinOp(made, join, value)
        return made

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return ast.UnaryOp(ast.Invert(), node.operand) if isinstance(node.op, ast.Not) else node

    def visit_Compare(self, node):
        self.generic_visit(node)
        lefts = [node.left, *node.comparators[:-1]]
        made = None
        for left, op, right in zip(lefts, node.ops, node.comparators, strict=True):
            pair = self.one(left, op, right)
            made = pair if made is None else ast.BinOp(made, ast.BitAnd(), pair)
        return made

    def one(self, left, op, right):
        """`x in [1, 2]` is `x == 1 or x == 2`."""
        if not isinstance(op, ast.In | ast.NotIn):
            return ast.Compare(left, [op], [right])
        made = ast.Compare(left, [ast.Eq()], [right.elts[0]])
        for choice in right.elts[1:]:
            made = ast.BinOp(made, ast.BitOr(), ast.Compare(left, [ast.Eq()], [choice]))
        return made if isinstance(op, ast.In) else ast.UnaryOp(ast.Invert(), made)


def operators(text):
    return ast.unparse(ast.fix_missing_locations(ToOperators().visit(ast.parse(text, mode="eval"))))


def masked(name):
    return name in STANDARD or name in TEXTS


def by_row(text, row):
    cells = {name: Cell(known(value), masked(name)) for name, value in row.items()}
    return truth(eval(operators(text), dict(BY_ROW), cells)).value is True


def known(value):
    return None if isinstance(value, float) and math.isnan(value) else value


# ---------------------------------------------------------------- whole columns, by pandas
FLOAT, INT = pd.ArrowDtype(pa.float64()), pd.ArrowDtype(pa.int64())
TEXT = pd.ArrowDtype(pa.string())


class TextOf:
    def __init__(self, series):
        self.series = series.astype(TEXT)

    def __getitem__(self, key):
        if isinstance(key, slice):
            return self.series.str.slice(key.start, key.stop, key.step)
        return self.series.str.get(key)


def whole(value):
    value = getattr(value, "series", value)
    numbers = pd.to_numeric(value, errors="coerce").astype(FLOAT)
    return pd.Series([None if v is pd.NA or not math.isfinite(v) else math.trunc(v)
                      for v in numbers], dtype=INT)


BY_PANDAS = {
    "__builtins__": {}, "np": np, "pd": pd, "int": whole,
    "float": lambda value: pd.to_numeric(value, errors="coerce").astype(FLOAT),
    "str": TextOf,
    "len": lambda value: value.series.str.len(),
}


def series(name, values):
    if name in STANDARD:
        return pd.Series([known(v) for v in values], dtype=FLOAT)
    if name in TEXTS:
        return pd.Series(values, dtype="string[pyarrow]")
    if name in TRUTHS:
        return pd.Series(values, dtype=object)
    return pd.Series([math.nan if v is None else v for v in values], dtype=float)


def by_pandas(text, table):
    columns = {name: series(name, values) for name, values in table.items()}
    found = pd.Series(eval(operators(text), dict(BY_PANDAS), columns))
    return found.astype("boolean").fillna(False).tolist()


# ---------------------------------------------------------------- what is compared
def conditions_of(content):
    return [condition["expr"] for survey in yaml.safe_load(content)["translation_rules"].values()
            for block in survey.values() for condition in block.get("conditions") or []]


OWN = conditions_of(NEWER)
REAL = conditions_of(SHARED.read_text("utf-8")) if SHARED.is_file() else []
#: What pandas itself cannot do: only rows are compared.
NOT_IN_PANDAS = ("%", "//", " in (", " in [", "float(QF)")


def literals(text):
    return sorted({node.value for node in ast.walk(ast.parse(text, mode="eval"))
                   if isinstance(node, ast.Constant) and not isinstance(node.value, bool)}, key=str)


def values_for(name, text):
    found = literals(text)
    if name in TRUTHS:
        return st.sampled_from([True, False, None])
    if name in TEXTS:
        words = [word for word in found if isinstance(word, str)]
        odd = ["", "star", " Star ", "m star", "x,star", "x,QSO", "(QSO)", "QSO?", "-9", "-9x",
               "98", "STAR", "Stars", "3", "-", "GALAXY", "(BLAGN)"]
        return st.sampled_from([*words, *odd, None])
    numbers = [n for n in found if isinstance(n, int | float)]
    near = [n + d for n in numbers for d in (-1, -0.5, 0, 0.0005, 1)]
    odd = [0.0, -1.0, 1.0, 3.0, 9.0, 13.5, 14.0, 24.0, 29.0, 104.0, 214.0, 410.0, -13.0, -5.0, 0.7,
           math.nan, None]
    # int() of an infinity ends the older pipeline; there is nothing to compare with.
    infinite = [] if "int(" in text else [math.inf, -math.inf]
    return st.sampled_from([*map(float, near), *odd, *infinite])


def tables(text):
    columns = {name: values_for(name, text) for name in sorted(names(text, "x"))}
    rows = st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=12)
    return rows.map(lambda found: {name: [row[name] for row in found] for name in columns})


cases = st.sampled_from(OWN + sorted(set(REAL))).flatmap(
    lambda text: st.tuples(st.just(text), tables(text)))


def arrow(table):
    return pa.table({name: pa.array(values, pa.bool_() if name in TRUTHS else pa.string()
                                    if name in TEXTS else pa.float64(), from_pandas=False)
                     for name, values in table.items()})


def by_us(text, table):
    held = arrow(table)
    rule = translate(text, "x", of_a_table(held.schema, nullable=False))
    held = with_numbers(held, rule.columns)
    assert rule.problems(held.schema) == ()
    return rule.mask(held).tolist()


@settings(max_examples=600, deadline=None)
@given(case=cases)
def test_an_old_expression_says_of_each_row_what_python_says(case):
    text, table = case
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    assert by_us(text, table) == [by_row(text, row) for row in rows]


@settings(max_examples=300, deadline=None)
@given(case=cases.filter(lambda case: not any(part in case[0] for part in NOT_IN_PANDAS)))
def test_an_old_expression_says_of_a_table_what_pandas_says(case):
    text, table = case
    assert by_us(text, table) == by_pandas(text, table)


# ---------------------------------------------------------------- whole blocks
OPTIONS = {"conditions", "default", "source", "optional_source", "allow_condition_overlap",
           "fast_path"}
FILES = {"newer.yaml": "tiebreaking_priority: []\n" + NEWER}
if SHARED.is_file():
    FILES["june.yaml"] = SHARED.read_text("utf-8")
BLOCKS = [
    (file, survey, key.removesuffix("_translation"), block)
    for file, content in FILES.items()
    for survey, blocks in yaml.safe_load(content)["translation_rules"].items()
    for key, block in blocks.items()
]
RULES = {file: parse_rule_file(content, file) for file, content in FILES.items()}


def mapped(block):
    return {key: value for key, value in block.items() if key not in OPTIONS}


def outcome(block, output, row):
    """The default, then the value map, then the conditions in order, of which the last wins."""
    found = block.get("default")
    value = known(row.get(block.get("source", output)))
    for key, result in mapped(block).items():
        if isinstance(value, str):
            same = str(key).strip().lower() == value.strip().lower()
        else:
            same = value is not None and number(key) == value
        if same and result is not None:
            found = result
    for condition in block.get("conditions") or []:
        if by_row(condition["expr"], row):
            found = condition["value"]
    return found


def block_tables(case):
    _, _, output, block = case
    texts = [condition["expr"] for condition in block.get("conditions") or []]
    keys = " or ".join(f"source == {key!r}" for key in mapped(block)) or "source == 1"
    columns = {name: values_for(name, " or ".join(f"({text})" for text in texts))
               for text in texts for name in names(text, "x")}
    columns.setdefault(block.get("source", output), values_for(block.get("source", output), keys))
    # No probability: the fast path would pass over the rules.
    columns["z_flag"] = columns.get("z_flag", st.none()).filter(
        lambda v: v is None or not 0 < v < 1)
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=9)


block_cases = st.sampled_from(BLOCKS).flatmap(
    lambda case: st.tuples(st.just(case), block_tables(case)))


@settings(max_examples=500, deadline=None)
@given(case=block_cases)
def test_a_block_gives_each_row_what_python_gives_it(case):
    (file, survey, output, block), rows = case
    table = {name: [row[name] for row in rows] for name in rows[0]}
    held = arrow(table).append_column("survey", pa.array([f" {survey.lower()} "] * len(rows)))
    rules = RULES[file]
    for key, value in (("z_flag", 1.0), ("instrument_type", "s")):
        if key != output:  # what another block makes of these rows is another case
            held = held.append_column(f"{key}_homogenized", pa.array([value] * len(rows)))
    expected = [outcome(block, output, row) for row in rows]
    if set(expected) == {None} and rules.requires(Output(output)):
        with pytest.raises(TsmError, match="no row with a value"):
            homogenize(held, {}, rules)
        return
    done = homogenize(held, {}, rules)
    assert done.table[f"{output}_homogenized"].to_pylist() == expected
    account = done.accounts[output].surveys[0]
    assert sum(count.rows for count in account.counts) == len(rows)
