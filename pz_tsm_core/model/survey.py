"""A survey: how its native columns and flags become the standard ones, as data."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pz_tsm_core.model.artifact import Value, sha256_of
from pz_tsm_core.model.native_columns import SurveyColumns, Text
from pz_tsm_core.model.policy import Name
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality

#: Ordinal of tables that users bring: they name a galaxy only where no survey does.
USER_ORDINAL = 1_000_000

ChoiceT = TypeVar("ChoiceT")
Ra = Annotated[float, Field(ge=0, le=360)]
Dec = Annotated[float, Field(ge=-90, le=90)]


class Rule(Value, Generic[ChoiceT]):
    """A condition in the rule language, what follows from it, and who says so."""

    when: Text
    then: ChoiceT
    source: Text


class RuleList(Value, Generic[ChoiceT]):
    """Rules of which the first that holds decides; what holds otherwise is explicit."""

    rules: tuple[Rule[ChoiceT], ...] = ()
    otherwise: ChoiceT | None  # None: a row that no rule decides is a mistake
    source: Text  # of what holds otherwise

    @model_validator(mode="after")
    def _every_rule_once(self) -> RuleList[ChoiceT]:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.when in seen:
                raise ValueError(f"every condition once; `{rule.when}` stands twice")
            seen.add(rule.when)
        return self


class Region(Value):
    """Part of a footprint, roughly: a cone or a box in degrees, ICRS.

    Parameters
    ----------
    cone : ra, dec and radius
    box : smallest and largest ra (the first may be larger: across 0), smallest and largest dec
    """

    cone: tuple[Ra, Dec, Annotated[float, Field(gt=0, le=180)]] | None = None
    box: tuple[Ra, Ra, Dec, Dec] | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Region:
        if (self.cone is None) == (self.box is None):
            raise ValueError("exactly one of `cone` and `box`")
        if self.box is not None and not self.box[2] < self.box[3]:
            raise ValueError("the smaller dec before the larger")
        return self


class Source(Value):
    """Where a catalogue is published, or one part of it.

    Parameters
    ----------
    service : a protocol (a module of `sources`); `page` for what people alone can download
    table, url : what the service needs to know
    release : which of its releases, as the service numbers them, where it gives several
    part : name of the part, where a service gives the catalogue as several tables: all parts
        together are the catalogue, while sources without `part` are copies of all of it
    columns : native name -> the name there, where the two differ
    """

    service: Literal[
        "vizier", "tap", "sdss", "gama", "ned", "https", "s3", "hats", "file", "page"
    ]
    table: str = ""
    url: str = ""
    release: str = ""
    part: str = ""
    columns: dict[Text, Text] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named(self) -> Source:
        if not (self.table or self.url):
            raise ValueError("a `table` or a `url`")
        return self


class Evidence(Value):
    """The table or page that says what columns and flags mean."""

    columns: Text
    flags: Text


class Footprint(Value):
    """Where a survey looked, and how much it found; for people and for searches.

    Parameters
    ----------
    about : in words
    area_deg2 : square degrees
    z_range : redshifts that most of its rows have
    """

    about: str = ""
    regions: tuple[Region, ...] = ()
    area_deg2: float | None = Field(default=None, gt=0)
    objects: int | None = Field(default=None, gt=0)
    z_range: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _z_in_order(self) -> Footprint:
        if self.z_range is not None and not self.z_range[0] < self.z_range[1]:
            raise ValueError("`z_range` as [smallest, largest]")
        return self


class Survey(Value):
    """One release of one survey, known whole before any row of it is read.

    Parameters
    ----------
    ordinal : place in the registry, never changed and never used again; the smallest names a galaxy
    year : of the release; null where nobody knows it
    citation : ADS bibcodes; none for a table of the user's own
    acknowledgement : the sentence that the survey asks for in papers; empty where it asks none
    rank : breaks ties between surveys, the larger is preferred
    types : what each native column holds
    unverified : facts of the definition that nobody could verify
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    key: Name
    ordinal: int = Field(ge=1, le=2**31 - 1)
    name: Text
    facility: Text
    release: Text
    year: int | None = Field(ge=1900, le=2200)
    citation: tuple[Text, ...] = ()
    doi: tuple[Text, ...] = ()
    acknowledgement: str = ""
    licence: str = ""
    footprint: Footprint = Footprint()
    sources: tuple[Source, ...] = ()
    evidence: Evidence | None = None
    unverified: tuple[Text, ...] = ()
    rank: int = Field(default=0, ge=-(2**15), lt=2**15)
    columns: SurveyColumns
    #: Behind `columns`, with which it is compared.
    types: dict[Text, Literal["int", "float", "text", "bool"]] = Field(default_factory=dict)
    quality: RuleList[Quality]
    object_class: RuleList[ObjectClass]
    instrument_type: RuleList[InstrumentType]

    @field_validator("sources", mode="after")
    @classmethod
    def _parts_or_copies(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        for service in dict.fromkeys(source.service for source in sources):
            parts = [source.part for source in sources if source.service == service]
            if any(parts) and len(set(filter(None, parts))) < len(parts):
                raise ValueError(f"a `part` of its own for every source of {service}, or none")
        return sources

    @field_validator("types", mode="after")
    @classmethod
    def _types_of_its_columns(cls, types: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        columns: SurveyColumns | None = info.data.get("columns")
        if types and columns is not None and types.keys() != columns.natives:
            odd = sorted(types.keys() ^ columns.natives)
            raise ValueError("`types` names every native column and no other: " + ", ".join(odd))
        return types

    def __hash__(self) -> int:
        return hash((self.key, self.ordinal, self.release))

    @property
    def native_columns(self) -> frozenset[str]:
        """Every native column that the definition names."""
        return self.columns.natives

    @property
    def services(self) -> tuple[str, ...]:
        """Services that give the catalogue to a program, the preferred one first."""
        return tuple(dict.fromkeys(source.service for source in self.sources
                                   if source.service != "page"))

    @property
    def verified(self) -> bool:
        """Whether a table or page is cited for columns and flags, and nothing is marked unsure."""
        return self.evidence is not None and not self.unverified

    @property
    def digest(self) -> str:
        """sha256 of the content, as 64 hexadecimal digits.

        Comments and layout do not count, nor does what is for people and for retrieval alone.
        """
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True,
                                  exclude=_NO_SAY)
        return sha256_of(content)


#: Fields that no stage after the retrieval reads.
_NO_SAY = {"footprint", "sources", "evidence", "unverified", "doi", "licence", "types"}
