"""What of a published catalogue is wanted, how far a retrieval may go, and what it remembers."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef, Value, sha256_of
from pz_tsm_core.model.product import ProductName, is_ref
from pz_tsm_core.model.survey import Region, Source

#: When a source is asked: never, only for what has changed since, or in any case.
FetchPolicy = Literal["never", "if-changed", "always"]


class Wanted(Value):
    """The part of a catalogue that is wanted; by default all of it.

    Parameters
    ----------
    region : a cone or box in degrees, ICRS
    moc : a region as a MOC, in the ASCII form of IVOA MOC 2.0, as in "3/12 4/100-103"
    field : what people call the region, for names; says nothing by itself
    rows : at most so many; which ones, the service decides
    """

    region: Region | None = None
    moc: str = ""
    field: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_]{0,30})?$")
    rows: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_region(self) -> Wanted:
        if self.region is not None and self.moc:
            raise ValueError("a `region` or a `moc`")
        return self

    @property
    def whole(self) -> bool:
        """Whether all of the catalogue is wanted."""
        return self.region is None and not self.moc and self.rows is None

    def product(self, survey: str) -> str:
        """Name of the product under which this part of a survey stands in the store.

        Examples
        --------
        >>> Wanted().product("desi_dr1")
        'desi_dr1'
        >>> Wanted(region=Region(cone=(53.16, -28.1, 1.0)), field="ecdfs").product("desi_dr1")
        'desi_dr1-ecdfs-ac1bea'
        """
        if self.whole:
            return survey
        said = sha256_of(self.model_dump(mode="json", exclude={"field"}, exclude_defaults=True))
        return is_ref("-".join(filter(None, [survey[:40], self.field[:15], said[:6]])))


class FetchLimits(Value):
    """How long, how much and how often; the defaults suit one machine and polite services.

    Parameters
    ----------
    connect_seconds : until a server takes the connection
    stall_seconds : without a byte, after which a transfer is given up or resumed
    total_seconds : for one survey, retries and waits included
    max_bytes : of one file
    retries : of a request or transfer that failed in a way that may pass
    per_host : requests to one host at a time
    per_second : requests to one host in a second
    piece_rows : rows that a service is asked for at a time, so that memory stays bounded
    """

    connect_seconds: float = Field(default=10.0, gt=0)
    stall_seconds: float = Field(default=60.0, gt=0)
    total_seconds: float = Field(default=6 * 3600.0, gt=0)
    max_bytes: int = Field(default=64 * 2**30, gt=0)
    retries: int = Field(default=5, ge=0)
    per_host: int = Field(default=2, gt=0)
    per_second: float = Field(default=5.0, gt=0)
    piece_rows: int = Field(default=1_000_000, gt=0)


class ColumnSaid(Value):
    """A column as a service or a file declares it; empty where it says nothing.

    Parameters
    ----------
    kind : which of the types of a definition its values are of
    """

    kind: Literal["int", "float", "text", "bool", ""] = ""
    unit: str = ""

    @classmethod
    def of(cls, field: pa.Field) -> ColumnSaid:
        """What a field of Arrow says of its column."""
        unit = (field.metadata or {}).get(b"unit", b"").decode("utf-8", "replace")
        return cls.model_validate({"kind": kind_of(field.type), "unit": unit})


def kind_of(type_: pa.DataType) -> str:
    """The kind of an Arrow type, in the words of a definition; empty for others."""
    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_integer(type_):
        return "int"
    if pa.types.is_floating(type_):
        return "float"
    return "text" if pa.types.is_string(type_) or pa.types.is_large_string(type_) else ""


class FetchRequest(Value):
    """All that decides what a retrieval asks for; a former one counts only if it is equal.

    Parameters
    ----------
    sources : the parts of the catalogue, all of one service
    """

    survey: str
    release: str
    sources: tuple[Source, ...]
    columns: tuple[str, ...]  # native names, sorted
    wanted: Wanted = Wanted()


class FetchRecord(Value):
    """What is known of the last retrieval of a product: when, from where, what came.

    Parameters
    ----------
    validators : of each part, by which it tells whether it has changed (an ETag, a date); empty
        where it has none
    columns : as the source declared them, by native name
    rows : that came; what lies outside the wanted region is among them
    given : rows of the artifact
    ref : the artifact
    fetched, checked : UTC, ISO 8601; when the rows came, and when the source was last asked
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")
    product: ProductName
    request: FetchRequest
    validators: tuple[str, ...] = ()
    columns: dict[str, ColumnSaid] = Field(default_factory=dict)
    rows: int
    given: int
    ref: ArtifactRef
    access: Access = PUBLIC
    fetched: str
    checked: str
