"""Python expressions of rule files, said in the rule language or refused by name."""

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.legacy.columns import before_a_table
from pz_tsm_core.legacy.pattern import Piece, pieces
from pz_tsm_core.legacy.translate import names, translate
from pz_tsm_core.legacy.values import Mismatch
from pz_tsm_core.rules import write


@pytest.mark.parametrize(("python", "rule"), [
    ("z_best_s == 1 and z_spec != -1", "z_best_s == 1 and (z_spec != -1 or z_spec is null)"),
    ("z_flag != 0", "z_flag != 0"),  # converted: what is missing is NA
    ("0 < z_err < 0.001", "0 < z_err and z_err < 0.001"),
    ("not np.isfinite(z) or nfilt <= 0", "not (z is finite) or nfilt <= 0"),
    ("(a == 1) & ~(b > 2) | c", "a == 1 and (b <= 2 or b is null) or c"),
    ("ZCAT_PRIMARY == True", "ZCAT_PRIMARY"),
    ("ZCAT_PRIMARY != True", "not ZCAT_PRIMARY or ZCAT_PRIMARY is null"),
    ("False != ZCAT_PRIMARY", "ZCAT_PRIMARY or ZCAT_PRIMARY is null"),
    ("z in [1, -2]", "z in (1, -2)"),
    ("SPECTYPE in ('STAR', 'QSO')", "SPECTYPE in ('STAR', 'QSO')"),
    ("np.abs(zpdf_med - zchi2) > 0.001", "abs(zpdf_med - zchi2) > 0.001"),
    ("np.trunc(float(z_flag)) - 10*np.trunc(np.trunc(float(z_flag))/10) == 4",
     "trunc(z_flag) - 10 * trunc(trunc(z_flag) / 10) == 4"),
    ("len(str(int(z_flag))) <= 1", "z_flag < 10 and z_flag > -1"),
    ("len(str(int(z_flag))) == 0", "false"),
    ("int(str(int(z_flag))[-2]) <= 3", "abs(z_flag) >= 10 and digit(z_flag, 1) <= 3"),
    ("str(int(z_flag))[-1] == '4'", "digit(z_flag, 0) == 4"),
    ("str(int(z_flag)) == '214'", "trunc(z_flag) == 214"),
    ("float(QF) > 1", "QF > 1"),  # whether it is a text, the table tells
    ("float(id) > 1", "`float(id)` > 1"),
    ("str(TYPE)[:2] == '-9'", "TYPE starts with '-9'"),
    ("str(TYPE)[-3:] == 'abc'", "TYPE ends with 'abc'"),
    ("str(TYPE)[:3] == 'ab'", "TYPE == 'ab'"),
    ("str(TYPE)[0] == 'a'", "TYPE starts with 'a'"),
    ("COMM.str.contains('(BLAGN)', regex=False)", "COMM contains '(BLAGN)'"),
    (r"COMM.str.contains('^a|\(b\)$')", "COMM starts with 'a' or COMM ends with '(b)'"),
    ("COMM.str.contains('Star', case=False)", "lower(COMM) contains 'star'"),
    ("COMM.str.strip().str.lower().isin(['star'])", "lower(strip(COMM)) == 'star'"),
    ("CLASS.str.upper() == 'STAR'", "lower(CLASS) == 'star'"),
    ("CLASS.str.upper() == 'Star'", "false"),
    ("CLASS.str.len() > 4", "length(CLASS) > 4"),
    ("x.between(1, 2)", "x >= 1 and x <= 2"),
    ("x.notna() & ~pd.isnull(y)", "not (x is null) and not (y is null)"),
    ("+x > -(y)", "x > 0 - y"),
    ("x == 1 and True", "x == 1"),
    ("False or x == 1", "x == 1"),
    ("CLASS == 3 or x == 1", "CLASS == 3 or x == 1"),  # which it is, the table tells
    ("survey == 3 or x == 1", "x == 1"),  # a text is never a number
    ("z_flag == True or True != z_err", "z_flag == 1 or z_err != 1"),
    ("survey == True or x == 1", "x == 1"),
    ("'4' == str(int(z_flag))[-1]", "digit(z_flag, 0) == 4"),
    ("1 >= len(str(int(int(z_flag))))", "z_flag < 10 and z_flag > -1"),
    ("len(str(int(z_flag))) <= 25", "not (trunc(z_flag) is null)"),
    ("int(str(int(z_flag))) == 4 and z_flag < 400", "trunc(z_flag) == 4 and z_flag < 400"),
    ("'STAR' == CLASS.str.upper()", "lower(CLASS) == 'star'"),
    ("CLASS.str.upper().str.contains('^STAR$')", "lower(CLASS) == 'star'"),
    ("CLASS.str.upper().str.contains('Star') or x == 1", "x == 1"),
    ("CLASS.str.contains('x', na=True)", "CLASS contains 'x' or CLASS is null"),
    ("not (True and x == 1)", "x != 1 or x is null"),
])
def test_an_expression_is_said_in_the_rule_language(python, rule):
    assert write(translate(python, "here", before_a_table).tree) == rule


@pytest.mark.parametrize(("python", "place", "part", "reason"), [
    ("z == 1 and z_flag ** 2 == 1", 12, "`z_flag ** 2`", "powers"),
    ("open('x')", 1, "`open('x')`", "the function open"),
    ("np.load('x') == 1", 1, "`np.load('x')`", "np.load"),
    ("a.__class__ == 1", 1, "`a.__class__`", "attributes are not read"),
    ("a == 1 & b == 2", 6, "`1`", "brackets"),
    ("a is None", 6, "`None`", "pd.isna"),
    ("COMM.str.contains('[ab]')", 1, "contains", "regular expression"),
    ("COMM.str.replace('a', 'b') == 'c'", 1, "replace", "str.replace"),
    ("a if b else c", 1, "a if b else c", "no translation"),
    ("z == None", 6, "`None`", "True and False"),
    ("a and 3", 7, "`3`", "condition"),
    ("z % 10 == 4", 1, "`z % 10`", "int(...)"),
    ("SPECTYPE < 'B'", 1, "SPECTYPE < 'B'", "order"),
    ("ZCAT_PRIMARY + True == 1", 16, "`True`", "number"),
    ("a.isin(b)", 1, "a.isin(b)", "list"),
    ("a[0] == 1", 1, "a[0]", "picked out"),
    ("len(z_flag) == 1", 1, "len(z_flag)", "text"),
    ("str(z_flag) == '4'", 1, "str(z_flag)", "int(...)"),
    ("'é' == a and b ** 2", 14, "`b ** 2`", "powers"),  # characters, not bytes
    ("CLASS.str.upper() == TYPE.str.strip()", 1, "CLASS.str.upper()", "capitals"),
    ("CLASS == ZCAT_PRIMARY and (a > 1) == b", 27, "(a > 1) == b", "compared"),
    ("(a > 1) == 2", 1, "(a > 1) == 2", "True or False"),
    ("str(CLASS)[:2] == TYPE", 1, "str(CLASS)[:2] == TYPE", "quotes"),
    ("str(int(z)) == CLASS", 1, "str(int(z)) == CLASS", "quotes"),
    ("str(int(z)) == '04'", 1, "str(int(z)) == '04'", "never written so"),
    ("str(int(z))[-1] == '42'", 1, "[-1] == '42'", "one character"),
    ("str(int(z))[-30] == '4'", 1, "[-30] == '4'", "digits"),
    ("len(str(int(z))) == 1.5", 1, "1.5", "whole number"),
    ("str(CLASS)[:2] == len(str(int(z)))", 1, "str(CLASS)[:2]", "compared"),
    ("CLASS.str.contains('x', flags=1)", 31, "`1`", "True or False"),
    ("CLASS.str.contains('x', foo=True)", 1, "foo", "case, na, regex"),
    ("CLASS.str.lower('x') == 'y'", 1, "lower", "0 value(s)"),
    ("np.trunc(CLASS.str.lower()) == 1", 1, "np.trunc", "number"),
    ("pd.isna(a > 1)", 1, "pd.isna(a > 1)", "missing"),
    ("x.between([1], 2)", 1, "between", "two values"),
    ("a in b", 6, "`b`", "list"),
    ("x" + " + 1" * 40 + " == 1", 1, "x + 1", "deeper than 32"),
    ("1 +* 2", 4, "invalid syntax", ""),
    ("a ==", 5, "invalid syntax", ""),
])
def test_what_cannot_be_said_is_refused_by_name_with_the_reason(python, place, part, reason):
    with pytest.raises(TsmError) as caught:
        translate(python, "rules.yaml line 3", before_a_table)
    assert caught.value.codes == (Code.LEGACY_EXPRESSION,)
    problem, = caught.value.problems
    assert problem.where == f"rules.yaml line 3, character {place}"
    assert part in problem.found
    assert reason in problem.found


def test_the_columns_of_an_expression_are_its_names_alone():
    assert names("np.isfinite(z) and len(str(int(q))) == 1 and C.str.len() > 1", "x") == {
        "z", "q", "C"}


@pytest.mark.parametrize(("pattern", "found"), [
    ("star", (Piece("star"),)),
    ("^a$|b", (Piece("a", starts=True, ends=True), Piece("b"))),
    (r"\(QSO\)|,QSO$", (Piece("(QSO)"), Piece(",QSO", ends=True))),
    (r"\^\|", (Piece("^|"),)),
    ("", (Piece(""),)),
])
def test_a_simple_pattern_is_a_choice_of_plain_texts(pattern, found):
    assert pieces(pattern) == found


@pytest.mark.parametrize("pattern", [
    "a.b", "a*", "[ab]", "(a|b)", r"\d", r"a\Z", "a^b", "a$b", "a{2}", "^^a", "a$$", "\\",
])
def test_a_pattern_of_another_kind_is_refused(pattern):
    with pytest.raises(Mismatch):
        pieces(pattern)
