"""YAML text into checked values: every mistake with its line, all of them at once."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pz_tsm_core.errors import Code, Problem, Problems, TsmError, nearest, refuse

Loc = tuple[int | str, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

#: A recipe or definition is written by hand; more than this is something else.
MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 100_000

_TOO_MUCH = "more levels or values than a person writes"
_ENOUGH = f"{MAX_DEPTH} levels and {MAX_VALUES} values at most"
_PLAINLY = "write it plainly"

_PLAIN = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass(frozen=True)
class Document:
    """A parsed YAML mapping that remembers on which line each key stands.

    Parameters
    ----------
    name : of the file, for messages
    code : what its mistakes are called; None for a recipe, whose mistakes have codes of their own
    """

    name: str
    content: dict[str, Any]
    lines: Mapping[Loc, int]
    code: Code | None = None

    def where(self, loc: Loc) -> str:
        """Say where a key stands: file, line and dotted path."""
        known = next((loc[:n] for n in range(len(loc), 0, -1) if loc[:n] in self.lines), ())
        line = f" line {self.lines[known]}" if known else ""
        path = ".".join(str(part) for part in loc)
        return f"{self.name}{line}: {path}" if path else f"{self.name}{line}"


def parse_document(
    text: str, name: str, *, code: Code | None = None, tags: tuple[str, ...] = ()
) -> Document:
    """Parse YAML text into a document; refuse what is no mapping or repeats a key.

    Parameters
    ----------
    tags : beginnings of the tags that are passed over: what they mark is taken as it is written

    Raises
    ------
    TsmError
        with `code`, or `recipe.syntax`, for text that is too long, no YAML, or no mapping.
    """
    syntax = code or Code.RECIPE_SYNTAX
    expected = "a YAML mapping of keys to values"
    remedy = "correct the text there"
    if len(text) > MAX_CHARACTERS:
        found = f"{len(text)} characters"
        raise refuse(syntax, name, found=found, expected=expected, remedy=remedy)
    try:
        # Not the loader in C: it is quicker, but a text of 400,000 nested lists ends the process.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        where, found = _place(error, name)
        raise refuse(syntax, where, found=found, expected=expected, remedy=remedy) from None
    except RecursionError:  # thousands of open brackets: the parser calls itself for each
        raise refuse(syntax, name, found=_TOO_MUCH, expected=_ENOUGH, remedy=_PLAINLY) from None
    if not isinstance(node, yaml.MappingNode):
        found = "an empty text" if node is None else "a list or a single value"
        raise refuse(syntax, name, found=found, expected=expected, remedy=remedy)
    construction = _Construction(name, syntax, tags)
    content = construction.mapping(node, ())
    construction.problems.raise_if_any()
    return Document(name, content, construction.lines, code)


def _place(error: yaml.YAMLError, name: str) -> tuple[str, str]:
    """Where YAML stumbled, and over what."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return name, " ".join(str(error).split())
    mark = error.problem_mark
    return f"{name} line {mark.line + 1}, column {mark.column + 1}", str(error.problem)


class _Construction:
    """Turns YAML nodes into plain values, noting lines and repeated keys on the way."""

    def __init__(self, name: str, syntax: Code, tags: tuple[str, ...]) -> None:
        self.name, self.syntax, self.tags = name, syntax, tags
        self.plain = yaml.constructor.SafeConstructor()
        self.lines: dict[Loc, int] = {}
        self.problems = Problems()
        self.values = 0

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        self.lines.setdefault(loc, node.start_mark.line + 1)
        self.values += 1
        # Aliases may contain themselves, or unfold to far more than the text holds.
        if len(loc) > MAX_DEPTH or self.values > MAX_VALUES:
            raise self._refusal(node, _TOO_MUCH, _ENOUGH)
        plain = node.tag in _PLAIN or (self.tags and node.tag.startswith(self.tags))
        if not isinstance(node, yaml.ScalarNode) and not plain:
            raise self._refusal(node, f"the tag {node.tag}", "plain mappings, lists and values")
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*loc, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, loc)
        return self._scalar(node)

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[Any, Any]:
        content: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key, line = self._scalar(key_node), key_node.start_mark.line + 1
            if key in content:
                self.problems.add(self.syntax, f"{self.name} line {line}: {key}",
                                  found="a key that stands twice", expected="every key once",
                                  remedy="remove one of the two")
            self.lines[*loc, key] = line
            content[key] = self.value(value_node, (*loc, key))
        return content

    def _scalar(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self._refusal(node, "a mapping or list as a key", "plain words as keys")
        try:
            return self.plain.construct_object(node)
        except (yaml.YAMLError, ValueError, AttributeError):  # AttributeError: PyYAML on bad dates
            raise self._refusal(node, f"`{node.value}` as {node.tag}", "a plain value") from None

    def _refusal(self, node: yaml.Node, found: str, expected: str) -> TsmError:
        where = f"{self.name} line {node.start_mark.line + 1}"
        return refuse(self.syntax, where, found=found, expected=expected, remedy=_PLAINLY)


def build(model: type[ModelT], document: Document) -> ModelT:
    """Make the value that a document describes.

    Raises
    ------
    TsmError
        with every mistake: its line, what was found, what was expected, the nearest valid key.
    """
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems = [_problem(model, document, detail) for detail in details]
        raise TsmError(*problems) from None


def checked(model: type[ModelT], **values: Any) -> ModelT:
    """Make a value from keyword arguments, with mistakes told as those of a recipe are."""
    return build(model, Document(model.__name__, values, {}))


def _problem(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Problem:
    """Translate one pydantic finding into a sentence for people."""
    loc = detail["loc"]
    where = document.where(loc)
    if detail["type"] == "extra_forbidden":
        known = _fields(model, loc[:-1])
        return Problem(document.code or Code.RECIPE_UNKNOWN_KEY, where, f"unknown key `{loc[-1]}`",
                       f"one of {', '.join(known)}", nearest(str(loc[-1]), known))
    if detail["type"] == "missing":
        return Problem(document.code or Code.RECIPE_MISSING_KEY, where, "nothing",
                       f"the key `{loc[-1]}`", "add it")
    found = repr(detail["input"])
    found = found if len(found) <= 80 else found[:77] + "..."
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(document.code or Code.RECIPE_BAD_VALUE, where, found, message,
                   "correct the value")


def _fields(model: type[BaseModel], loc: Loc) -> list[str]:
    """Keys that are valid at a place of a model."""
    current: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        if typing.get_origin(current) is dict:  # the part is a key that the writer chose
            current = typing.get_args(current)[1]
            continue
        fields = _model_of(current)
        field = next((f for n, f in fields.items() if part in (n, f.alias)), None)
        if field is None:
            return []
        current = field.annotation
    return sorted(field.alias or name for name, field in _model_of(current).items())


def _model_of(annotation: Any) -> dict[str, Any]:
    """Fields of the model inside an annotation such as `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return dict(annotation.model_fields)
    if typing.get_origin(annotation) in (tuple, list, typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            if found := _model_of(argument):
                return found
    return {}
