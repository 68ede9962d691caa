"""Comparisons as pandas makes them, said in the rule language."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pz_tsm_core.legacy.values import (
    ALWAYS,
    NEVER,
    Mismatch,
    Missing,
    Number,
    Numeral,
    NumeralLength,
    Part,
    Text,
    Truth,
    Unknown,
    Value,
    conjunction,
    constant,
    every,
    is_known,
    is_null,
    negated,
    opposite,
    some,
    truth_column,
    without_trunc,
)
from pz_tsm_core.legacy.whole import digit
from pz_tsm_core.rules.tree import Call, Compare, Comparison, Find, Literal, Node

_OPPOSITE: dict[Comparison, Comparison] = {
    "==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<",
}
_MIRRORED: dict[Comparison, Comparison] = {
    "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
}
_Derived = Part | Numeral | NumeralLength


def compare(operator: Comparison, left: Value, right: Value) -> Truth:
    """What `left operator right` says.

    Raises
    ------
    Mismatch
        where the two cannot be compared.
    """
    left, right = _resolved(left, right), _resolved(right, left)
    if isinstance(right, _Derived) or (isinstance(right, Truth) and not isinstance(left, Truth)):
        operator, left, right = _MIRRORED[operator], right, left
    match left, right:
        case (Number(), Number()):
            return _compare_numbers(operator, left, right)
        case (Text(), Text()):
            return _compare_texts(operator, left, right)
        case (Text(), Number()):
            return _compare_kinds(operator, left, right)
        case (Number(), Text()):
            return _compare_kinds(_MIRRORED[operator], right, left)
        case (Truth(), Truth() | Number() | Text()):
            return _compare_truth(operator, left, right)
    return _compare_derived(operator, left, right)


def _compare_derived(operator: Comparison, left: Value, right: Value) -> Truth:
    match left, right:
        case (Part(), Text()):
            return _compare_part(operator, left, right)
        case (Numeral(), Text()):
            return _compare_numeral(operator, left, right)
        case (NumeralLength(), Number()):
            return _compare_length(operator, left, right)
    raise Mismatch("these two cannot be compared")


def _resolved(value: Value, other: Value) -> Value:
    """A column of unknown kind taken to be of the kind that it is compared with."""
    if not isinstance(value, Unknown):
        return value
    if isinstance(other, Text | Part | Numeral):
        return Text(value.node)
    return truth_column(value.node, Missing.NAN) if isinstance(other, Truth) else Number(value.node)


def _compare_numbers(operator: Comparison, left: Number, right: Number) -> Truth:
    left, right = _as_single(left, right), _as_single(right, left)
    nodes = (left.node, right.node)
    place, known = left.node.place, (*left.known, *right.known)
    holds: Node = Compare(place, operator, *nodes)
    fails: Node = Compare(place, _OPPOSITE[operator], *nodes)
    if max(left.missing, right.missing) is Missing.NAN:
        unknown = map(is_null, nodes)
        if operator == "!=":
            holds = some(holds, *unknown)
        else:
            fails = some(fails, *unknown)
    return Truth(every(*known, holds), every(*known, fails))


def _as_single(value: Number, other: Number) -> Number:
    """A literal beside a column of 32-bit floats is rounded to one, as numpy does."""
    if other.single and isinstance(value.literal, float):
        with np.errstate(over="ignore"):
            rounded = float(np.float32(value.literal))
        return replace(value, node=Literal(value.node.place, rounded))
    return value


def _compare_texts(operator: Comparison, left: Text, right: Text) -> Truth:
    if operator not in ("==", "!="):
        raise Mismatch("texts have no order in the rule language")
    if right.upper:
        left, right = right, left
    if left.upper:
        if right.literal is None:
            raise Mismatch("capitals can be compared with a text in quotes only")
        if right.literal != right.literal.upper():
            return _unequal(operator, left)
    left, right = in_one_case(left, right)
    equal, other = (Compare(left.node.place, sign, left.node, right.node) for sign in _EQUALITY)
    return Truth(equal, other) if operator == "==" else Truth(other, equal)


_EQUALITY: tuple[Comparison, Comparison] = ("==", "!=")


def in_one_case(text: Text, literal: Text) -> tuple[Text, Text]:
    """Both in small letters, where the text is asked for in capitals."""
    if not text.upper or literal.literal is None:
        return text, literal
    lower = Call(text.node.place, "lower", text.node)
    return Text(lower), Text(Literal(literal.node.place, literal.literal.lower()))


def _compare_kinds(operator: Comparison, text: Text, number: Number) -> Truth:
    """A text beside a number: never equal, unless the text was a number before."""
    if text.number is not None:
        return _compare_numbers(operator, text.number, number)
    return _unequal(operator, number if isinstance(text.node, Literal) else text)


def _unequal(operator: Comparison, value: Text | Number) -> Truth:
    """False, or with `!=` true; of what is missing NA, where pandas keeps NA."""
    if operator not in _EQUALITY:
        raise Mismatch("a text and a number have no order")
    always = ALWAYS if value.missing is Missing.NAN else is_known(value.node)
    return Truth(NEVER, always) if operator == "==" else Truth(always, NEVER)


def _compare_truth(operator: Comparison, left: Truth, right: Truth | Number | Text) -> Truth:
    """A truth value beside `True`, `False`, 1 or 0; a number or text beside `True` or `False`."""
    if left.literal is not None and not isinstance(right, Truth):
        number = Number(Literal(left.holds.place, int(left.literal)))
        return compare(_MIRRORED[operator], right, number)
    if isinstance(right, Truth) and right.literal is None:
        left, right = right, left
    if isinstance(right, Text) and operator in _EQUALITY:
        return constant(operator == "!=")
    wanted = right.literal if right.literal in (1, 0) else None  # True is 1, False is 0
    if wanted is None or operator not in _EQUALITY:
        raise Mismatch("a truth value can be compared with True or False only")
    equal = left if wanted else _is_false(left)
    return equal if operator == "==" else negated(equal)


def _is_false(truth: Truth) -> Truth:
    """`x == False`: of a missing x it is false, or NA where NA is kept."""
    column = truth.column
    if column is None or truth.missing is not Missing.NAN:
        return negated(truth)
    no = opposite(column)
    return Truth(no, some(column, is_null(column)))


def _compare_part(operator: Comparison, part: Part, text: Text) -> Truth:
    """`x[:3] == 'abc'`: the text starts so, or is shorter and equal."""
    literal, node = text.literal, part.text.node
    if literal is None or operator not in _EQUALITY or part.text.upper:
        raise Mismatch("a part of a text can be compared with a text in quotes only")
    equal = NEVER
    if len(literal) == part.length:
        equal = Find(node.place, part.end, node, literal)
    elif len(literal) < part.length:
        equal = Compare(node.place, "==", node, Literal(node.place, literal))
    known = is_known(node)
    if part.index:
        known = Compare(node.place, ">=", Call(node.place, "length", node), Literal(node.place, 1))
    unequal = every(known, opposite(equal))
    return Truth(equal, unequal) if operator == "==" else Truth(unequal, equal)


def _compare_numeral(operator: Comparison, numeral: Numeral, text: Text) -> Truth:
    """`str(int(x)) == '14'`, `str(int(x))[-1] == '4'`."""
    literal = text.literal
    if literal is None or operator not in _EQUALITY:
        raise Mismatch("a number as text can be compared with a text in quotes only")
    digits = literal.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and str(int(literal)) == literal):
        raise Mismatch("a whole number is never written so")
    if numeral.digit is not None and len(literal) > 1:
        raise Mismatch("a digit is one character")
    number = numeral.number if numeral.digit is None else digit(numeral)
    return _compare_numbers(operator, number, Number(Literal(text.node.place, int(literal))))


def _compare_length(operator: Comparison, length: NumeralLength, number: Number) -> Truth:
    limit = number.literal
    if limit is None or limit != int(limit):
        raise Mismatch("the length of a number can be compared with a whole number only")
    at_most = _no_longer(length.number, int(limit))
    below = _no_longer(length.number, int(limit) - 1)
    equal = conjunction([at_most, negated(below)])
    return {"<=": at_most, "<": below, ">": negated(at_most), ">=": negated(below),
            "==": equal, "!=": negated(equal)}[operator]


def _no_longer(number: Number, length: int) -> Truth:
    """Whether a whole number, its sign included, has at most so many characters."""
    if length < 1:
        return Truth(NEVER, is_known(number.node))
    if length > 19:  # every 64-bit number
        return Truth(is_known(number.node), NEVER)
    node = replace(number, node=without_trunc(number.node))
    high, low = (Number(Literal(node.node.place, limit if abs(limit) < 2**63 else float(limit)))
                 for limit in (10**length, -(10 ** (length - 1))))
    return conjunction([compare("<", node, high), compare(">", node, low)])
