"""What columns of redshift tables are called, and how flags are meant: what is looked up."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import ConfigDict, Field

from pz_tsm_core.errors import Code
from pz_tsm_core.files import read_document
from pz_tsm_core.inspection.column import Kind
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.document import build
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality

RoleName = Literal["ra", "dec", "z", "z_err", "id", "quality", "object_class", "instrument_type"]
Points = dict[str, float]  # expression -> points

#: From here on a name is so common that it says nothing of the survey.
COMMON = 90
#: Longer names are compared by their beginning.
_LONGEST = 200
#: A UCD of so many points is sure.
_SURE = 60
#: What a UCD of something else takes off.
_CONTRADICTED = 100


class Role(Value):
    """How the column that holds one thing is called (see `vocabulary.yaml`)."""

    kinds: tuple[Kind, ...]
    needs: float
    names: Points
    spoils: Points = Field(default_factory=dict)
    ucds: Points = Field(default_factory=dict)

    def points_of_name(self, name: str) -> float:
        """Points for a plain name (`plain`), those that spoil it taken off."""
        known = _first(re.fullmatch, self.names, name)
        return known + sum(points for expression, points in self.spoils.items()
                           if re.search(expression, name))

    def points_of_ucd(self, ucd: str) -> float:
        """Points for a UCD; 0 for none."""
        return _first(re.match, self.ucds, ucd.lower())

    def points_for(self, name: str, ucd: str) -> float:
        """Points for a plain name and a UCD; a UCD that is sure makes odd names good."""
        by_ucd = self.points_of_ucd(ucd)
        by_name = _first(re.fullmatch, self.names, name) if by_ucd >= _SURE else (
            self.points_of_name(name))
        return by_name + by_ucd


class FlagRule(Value):
    """A rule of a convention: `{flag}` in the condition stands for the column."""

    when: str
    then: Quality | ObjectClass
    means: str


class Convention(Value):
    """One way in which surveys say how sure they are (see `conventions.yaml`)."""

    name: str
    named: str = r".*"
    kinds: tuple[Kind, ...]
    fits: str
    shows: str
    means: str
    same_scale: bool = False
    quality: tuple[FlagRule, ...] = ()
    otherwise: Quality = Quality.NONE
    otherwise_means: str = ""
    object_class: tuple[FlagRule, ...] = ()
    change: str


class Sentinels(Value):
    """Values that stand for `no redshift`."""

    never_a_redshift: tuple[float, ...]
    at_the_top: tuple[float, ...]


class Parts(Value):
    """Names of the columns of one coordinate: hours or degrees, minutes and seconds."""

    stem: str
    follow: tuple[str, str, str]


class AngleParts(Value):
    """Names of both coordinates in parts, and of the sign of the second."""

    ra: Parts
    dec: Parts
    sign: str


class Vocabulary(Value):
    """Everything that is looked up of names and texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    roles: dict[RoleName, Role]
    partners: dict[Literal["z_err", "quality"], tuple[str, ...]]
    sentinels: Sentinels
    object_classes: dict[ObjectClass, tuple[str, ...]]
    instrument_types: dict[InstrumentType, tuple[str, ...]]
    parts: AngleParts
    angles: dict[Literal["deg", "hour"], tuple[str, ...]]
    velocities: tuple[str, ...]
    id_parts: str

    @cached_property
    def _common(self) -> tuple[str, ...]:
        return tuple(expression for role in self.roles.values()
                     for expression, points in role.names.items() if points >= COMMON)

    def is_common(self, name: str) -> bool:
        """Whether many surveys call a column so."""
        return any(re.fullmatch(expression, plain(name)) for expression in self._common)

    def points(self, role: RoleName, name: str, ucd: str) -> float:
        """Points for a column of this name and UCD to be of a role."""
        wanted = self.roles[role]
        others = (other.points_of_ucd(ucd) for other in self.roles.values())
        contradicted = bool(ucd) and not wanted.points_of_ucd(ucd) and max(others) >= _SURE
        return wanted.points_for(plain(name), ucd) - _CONTRADICTED * contradicted

    def belongs(self, role: Literal["z_err", "quality"], name: str, z: str) -> bool:
        """Whether a name is made of that of the redshift column."""
        of = re.escape(plain(z))
        return any(re.fullmatch(expression.replace("{z}", of), plain(name))
                   for expression in self.partners[role])


class Conventions(Value):
    """The conventions, in the order in which they are tried."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    conventions: tuple[Convention, ...]


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The names and texts that are known."""
    file = files(__package__) / "vocabulary.yaml"
    return build(Vocabulary, read_document(file, code=Code.INTERNAL))


@lru_cache(maxsize=1)
def conventions() -> tuple[Convention, ...]:
    """The conventions of flags that are known, in the order in which they are tried."""
    file = files(__package__) / "conventions.yaml"
    return build(Conventions, read_document(file, code=Code.INTERNAL)).conventions


def plain(name: str) -> str:
    """A name in lower case, all but letters and digits as single underscores.

    >>> plain("_RAJ2000 (deg)"), plain("SPEC-Z")
    ('raj2000_deg', 'spec_z')
    """
    return re.sub(r"[^a-z0-9]+", "_", name[:_LONGEST].lower()).strip("_")


def _first(match: object, points: Points, text: str) -> float:
    for expression, worth in points.items():
        if match(expression, text):  # type: ignore[operator]
            return worth
    return 0
