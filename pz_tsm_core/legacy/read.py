"""A `flags_translation.yaml` into a checked value: every mistake with its line, all at once."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pz_tsm_core.errors import Code, Problems, TsmError, nearest
from pz_tsm_core.files import read_document
from pz_tsm_core.legacy.columns import before_a_table
from pz_tsm_core.legacy.rule_file import (
    Block,
    Condition,
    Dialect,
    Outcome,
    Output,
    Parameters,
    Raw,
    RuleFile,
)
from pz_tsm_core.legacy.translate import names, translate
from pz_tsm_core.model.document import Document, Loc, build, parse_document

RULES = "translation_rules"
#: Keys of a block that are no native values; those after the second came with the newer dialect.
OPTIONS = ("conditions", "default", "source", "optional_source", "allow_condition_overlap",
           "fast_path")
_NEWER_OPTIONS = frozenset(OPTIONS[2:])
_FAST_PATHS = ("auto", "disabled", "required")
_RULES_LINE = re.compile(rb"""["']?translation_rules["']?\s*:""")


def is_rule_file(path: Path) -> bool:
    """Whether a file means to be a rule file, with whatever mistakes: its key begins a line."""
    try:
        with path.open("rb") as file:
            return any(map(_RULES_LINE.match, file))
    except OSError:  # whoever reads it tells why it cannot be read
        return False


def load_rule_file(path: Path) -> RuleFile:
    """Read a rule file from disk.

    Raises
    ------
    TsmError
        with every mistake of the file and every expression without a translation, each with its
        line and the reason.
    """
    return _rule_file(read_document(path, code=Code.LEGACY_FILE))


def parse_rule_file(text: str, name: str) -> RuleFile:
    """Make a rule file of its YAML text; `name` is used in messages."""
    return _rule_file(parse_document(text, name, code=Code.LEGACY_FILE))


def _rule_file(document: Document) -> RuleFile:
    problems = Problems()
    parameters = Parameters()
    own = {key: value for key, value in document.content.items() if key != RULES}
    try:
        parameters = build(Parameters, Document(document.name, own, document.lines, document.code))
    except TsmError as error:
        problems.extend(error.problems)
    reader = _Reader(document, problems)
    rules = reader.rules(document.content.get(RULES))
    problems.raise_if_any()
    return RuleFile(document.name, reader.dialect, parameters, MappingProxyType(rules))


def _dialect(content: Mapping[str, Any]) -> Dialect:
    """Newer, when a block has what the older dialect has not."""
    surveys = content.get(RULES)
    blocks = [
        (key, block)
        for survey in (surveys.values() if isinstance(surveys, dict) else ())
        if isinstance(survey, dict) for key, block in survey.items()
    ]
    newer = any(
        key == Output.OBJECT_TYPE.block
        or (isinstance(block, dict) and not _NEWER_OPTIONS.isdisjoint(block))
        for key, block in blocks
    )
    return Dialect.NEWER if newer else Dialect.JUNE


class _Reader:
    """Reads the rules, noting what is wrong and going on."""

    def __init__(self, document: Document, problems: Problems) -> None:
        self.document, self.problems = document, problems
        self.dialect = _dialect(document.content)

    def rules(self, content: Any) -> dict[str, Mapping[Output, Block]]:
        """Survey in capitals -> its blocks."""
        rules: dict[str, Mapping[Output, Block]] = {}
        for name, survey in self._items(content, (RULES,), "surveys with their rules"):
            loc, key = (RULES, name), str(name).strip().upper()
            if key in rules:
                self._note(loc, f"the survey {key} a second time", "every survey once",
                           "remove one of the two; case does not tell surveys apart")
            rules[key] = MappingProxyType(dict(self._blocks(survey, loc)))
        return rules

    def _blocks(self, survey: Any, loc: Loc) -> Iterator[tuple[Output, Block]]:
        known = {output.block: output for output in Output}
        for key, content in self._items(survey, loc, "blocks of rules"):
            if key in known:
                yield known[key], self._block(known[key], content, (*loc, key))
            else:
                self._note((*loc, key), f"unknown key `{key}`", "one of " + ", ".join(known),
                           nearest(str(key), known))

    def _block(self, output: Output, content: Any, loc: Loc) -> Block:
        items = dict(self._items(content, loc, "native values, conditions and a default"))
        options = {key: value for key, value in items.items() if key in OPTIONS}
        values = tuple(
            (key, self._outcome(output, value, (*loc, key)))
            for key, value in items.items()
            if key not in OPTIONS and self._is_value(output, key, (*loc, key))
        )
        return Block(
            output, self.document.where(loc),
            source=self._option(options, "source", str, loc, default=str(output)),
            values=values,
            conditions=tuple(self._conditions(output, options.get("conditions"), loc)),
            default=self._outcome(output, options.get("default"), (*loc, "default")),
            optional_source=self._option(options, "optional_source", bool, loc, default=False),
            allow_condition_overlap=self._option(
                options, "allow_condition_overlap", bool, loc, default=False),
            fast_path=self._option(options, "fast_path", _FAST_PATHS, loc, default="auto"),
        )

    def _option(
        self, options: dict[str, Any], key: str, kind: Any, loc: Loc, *, default: Any
    ) -> Any:
        """An option of a block: of a type, or one of several words."""
        value = options.get(key, default)
        if isinstance(kind, tuple):
            expected, right = "one of " + ", ".join(kind), value in kind
        else:
            expected = "true or false" if kind is bool else "the name of a column"
            right = isinstance(value, kind) and value != ""
        if not right:
            self._note((*loc, key), repr(value), expected, "correct the value")
        return value if right else default

    def _is_value(self, output: Output, key: Any, loc: Loc) -> bool:
        """Whether a key of a block can be a native value."""
        near = difflib.get_close_matches(str(key), OPTIONS, n=1, cutoff=0.8)
        if output is Output.Z_FLAG and _number(key) is None:
            expected = "a flag as a number, or one of " + ", ".join(OPTIONS)
        elif near and isinstance(key, str):
            expected = "one of " + ", ".join(OPTIONS)
        else:
            return isinstance(key, Raw)
        self._note(loc, f"unknown key `{key}`", expected, nearest(str(key), OPTIONS))
        return False

    def _conditions(self, output: Output, content: Any, loc: Loc) -> Iterator[Condition]:
        if content is not None and not isinstance(content, list):
            self._note((*loc, "conditions"), repr(content)[:80], "a list of `expr` and `value`",
                       "write `- expr:` and `value:` for each")
            return
        for index, item in enumerate(content or ()):
            place = (*loc, "conditions", index)
            keys = dict(self._items(item, place, "`expr` and `value`"))
            for key in sorted({"expr", "value"}.symmetric_difference(keys), key=str):
                if key in keys:
                    self._note((*place, key), f"unknown key `{key}`", "the keys expr and value",
                               nearest(str(key), ("expr", "value")))
                elif keys:  # what is no mapping at all was noted
                    self._note(place, f"no key `{key}`", "the keys expr and value", "add it")
            outcome = self._outcome(output, keys.get("value"), (*place, "value"))
            if keys.get("expr") is not None:
                yield from self._condition(str(keys["expr"]), outcome, (*place, "expr"))

    def _condition(self, text: str, outcome: Outcome, loc: Loc) -> Iterator[Condition]:
        """The condition, if its expression has a translation."""
        where = self.document.where(loc)
        try:
            expression = translate(text, where, before_a_table)
        except TsmError as error:
            self.problems.extend(error.problems)
        else:
            yield Condition(expression, names(text, where), outcome)

    def _outcome(self, output: Output, value: Any, loc: Loc) -> Outcome:
        """An outcome of the right kind, checked against all that there may be."""
        domain = output.domain(self.dialect)
        if output is Output.Z_FLAG:
            outcome: Outcome = _number(value)
        else:
            outcome = None if value is None else str(value).strip().lower() or None
        nothing = value is None or (value == "" and output is not Output.Z_FLAG)
        if not nothing and outcome not in domain:
            self._note(loc, repr(value)[:80], "one of " + ", ".join(f"{each}" for each in domain)
                       + ", or null", f"rules of {self.dialect} give no other {output.column}")
            return None
        return outcome

    def _items(self, content: Any, loc: Loc, expected: str) -> list[tuple[Any, Any]]:
        """Keys and values of a mapping; none, and a note, of anything else."""
        if content is None:
            return []
        if not isinstance(content, dict):
            self._note(loc, repr(content)[:80], f"a mapping of {expected}", "correct the layout")
            return []
        return list(content.items())

    def _note(self, loc: Loc, found: str, expected: str, remedy: str) -> None:
        self.problems.add(Code.LEGACY_FILE, self.document.where(loc), found=found,
                          expected=expected, remedy=remedy)


def _number(value: Any) -> float | None:
    """The finite number that a key or value is, also one in quotes."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
