"""Text into a tree: the grammar, the limits and the messages of the rule language."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import Any, cast, get_args

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from pz_tsm_core.errors import Code, TsmError, nearest, refuse
from pz_tsm_core.rules.tree import (
    Arithmetic,
    Call,
    Column,
    Compare,
    Comparison,
    Compute,
    Digit,
    Every,
    Find,
    Function,
    Is,
    Literal,
    Node,
    Not,
    Scalar,
    Some,
)

#: Far beyond every rule of a survey, and small enough that hostile text is refused at once.
MAX_CHARACTERS = 2_000
MAX_DEPTH = 32
#: Digits of the largest 64-bit integer.
MAX_DIGIT = 19

FUNCTIONS = (*get_args(Function), "digit")


def parse_tree(text: str, where: str) -> Node:
    """Parse the text of a rule.

    Parameters
    ----------
    where : what to call the text in messages, for example `desi_dr1.yaml line 20`

    Raises
    ------
    TsmError
        `rule.syntax`, with the character at which the text stops being a rule.
    """
    if len(text) > MAX_CHARACTERS:
        raise _syntax(where, 1, f"{len(text)} characters", f"at most {MAX_CHARACTERS}")
    try:
        _check_brackets(text)
        return cast("Node", _parser().parse(text))
    except UnexpectedInput as error:
        raise _unexpected(error, text, where) from None
    except _Refusal as refusal:
        raise _syntax(where, refusal.place, refusal.found, refusal.expected) from None


#: Brackets, and the quoted texts in which they are none.
_BRACKETS = re.compile(r"""[()]|'[^']*'|"[^"]*"|`[^`]*`""")


def _check_brackets(text: str) -> None:
    """Refuse brackets in brackets that leave no trace in the tree."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            raise _Refusal(match.start() + 1, f"brackets nested deeper than {MAX_DEPTH} levels",
                           "a rule that a person can read")


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = resources.files(__package__).joinpath("grammar.lark").read_text("utf-8")
    # Nodes are built while parsing: no tree is walked, so no depth of text can exhaust the stack.
    return Lark(grammar, start="disjunction", parser="lalr", transformer=_Builder())


class _Refusal(Exception):  # noqa: N818 - told to the user as a TsmError
    """A text that the grammar admits and the language does not."""

    def __init__(self, place: int, found: str, expected: str) -> None:
        super().__init__(found)
        self.place, self.found, self.expected = place, found, expected


class _Builder(Transformer[Token, Node]):
    """Makes nodes; every method has the name of its alternative in the grammar."""

    def number(self, parts: list[Token]) -> Node:
        return Literal(_place(parts[0]), _number(parts[0], sign=1))

    def negative_number(self, parts: list[Token]) -> Node:
        return Literal(_place(parts[0]), _number(parts[1], sign=-1))

    def text(self, parts: list[Token]) -> Node:
        return Literal(_place(parts[0]), _unquote(parts[0]))

    def truth(self, parts: list[Token]) -> Node:
        return Literal(_place(parts[0]), parts[0] == "true")

    def column(self, parts: list[Token]) -> Node:
        return Column(_place(parts[0]), str(parts[0]))

    def quoted_column(self, parts: list[Token]) -> Node:
        return Column(_place(parts[0]), str(parts[0])[1:-1])

    def left_to_right(self, parts: list[Any]) -> Node:
        node = parts[0]
        for operator, right in zip(parts[1::2], parts[2::2], strict=True):
            node = _bounded(Compute(node.place, cast("Arithmetic", str(operator)), node, right))
        return cast("Node", node)

    def minus(self, parts: list[Any]) -> Node:
        sign, argument = parts
        if isinstance(argument, Literal) and isinstance(argument.value, int | float) and (
            not isinstance(argument.value, bool)
        ):
            return Literal(_place(sign), -argument.value)
        return _bounded(Compute(_place(sign), "-", Literal(_place(sign), 0), argument))

    def call(self, parts: list[Any]) -> Node:
        name, argument, *position = parts
        place = _place(name)
        if name not in FUNCTIONS:
            raise _Refusal(place, f"the function `{name}`", nearest(name, FUNCTIONS))
        if (name == "digit") != bool(position):
            raise _Refusal(place, f"`{name}` with {1 + len(position)} value(s)",
                           "digit(x, n), and one value for every other function")
        if name == "digit":
            return _bounded(Digit(place, argument, _digit_position(position[0])))
        return _bounded(Call(place, cast("Function", str(name)), argument))

    def comparison(self, parts: list[Any]) -> Node:
        left, operator, right = parts
        return _bounded(Compare(left.place, cast("Comparison", str(operator)), left, right))

    def within(self, parts: list[Node]) -> Node:
        value, *choices = parts
        return _bounded(Some(value.place, tuple(
            Compare(value.place, "==", value, choice) for choice in choices
        )))

    def not_within(self, parts: list[Node]) -> Node:
        return _bounded(Not(parts[0].place, self.within(parts)))

    def between(self, parts: list[Node]) -> Node:
        value, low, high = parts
        return _bounded(Every(value.place, (
            Compare(value.place, ">=", value, low), Compare(value.place, "<=", value, high)
        )))

    def is_null(self, parts: list[Node]) -> Node:
        return _bounded(Is(parts[0].place, "null", parts[0]))

    def is_not_null(self, parts: list[Node]) -> Node:
        return _bounded(Not(parts[0].place, self.is_null(parts)))

    def is_finite(self, parts: list[Node]) -> Node:
        return _bounded(Is(parts[0].place, "finite", parts[0]))

    def contains(self, parts: list[Any]) -> Node:
        return _bounded(Find(parts[0].place, "contains", parts[0], _unquote(parts[1])))

    def starts_with(self, parts: list[Any]) -> Node:
        return _bounded(Find(parts[0].place, "starts with", parts[0], _unquote(parts[1])))

    def ends_with(self, parts: list[Any]) -> Node:
        return _bounded(Find(parts[0].place, "ends with", parts[0], _unquote(parts[1])))

    def negation(self, parts: list[Node]) -> Node:
        return _bounded(Not(parts[0].place, parts[0]))

    def conjunction(self, parts: list[Node]) -> Node:
        return _bounded(Every(parts[0].place, tuple(parts)))

    def disjunction(self, parts: list[Node]) -> Node:
        return _bounded(Some(parts[0].place, tuple(parts)))


def _bounded(node: Node) -> Node:
    if node.depth > MAX_DEPTH:
        raise _Refusal(node.place, f"nesting deeper than {MAX_DEPTH} levels",
                       "a rule that a person can read; `in (...)` and several rules help")
    return node


def _place(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _number(token: Token, *, sign: int) -> Scalar:
    value: int | float = int(token) if token.isdecimal() else float(token)
    limit = 2**63 if isinstance(value, int) else float("inf")
    if value >= limit and not (sign < 0 and value == 2**63):
        raise _Refusal(_place(token), f"the number {token[:40]}", "a 64-bit number")
    return sign * value


def _unquote(token: Token) -> str:
    quote = token[0]
    return str(token)[1:-1].replace(quote * 2, quote)


def _digit_position(token: Token) -> int:
    if not token.isdecimal() or len(token) > 2 or int(token) >= MAX_DIGIT:
        raise _Refusal(_place(token), f"digit {token}",
                       f"a whole number from 0 (the last digit) to {MAX_DIGIT - 1}")
    return int(token)


#: What the terminals of the grammar are called in messages.
_WORDS = {
    "NAME": "a column", "QUOTED_NAME": "a column", "NUMBER": "a number", "TEXT": "a text",
    "TRUTH": "true or false", "FUNCTION": "a function", "LPAR": "(", "RPAR": ")", "COMMA": ",",
    "COMPARISON": "a comparison", "PLUS": "+", "MINUS": "-", "TIMES": "*", "OVER": "/",
    "_NOT": "not", "$END": "the end",
}


def _unexpected(error: UnexpectedInput, text: str, where: str) -> TsmError:
    place, found, terminals = len(text) + 1, "the end of the text", set[str]()
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        place, found = at + 1, _character(text[at])
        terminals = error.allowed or set()
    elif isinstance(error, UnexpectedToken):
        terminals = error.accepts or error.expected
        if error.token.type != "$END":
            place, found = _place(error.token), f"`{error.token}`"
    elif isinstance(error, UnexpectedEOF):
        terminals = set(error.expected)
    words = sorted({_WORDS.get(name, name.lower()) for name in terminals})
    return _syntax(where, place, found, "one of: " + "  ".join(words))


def _character(character: str) -> str:
    # Letters of other scripts look like ours: their name tells them apart.
    name = "" if character.isascii() else f" ({unicodedata.name(character, 'without a name')})"
    return f"the character {character!r}{name}"


def _syntax(where: str, place: int, found: str, expected: str) -> TsmError:
    return refuse(Code.RULE_SYNTAX, f"{where}, character {place}", found=found, expected=expected,
                  remedy="compare with the rule language in docs/reference/rules.md")
