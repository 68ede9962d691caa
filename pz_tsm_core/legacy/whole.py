"""Digits, remainders and quotients of whole numbers, said in the rule language."""

from __future__ import annotations

from dataclasses import replace

from pz_tsm_core.legacy.values import Mismatch, Missing, Number, Numeral, without_trunc
from pz_tsm_core.rules.parse import MAX_DIGIT
from pz_tsm_core.rules.tree import Call, Compare, Compute, Digit, Literal, Node


def digit(numeral: Numeral) -> Number:
    """`int(str(int(x))[-n])`: known only where the number is that long."""
    node = without_trunc(numeral.number.node)
    position = (numeral.digit or 1) - 1
    if position >= MAX_DIGIT:
        raise Mismatch("no whole number has so many digits")
    known = numeral.number.known
    if position:
        long_enough = Literal(node.place, 10**position)
        size = Call(node.place, "abs", node)
        known = (*known, Compare(node.place, ">=", size, long_enough))
    return Number(Digit(node.place, node, position), Missing.ARROW, known, whole=True)


def remainder(left: Number, right: Number) -> Number:
    """`int(x) % n` for a whole n > 0: from 0 to n - 1, as in Python."""
    divisor = right.literal
    if not left.whole or not isinstance(divisor, int) or not 0 < divisor < 2**31:
        raise Mismatch("`%` and `//` are translated for int(...) and a positive whole number only")
    # trunc rounds towards zero, so what it leaves may be negative: n is added and taken off again.
    rest = Compute(left.node.place, "+", _rest(left.node, right.node), right.node)
    return replace(left, node=_rest(rest, right.node))


def _rest(value: Node, n: Node) -> Node:
    times = Call(value.place, "trunc", Compute(value.place, "/", value, n))
    return Compute(value.place, "-", value, Compute(value.place, "*", n, times))


def quotient(left: Number, right: Number) -> Number:
    """`int(x) // n` for a whole n > 0, rounded down as in Python."""
    rest, place = remainder(left, right), left.node.place
    exact = Compute(place, "-", left.node, rest.node)
    return replace(left, node=Compute(place, "/", exact, right.node))
