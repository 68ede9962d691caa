"""Python expressions of rule files as syntax trees: parsed, bounded, and never run."""

from __future__ import annotations

import ast
import warnings

from pz_tsm_core.errors import Code, TsmError, refuse

#: Several times the longest expression of the files in use.
MAX_CHARACTERS = 2_000
MAX_DEPTH = 64
#: How much of an expression a message repeats.
MAX_SHOWN = 80

FORMS = (
    "comparisons, and/or/not, & | ~, in, + - * /, np.isfinite/isnan/abs/trunc, pd.isna/notna, "
    "float/int/str/len, .isin, .between, .str.contains/startswith/endswith/strip/lower/upper"
)


class Untranslatable(Exception):  # noqa: N818 - told to the user as a TsmError
    """A part of an expression that the rule language cannot say.

    Parameters
    ----------
    node : the part
    why : the reason, as a sentence goes on after the part itself
    """

    def __init__(self, node: ast.AST, why: str) -> None:
        super().__init__(why)
        self.node, self.why = node, why


def parse_python(text: str, where: str) -> ast.expr:
    """Parse one Python expression.

    Raises
    ------
    TsmError
        `legacy.expression` for text that is too long, too deep, or no expression of Python.
    """
    if len(text) > MAX_CHARACTERS:
        raise _refusal(where, 1, f"{len(text)} characters", f"at most {MAX_CHARACTERS}")
    try:
        with warnings.catch_warnings():  # Python warns of `\(` in the text of a pattern
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        # Where the text ends too early, Python gives no place.
        column = (error.offset or len(text) + 1) - 1
        place = _place(text, error.lineno or 1, column, chars=True)
        raise _refusal(where, place, error.msg, "an expression of Python") from None
    except (ValueError, MemoryError, RecursionError):
        raise _refusal(where, 1, "what Python cannot parse", "an expression of Python") from None
    if _is_deep(tree):
        raise _refusal(where, 1, f"nesting deeper than {MAX_DEPTH} levels", "fewer brackets")
    return tree


def untranslatable(error: Untranslatable, text: str, where: str) -> TsmError:
    """The error that names the part, its place and the reason."""
    line, column = getattr(error.node, "lineno", 1), getattr(error.node, "col_offset", 0)
    part = ast.get_source_segment(text, error.node) or text
    part = part if len(part) <= MAX_SHOWN else part[: MAX_SHOWN - 3] + "..."
    return _refusal(where, _place(text, line, column), f"`{part}`: {error.why}", FORMS)


def place_of(text: str, node: ast.expr) -> int:
    """Character of the text, from 1, at which a part begins."""
    return _place(text, node.lineno, node.col_offset)


def _place(text: str, line: int, column: int, *, chars: bool = False) -> int:
    lines = text.splitlines(keepends=True) or [""]
    row = min(line, len(lines)) - 1
    # The syntax tree counts bytes of UTF-8, a syntax error characters.
    before = column if chars else len(lines[row].encode()[:column].decode(errors="ignore"))
    return sum(map(len, lines[:row])) + max(before, 0) + 1


def _is_deep(tree: ast.AST) -> bool:
    """Whether a tree is too deep, found without recursion."""
    level: list[ast.AST] = [tree]
    for _ in range(2 * MAX_DEPTH):  # operators and contexts are levels of their own
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


def _refusal(where: str, place: int, found: str, expected: str) -> TsmError:
    return refuse(Code.LEGACY_EXPRESSION, f"{where}, character {place}", found=found,
                  expected=expected, remedy="say it in other words, or define the survey in YAML "
                                            "of its own (docs/reference/rules.md)")
