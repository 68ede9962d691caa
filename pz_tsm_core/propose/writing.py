"""Text of YAML files that hold other people's names and values, with comments.

Every value that a template gives out becomes a YAML scalar or a flow collection by itself; what is
not a value says so by a filter. So no name of a column or file can end a line, begin a comment or
become a key.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from pz_tsm_core.errors import printable
from pz_tsm_core.propose.findings import Finding

WIDTH = 100
#: Longer names and values are shortened in comments, never in values.
_LONGEST = 300
#: Words that mean themselves in every version of YAML.
_PLAIN = re.compile(r"(\.{1,2}/)*[A-Za-z_][A-Za-z0-9_./-]*")
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


class _Text(str):
    """Text for the file as it is."""

    __slots__ = ()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - it writes YAML, and `finalize` escapes that
        loader=PackageLoader("pz_tsm_core.propose", "."), undefined=StrictUndefined,
        finalize=_finalized, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )
    environment.filters.update(said=said, remark=_remark, remarks=_remarks, policy=_policy)
    return environment


def written(template: str, /, **values: Any) -> str:
    """The text that a template makes of values; no line ends with blanks, none follows another."""
    text = _environment().get_template(template).render(values)
    lines = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"


def _finalized(value: Any) -> str:
    return value if isinstance(value, _Text) else scalar(value)


def scalar(value: Any) -> str:
    """A value as YAML on one line, safe at every place of a document.

    >>> scalar("RA"), scalar("on"), scalar("a: b # c"), scalar([1, "x y"])
    ('RA', "'on'", "'a: b # c'", "[1, 'x y']")
    """
    if isinstance(value, dict):
        pairs = (f"{scalar(key)}: {scalar(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    if not isinstance(value, str):
        return yaml.safe_dump(value).partition("\n")[0]
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    style = "'" if value.isprintable() and "'" not in value else '"'
    return yaml.safe_dump(value, default_style=style, allow_unicode=True, width=2**31)[:-1]


def said(text: str) -> _Text:
    """Text of others within a comment: on one line, without what a terminal would obey."""
    shown = printable(str(text))
    return _Text(shown if len(shown) <= _LONGEST else shown[:_LONGEST] + " ...")


def _remark(text: str, indent: int, bullet: str = "") -> _Text:
    """A comment of as many lines as it needs."""
    start = " " * indent + "# "
    return _Text("\n".join(textwrap.wrap(
        said(text), WIDTH, initial_indent=start + bullet,
        subsequent_indent=start + " " * len(bullet), break_on_hyphens=False,
    )) + "\n")


def _remarks(findings: Iterable[Finding], indent: int) -> _Text:
    """Comments, one below the other; guesses are marked."""
    return _Text("".join(_remark(finding.text, indent, "CHECK: " if finding.check else "")
                         for finding in findings))


def _policy(section: dict[str, Any]) -> _Text:
    """A section of a recipe: every value it has, and what it means."""
    about = section["about"]
    lines = [f"{section['name']}:  # {about['about']}"]
    for name, value in section["values"].items():
        lines += _explained(f"  {name}: {scalar(value)}", about.get(name, ""))
    return _Text("\n".join(lines))


def _explained(line: str, remark: str) -> list[str]:
    """A line with its comment behind it, or above it where it would be too long."""
    behind = f"{line}  # {said(remark)}"
    if remark and len(behind) <= WIDTH:
        return [behind]
    return [*_remark(remark, 2).splitlines(), line]
