"""Which part of the sky somebody means: a field by its name, a cone, a box, a MOC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, StringConstraints, ValidationError, model_validator
from pydantic import Field as Key

from pz_tsm_core.errors import Code, TsmError, nearest, refuse
from pz_tsm_core.files import expanded, read_document
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.document import build
from pz_tsm_core.model.native_columns import Text
from pz_tsm_core.model.survey import Region
from pz_tsm_core.surveys.moc import is_moc, moc_of_file, moc_of_text

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,30}$")]

_FORMS = ("a field such as `ecdfs`, `cone RA DEC RADIUS` or `box RA RA DEC DEC` in degrees, a MOC "
          "such as `3/12 4/100-103`, or the file of one (FITS, JSON or ASCII)")
_NUMBERS = {"cone": 3, "box": 4}
_ENDINGS = (".fits", ".fit", ".json", ".txt", ".ascii", ".moc")


class SkyField(Value):
    """A part of the sky that has a name.

    Parameters
    ----------
    aliases : other names that people give it
    source : who says where it is
    """

    about: Text
    aliases: tuple[FieldName, ...] = ()
    region: Region
    source: Text


class SkyFields(Value):
    """All fields by their names; no two fields answer to one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Key(alias="schema")
    fields: dict[FieldName, SkyField]

    @model_validator(mode="after")
    def _every_name_once(self) -> SkyFields:
        names = [*self.fields, *(name for each in self.fields.values() for name in each.aliases)]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError("every name once, not " + ", ".join(twice))
        return self


@cache
def fields() -> Mapping[str, SkyField]:
    """Every field that has a name, by the first of its names."""
    document = read_document(Path(__file__).with_suffix(".yaml"))
    return MappingProxyType(build(SkyFields, document).fields)


def field(name: str) -> Region:
    """Where a field is.

    Raises
    ------
    TsmError
        `value.out-of-range` for a name that no field has, with the nearest there is.

    Examples
    --------
    >>> field("ELAIS-S1").cone
    (9.45, -44.025, 2.45)
    """
    known = _named(name)
    if known is None:
        raise refuse(Code.VALUE_RANGE, "field", found=f"`{name[:80]}`",
                     expected="the name of a field of the sky", remedy=_near(name))
    return fields()[known].region


def region_of(text: str) -> dict[str, Any]:
    """Read what somebody writes for a part of the sky: keyword arguments of `Wanted`.

    Raises
    ------
    TsmError
        `value.out-of-range` for a text that is none of the forms, with all of them;
        `file.missing` and `file.limit` for a file that cannot be read, or is no MOC's.

    Examples
    --------
    >>> region_of("cone 53.13 -28.1 0.5")["region"].cone
    (53.13, -28.1, 0.5)
    >>> region_of("3/12 4/100-103")
    {'moc': '3/12 25'}
    """
    words = text.replace(",", " ").split()
    if words and words[0].lower() in _NUMBERS:
        return {"region": _shape(text, words)}
    if is_moc(text):
        return {"moc": moc_of_text(text)}
    known = _named(text)
    if known is not None:
        return {"region": fields()[known].region, "field": known}
    if _is_path(text):
        path = expanded(text)
        return {"moc": moc_of_file(path), "field": _plain(path.stem)[:31]}
    raise _refused(text, remedy=_near(text))


def _is_path(text: str) -> bool:
    """Whether a text can only be meant as the path of a file."""
    path = expanded(text)
    try:
        return "\0" not in text and (path.suffix.lower() in _ENDINGS or path.is_file())
    except OSError:  # too long for a name
        return False


def _plain(name: str) -> str:
    """A name as fields have them: `ELAIS-S1` is elais_s1."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _named(name: str) -> str | None:
    """The first name of the field that somebody means."""
    plain = _plain(name)
    return next((known for known, each in fields().items() if plain in (known, *each.aliases)),
                None)


def _near(name: str) -> str:
    aliases = [alias for each in fields().values() for alias in each.aliases]
    near = nearest(_plain(name)[:80], [*fields(), *aliases])
    return near if near.startswith("did") else nearest(_plain(name)[:80], fields())


def _shape(text: str, words: list[str]) -> Region:
    shape = words[0].lower()
    if len(words) - 1 != _NUMBERS[shape]:
        raise _refused(text, f"{len(words) - 1} numbers instead of {_NUMBERS[shape]}")
    try:
        return Region.model_validate({shape: [float(word) for word in words[1:]]})
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise _refused(text, said[0].lower() + said[1:]) from None
    except ValueError:
        raise _refused(text, "words for numbers") from None


def _refused(text: str, why: str = "", remedy: str = "write it so") -> TsmError:
    """The one answer to a text that is none of the forms: what they are."""
    found = f"`{text[:80]}`" + (f": {why}" if why else "")
    return refuse(Code.VALUE_RANGE, "region", found=found, expected=_FORMS, remedy=remedy)
