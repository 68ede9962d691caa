"""A Python expression of a rule file, said in the rule language."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace

from pz_tsm_core.legacy.calls import Arguments, call_function, call_method
from pz_tsm_core.legacy.compare import compare
from pz_tsm_core.legacy.python_text import Untranslatable, parse_python, place_of, untranslatable
from pz_tsm_core.legacy.values import (
    End,
    Mismatch,
    Missing,
    Number,
    Numeral,
    Part,
    Text,
    Truth,
    Unknown,
    Value,
    conjunction,
    constant,
    disjunction,
    negated,
    truth_column,
)
from pz_tsm_core.legacy.whole import quotient, remainder
from pz_tsm_core.rules import Expression, Kind
from pz_tsm_core.rules.parse import MAX_DEPTH
from pz_tsm_core.rules.tree import Arithmetic, Column, Comparison, Compute, Literal

#: What a name stands for: the value that the column of that name is.
Columns = Callable[[Column], Value]

#: Names that Python expressions of rule files use for other things than columns.
RESERVED = frozenset({"np", "pd", "math", "len", "int", "float", "str"})

_COMPARISONS: dict[type[ast.cmpop], Comparison] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}
_ARITHMETIC: dict[type[ast.operator], Arithmetic] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}


def translate(text: str, where: str, columns: Columns = Unknown) -> Expression:
    """Say a Python expression in the rule language.

    Parameters
    ----------
    where : what to call the expression in messages
    columns : what the columns of a table are; without, any column may be of any kind

    Raises
    ------
    TsmError
        `legacy.expression` with the part that has no translation and the reason.

    Examples
    --------
    >>> from pz_tsm_core.rules import write
    >>> write(translate("not np.isfinite(z) or lp_type != 1", "x").tree)
    'not (z is finite) or lp_type != 1 or lp_type is null'
    """
    tree = parse_python(text, where)
    try:
        truth = _Translation(text, columns).truth(tree)
    except Untranslatable as error:
        raise untranslatable(error, text, where) from None
    if truth.holds.depth > MAX_DEPTH:
        why = f"the translation would be nested deeper than {MAX_DEPTH} levels"
        raise untranslatable(Untranslatable(tree, why), text, where)
    return Expression(text, truth.holds, Kind.TRUTH, where)


def names(text: str, where: str) -> frozenset[str]:
    """Names of the columns that a Python expression reads."""
    nodes = ast.walk(parse_python(text, where))
    return frozenset(n.id for n in nodes if isinstance(n, ast.Name)) - RESERVED


@dataclass(frozen=True)
class _Translation:
    """One walk down the syntax tree of an expression."""

    text: str
    columns: Columns

    def truth(self, node: ast.expr) -> Truth:
        """A part that must be a condition."""
        value = self.value(node)
        if isinstance(value, Unknown):
            return truth_column(value.node, Missing.NAN)
        if not isinstance(value, Truth):
            raise Untranslatable(node, "a condition is needed here; brackets around comparisons "
                                       "that & and | join may be missing")
        return value

    def value(self, node: ast.expr) -> Value:
        """What a part stands for."""
        try:
            return self._value(node)
        except Mismatch as error:
            raise Untranslatable(node, str(error)) from None

    def _value(self, node: ast.expr) -> Value:  # noqa: PLR0911 - one for each kind of node
        match node:
            case ast.Name(id=name):
                return self._column(node, name)
            case ast.Constant(value=value):
                return self._constant(node, value)
            case ast.BoolOp(op=op, values=parts):
                return self._joined(op, *parts)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op, left=left, right=right):
                return self._joined(op, left, right)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(node, op, operand)
            case ast.Compare():
                return self._comparisons(node)
            case ast.Call():
                return self._call(node)
            case ast.Subscript():
                return self._subscript(node)
        raise Untranslatable(node, _why_not(node))

    def _column(self, node: ast.expr, name: str) -> Value:
        if name in RESERVED:
            raise Untranslatable(node, "a function or module is no column")
        # Python folds look-alike letters into one name: a column must be what is written.
        if name.startswith("__") and name.endswith("__"):
            raise Untranslatable(node, "names in double underscores are no columns")
        if not name.isascii() or ast.get_source_segment(self.text, node) != name:
            raise Untranslatable(node, "names of columns are of ASCII letters, digits and _")
        return self.columns(Column(place_of(self.text, node), name))

    def _constant(self, node: ast.expr, value: object) -> Value:
        place = place_of(self.text, node)
        if isinstance(value, bool):
            return constant(value)
        if isinstance(value, str):
            return Text(Literal(place, value))
        if isinstance(value, int | float) and abs(value) < 2**63:
            return Number(Literal(place, value))
        raise Untranslatable(node, "only numbers of 64 bits, texts, True and False are values")

    def _number(self, node: ast.expr) -> Number:
        value = self.value(node)
        if isinstance(value, Unknown):
            return Number(value.node)
        if not isinstance(value, Number):
            raise Untranslatable(node, "a number is needed here")
        return value

    def _joined(self, operator: ast.AST, *parts: ast.expr) -> Truth:
        join = conjunction if isinstance(operator, ast.And | ast.BitAnd) else disjunction
        return join([self.truth(part) for part in parts])

    def _unary(self, node: ast.expr, operator: ast.unaryop, operand: ast.expr) -> Value:
        if isinstance(operator, ast.Not | ast.Invert):
            return negated(self.truth(operand))
        number = self._number(operand)
        if isinstance(operator, ast.UAdd):
            return number
        if number.literal is not None:
            return Number(Literal(place_of(self.text, node), -number.literal))
        zero = Literal(place_of(self.text, node), 0)
        return replace(number, node=Compute(zero.place, "-", zero, number.node))

    def _arithmetic(self, node: ast.BinOp) -> Number:
        left, right = self._number(node.left), self._number(node.right)
        if isinstance(node.op, ast.Mod):
            return remainder(left, right)
        if isinstance(node.op, ast.FloorDiv):
            return quotient(left, right)
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            raise Untranslatable(node, _why_not(node.op))
        made = Compute(left.node.place, operator, left.node, right.node)
        return Number(made, max(left.missing, right.missing), (*left.known, *right.known),
                      whole=left.whole and right.whole and operator != "/")

    def _comparisons(self, node: ast.Compare) -> Truth:
        """A comparison, or a chain of them: `a < b <= c` is `a < b and b <= c`."""
        parts = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._comparison(operator, left, right))
            left = right
        return conjunction(parts)

    def _comparison(self, operator: ast.cmpop, left: ast.expr, right: ast.expr) -> Truth:
        if isinstance(operator, ast.In | ast.NotIn):
            value = self.value(left)
            found = disjunction([compare("==", value, each) for each in self._choices(right)])
            return found if isinstance(operator, ast.In) else negated(found)
        sign = _COMPARISONS.get(type(operator))
        if sign is None:
            raise Untranslatable(right, _why_not(operator))
        return compare(sign, self.value(left), self.value(right))

    def _choices(self, node: ast.expr) -> list[Value]:
        """The values of a list that stands in the text."""
        if not isinstance(node, ast.List | ast.Tuple | ast.Set) or not node.elts:
            raise Untranslatable(node, "a list of values in brackets is needed here")
        return [self.value(each) for each in node.elts]

    def _call(self, node: ast.Call) -> Value:
        match node.func:
            case ast.Name(id=name):
                return call_function(name, self._only(node))
            case ast.Attribute(value=ast.Name(id="np" | "pd" as module), attr=name):
                return call_function(f"{module}.{name}", self._only(node))
            case ast.Attribute(value=ast.Attribute(value=owner, attr="str"), attr=name):
                return call_method(f"str.{name}", self.value(owner), self._arguments(node))
            case ast.Attribute(value=owner, attr=name):
                return call_method(name, self.value(owner), self._arguments(node))
        raise Untranslatable(node, "only functions and methods that are known are called")

    def _only(self, node: ast.Call) -> Value:
        """The single argument of a function."""
        if len(node.args) != 1 or node.keywords:
            raise Untranslatable(node, "one value is needed between the brackets")
        return self.value(node.args[0])

    def _arguments(self, node: ast.Call) -> Arguments:
        """The arguments of a method: values, lists of values, and options that are switched."""
        values = tuple(
            self._choices(each) if isinstance(each, ast.List | ast.Tuple | ast.Set)
            else self.value(each) for each in node.args)
        options: dict[str, bool] = {}
        for keyword in node.keywords:
            switch = keyword.value
            if not keyword.arg or not isinstance(switch, ast.Constant) or (
                not isinstance(switch.value, bool)
            ):
                raise Untranslatable(switch, "options are True or False")
            options[keyword.arg] = switch.value
        return Arguments(values, options)

    def _subscript(self, node: ast.Subscript) -> Value:
        """`str(x)[:2]`, `str(x)[-3:]`, `str(x)[0]`, `str(int(x))[-2]`."""
        owner = self.value(node.value)
        end, length, index = _slice(node)
        if isinstance(owner, Numeral) and owner.digit is None and index and end == "ends with":
            return replace(owner, digit=length)
        if isinstance(owner, Text) and not (index and length > 1):
            return Part(owner, end, length, index)
        raise Untranslatable(node, "only the beginning or end of a text, and digits counted from "
                                   "the right, can be picked out")


def _slice(node: ast.Subscript) -> tuple[End, int, bool]:
    """Which end, how many characters, and whether one by its index."""
    match node.slice:
        case ast.Slice(lower=None, upper=ast.Constant(value=int(length)), step=None):
            return "starts with", length, False
        case ast.Slice(lower=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(length))),
                       upper=None, step=None):
            return "ends with", length, False
        case ast.Constant(value=0):
            return "starts with", 1, True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(length))) if length > 0:
            return "ends with", length, True
    raise Untranslatable(node, "only [:n], [-n:], [0] and [-n] with a number n are translated")


_REASONS: dict[type[ast.AST], str] = {
    ast.Pow: "powers have no translation",
    ast.Is: "`is` compares no values: use ==, or pd.isna",
    ast.IsNot: "`is not` compares no values: use !=, or pd.notna",
    ast.Attribute: "attributes are not read; only methods that are known are called",
    ast.BitXor: "^ has no translation: use != between conditions",
}


def _why_not(node: ast.AST) -> str:
    return _REASONS.get(type(node), "this has no translation")
