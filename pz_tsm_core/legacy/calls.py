"""Functions and methods of old expressions, each with what it says in the rule language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pz_tsm_core.legacy.compare import compare, in_one_case
from pz_tsm_core.legacy.pattern import Piece, pieces
from pz_tsm_core.legacy.values import (
    NEVER,
    Mismatch,
    Missing,
    Number,
    Numeral,
    NumeralLength,
    Text,
    Truth,
    Unknown,
    Value,
    conjunction,
    disjunction,
    every,
    is_known,
    is_null,
    negated,
    opposite,
    some,
)
from pz_tsm_core.legacy.whole import digit
from pz_tsm_core.rules.tree import (
    Call,
    Column,
    Compare,
    Find,
    Function,
    Is,
    Literal,
    Node,
    Search,
)


@dataclass(frozen=True)
class Arguments:
    """What stands between the brackets of a method: values, lists of values, named options."""

    values: tuple[Value | list[Value], ...] = ()
    options: Mapping[str, object] | None = None

    def option(self, name: str, default: object) -> object:
        """A named option, True or False."""
        return (self.options or {}).get(name, default)

    def only(self, *names: str, count: int) -> None:
        """Refuse other options than these, and another number of values."""
        other = sorted(set(self.options or {}) - set(names))
        if other or len(self.values) != count:
            known = f" and the options {', '.join(names)}" if names else ""
            raise Mismatch(f"{count} value(s){known} are translated in these brackets")


def number_column(column: Column) -> Column:
    """The column with the numbers that stand in a text column."""
    return Column(column.place, f"float({column.name})")


def call_function(name: str, argument: Value) -> Value:
    """What a function of one value gives."""
    if name not in _FUNCTIONS:
        raise Mismatch(f"the function {name} has no translation")
    return _FUNCTIONS[name](argument)


def call_method(name: str, owner: Value, arguments: Arguments) -> Value:
    """What a method of a column gives; methods of texts are called `str.lower` and so on."""
    if name.startswith("str."):
        if name not in _TEXT_METHODS:
            raise Mismatch(f"the method {name} has no translation")
        return _TEXT_METHODS[name](_text(owner), arguments)
    if name not in _METHODS:
        raise Mismatch(f"the method {name} has no translation")
    return _METHODS[name](owner, arguments)


def _number(value: Value) -> Number:
    if isinstance(value, Unknown):
        return Number(value.node)
    if isinstance(value, Number):
        return value
    raise Mismatch("a number is needed here")


def _text(value: Value) -> Text:
    if isinstance(value, Unknown):
        return Text(value.node)
    if isinstance(value, Text):
        return value
    raise Mismatch("a text is needed here")


def _float(value: Value) -> Number:
    match value:
        case Text(node=Column() as column, upper=False):
            return Number(number_column(column), Missing.ARROW)
        case Numeral(digit=None, number=number):
            return number
        case Numeral():
            return digit(value)
    return replace(_number(value), missing=Missing.ARROW, single=False)


def _int(value: Value) -> Number:
    number = _float(value)
    if number.whole:
        return number
    return replace(number, node=Call(number.node.place, "trunc", number.node), whole=True)


def _str(value: Value) -> Text | Numeral:
    match value:
        case Number(whole=True):
            return Numeral(value)
        case Text() | Unknown():
            return _text(value)
    raise Mismatch("only texts and int(...) are written as text")


def _len(value: Value) -> Number | NumeralLength:
    if isinstance(value, Numeral) and value.digit is None:
        return NumeralLength(value.number)
    text = _text(value)
    return Number(Call(text.node.place, "length", text.node), text.missing)


def _of_number(function: Function) -> Callable[[Value], Number]:
    def applied(value: Value) -> Number:
        number = _number(value)
        return replace(number, node=Call(number.node.place, function, number.node))
    return applied


def _trunc(value: Value) -> Number:
    # Of NA numpy makes NaN, except in pandas' own nullable types.
    number = _of_number("trunc")(value)
    kept = number.missing if number.missing is Missing.NULLABLE else Missing.NAN
    return replace(number, missing=kept, single=False)


def _finite(value: Value) -> Truth:
    number = _number(value)
    finite = every(*number.known, Is(number.node.place, "finite", number.node))
    if number.missing is Missing.NULLABLE:
        return Truth(finite, every(is_known(number.node), opposite(finite)))
    return Truth(finite, opposite(finite))


def _missing(value: Value) -> Truth:
    node = value.column if isinstance(value, Truth) else getattr(value, "node", None)
    if not isinstance(node, Node):
        raise Mismatch("only of columns and what is computed from them it is asked whether they "
                       "are missing")
    known = value.known if isinstance(value, Number) else ()
    return Truth(some(*map(opposite, known), is_null(node)), every(*known, is_known(node)))


def _nan(value: Value) -> Truth:
    missing = _missing(_number(value))
    # pandas' own nullable types say NA of NA.
    return Truth(NEVER, missing.fails) if _number(value).missing is Missing.NULLABLE else missing


_FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "float": _float, "int": _int, "str": _str, "len": _len,
    "np.abs": _of_number("abs"), "np.absolute": _of_number("abs"), "np.fabs": _of_number("abs"),
    "np.trunc": _trunc, "np.isfinite": _finite, "np.isnan": _nan,
    "pd.isna": _missing, "pd.isnull": _missing,
    "pd.notna": lambda value: negated(_missing(value)),
    "pd.notnull": lambda value: negated(_missing(value)),
}


def _isin(owner: Value, arguments: Arguments) -> Truth:
    """`x.isin([1, 2])`: false of what is missing."""
    arguments.only(count=1)
    choices = arguments.values[0]
    if not isinstance(choices, list):
        raise Mismatch("a list of values in brackets is needed here")
    found = disjunction([compare("==", owner, choice) for choice in choices])
    return Truth(found.holds, some(found.fails, _missing(owner).holds))


def _between(owner: Value, arguments: Arguments) -> Truth:
    """`x.between(a, b)`, both ends included."""
    arguments.only(count=2)
    low, high = arguments.values
    if isinstance(low, list) or isinstance(high, list):
        raise Mismatch("two values are needed here")
    return conjunction([compare(">=", owner, low), compare("<=", owner, high)])


def _plain(function: Callable[[Value], Value]) -> Callable[[Value, Arguments], Value]:
    """A method without arguments."""
    def applied(owner: Value, arguments: Arguments) -> Value:
        arguments.only(count=0)
        return function(owner)
    return applied


_METHODS: dict[str, Callable[[Value, Arguments], Value]] = {
    "isin": _isin, "between": _between, "abs": _plain(_of_number("abs")),
    "isna": _plain(_missing), "isnull": _plain(_missing),
    "notna": _plain(lambda value: negated(_missing(value))),
    "notnull": _plain(lambda value: negated(_missing(value))),
}


def _changed(function: Function) -> Callable[[Value], Text]:
    def applied(value: Value) -> Text:
        text = _text(value)
        upper = text.upper and function != "lower"
        return replace(text, node=Call(text.node.place, function, text.node), upper=upper)
    return applied


def _upper(value: Value) -> Text:
    return replace(_text(value), upper=True)


def _contains(text: Value, arguments: Arguments) -> Truth:
    """`.str.contains('a|b')`: a regular expression, unless regex=False."""
    arguments.only("case", "na", "regex", count=1)
    literal = _quoted(arguments)
    simple = arguments.option("regex", default=True)
    found = pieces(literal) if simple else (Piece(literal),)
    owner = _text(text)
    if not arguments.option("case", default=True):
        owner = _changed("lower")(replace(owner, upper=False))
        found = tuple(replace(piece, text=piece.text.lower()) for piece in found)
    return _searched(owner, found, arguments)


def _starts(text: Value, arguments: Arguments) -> Truth:
    arguments.only("na", count=1)
    return _searched(_text(text), (Piece(_quoted(arguments), starts=True),), arguments)


def _ends(text: Value, arguments: Arguments) -> Truth:
    arguments.only("na", count=1)
    return _searched(_text(text), (Piece(_quoted(arguments), ends=True),), arguments)


def _quoted(arguments: Arguments) -> str:
    value = arguments.values[0]
    if not isinstance(value, Text) or value.literal is None:
        raise Mismatch("a text in quotes is needed here")
    return value.literal


def _searched(owner: Text, found: tuple[Piece, ...], arguments: Arguments) -> Truth:
    """Whether one of the pieces is in a text; of what is missing NA, or as the option `na` says."""
    holds = some(*(_piece(owner, piece) for piece in found))
    fails = every(is_known(owner.node), opposite(holds))
    match arguments.option("na", default=None):
        case True:
            holds = some(holds, is_null(owner.node))
        case False:
            fails = some(fails, is_null(owner.node))
    return Truth(holds, fails)


def _piece(owner: Text, piece: Piece) -> Node:
    """One piece of a pattern, found in a text."""
    place = owner.node.place
    if owner.upper and piece.text != piece.text.upper():
        return Literal(place, value=False)
    text, literal = in_one_case(owner, Text(Literal(place, piece.text)))
    if piece.starts and piece.ends:
        return Compare(place, "==", text.node, literal.node)
    how: Search = "starts with" if piece.starts else "ends with" if piece.ends else "contains"
    return Find(place, how, text.node, literal.literal or "")


_TEXT_METHODS: dict[str, Callable[[Value, Arguments], Value]] = {
    "str.contains": _contains, "str.startswith": _starts, "str.endswith": _ends,
    "str.lower": _plain(_changed("lower")), "str.strip": _plain(_changed("strip")),
    "str.upper": _plain(_upper), "str.len": _plain(_len),
}
