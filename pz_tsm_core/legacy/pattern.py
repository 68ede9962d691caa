"""Simple regular expressions as plain pieces of text: anchors, alternatives and escapes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pz_tsm_core.legacy.values import Mismatch

_SPECIAL = frozenset(".^$*+?{}[]()|\\")
_TOKEN = re.compile(r"\\(?P<escaped>[^0-9A-Za-z])|(?P<plain>[^\\])|(?P<class>\\)")


@dataclass(frozen=True)
class Piece:
    """A text to be found: anywhere, at the start, at the end, or (both) as the whole."""

    text: str
    starts: bool = False
    ends: bool = False


def pieces(pattern: str) -> tuple[Piece, ...]:
    r"""The alternatives of a regular expression.

    Raises
    ------
    Mismatch
        for what is more than anchors, `|` and escaped characters.

    Examples
    --------
    >>> pieces(r"^star$|\(QSO\)")
    (Piece(text='star', starts=True, ends=True), Piece(text='(QSO)', starts=False, ends=False))
    """
    found: list[Piece] = []
    text, starts, ends = "", False, False
    for match in (*_TOKEN.finditer(pattern), None):
        plain = match and match["plain"]
        if match is None or plain == "|":
            found.append(Piece(text, starts, ends))
            text, starts, ends = "", False, False
        elif plain == "^" and not text and not starts:
            starts = True
        elif plain == "$" and not ends:
            ends = True
        elif ends or match["class"] or plain in _SPECIAL:
            raise Mismatch("a regular expression with more than ^ $ | and escaped characters has "
                           "no translation")
        else:
            text += plain or match["escaped"] or ""
    return tuple(found)
