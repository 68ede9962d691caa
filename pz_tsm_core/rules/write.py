"""A tree into text of the rule language, to be shown, or copied into a survey definition."""

from __future__ import annotations

import re

from pz_tsm_core.rules.tree import (
    Call,
    Column,
    Compare,
    Compute,
    Digit,
    Every,
    Find,
    Is,
    Literal,
    Node,
    Not,
    Scalar,
    Some,
)

_PLAIN_NAME = re.compile(
    r"(?!__\w*__\b)(?!(and|or|not|in|is|null|finite|between|contains|starts|ends|with|true|false)\b)"
    r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

#: How tightly a part holds together; a looser part inside a tighter one needs brackets.
_OR, _AND, _NOT, _CONDITION, _SUM, _PRODUCT, _ATOM = range(7)


def write(node: Node) -> str:
    """The text that is parsed into an equal tree.

    Examples
    --------
    >>> from pz_tsm_core.rules import parse
    >>> write(parse("not(Q in(3,4))and (a<1 or a  is   null)").tree)
    'not (Q in (3, 4)) and (a < 1 or a is null)'
    """
    return _written(node)[0]


def _written(node: Node) -> tuple[str, int]:  # noqa: PLR0911 - one for each kind of node
    """The text and how tightly it holds together."""
    match node:
        case Column(name=name):
            return (name if _PLAIN_NAME.fullmatch(name) else f"`{name}`"), _ATOM
        case Literal(value=value):
            return _literal(value), _ATOM
        case Call(function=function, argument=argument):
            return f"{function}({write(argument)})", _ATOM
        case Digit(argument=argument, position=position):
            return f"digit({write(argument)}, {position})", _ATOM
        case Compute(operator=operator, left=left, right=right):
            level = _SUM if operator in "+-" else _PRODUCT
            return f"{_inside(left, level)} {operator} {_inside(right, level + 1)}", level
        case Compare(operator=operator, left=left, right=right):
            return f"{_inside(left, _SUM)} {operator} {_inside(right, _SUM)}", _CONDITION
        case Is(test=test, argument=argument):
            return f"{_inside(argument, _SUM)} is {test}", _CONDITION
        case Find(how=how, argument=argument, text=text):
            return f"{_inside(argument, _SUM)} {how} {_literal(text)}", _CONDITION
    return _logic(node)


def _logic(node: Node) -> tuple[str, int]:
    match node:
        case Not(argument=argument):
            return f"not {_inside(argument, _CONDITION + 1)}", _NOT
        case Every(parts=parts):
            return " and ".join(_inside(part, _AND + 1) for part in parts), _AND
        case Some(parts=parts):
            return _choices(parts) or (" or ".join(_inside(part, _OR + 1) for part in parts), _OR)
    raise TypeError(type(node).__name__)


def _inside(node: Node, level: int) -> str:
    text, own = _written(node)
    return text if own >= level else f"({text})"


def _choices(parts: tuple[Node, ...]) -> tuple[str, int] | None:
    """`x in (1, 2)`, where the parts compare one value with literals."""
    values = []
    for part in parts:
        match part:
            case Compare(operator="==", left=left, right=Literal(value=value)):
                values.append((left, value))
            case _:
                return None
    if len({left for left, _ in values}) > 1:
        return None
    listed = ", ".join(_literal(value) for _, value in values)
    return f"{_inside(values[0][0], _SUM)} in ({listed})", _CONDITION


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
