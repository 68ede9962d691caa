"""The recipe: the whole request for a compilation or a training set, as one value."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from pz_tsm_core.model.artifact import PUBLIC, Access, Value
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.photometry import PhotometryPolicy, SelectPolicy
from pz_tsm_core.model.policy import (
    ClusterPolicy,
    MatchPolicy,
    Name,
    OutputPolicy,
    PartitionPolicy,
    SplitPolicy,
    StandardizePolicy,
)
from pz_tsm_core.model.product import ProductName, ProductRef, is_ref
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality
from pz_tsm_core.model.retrieval import FetchPolicy

Path = Annotated[str, StringConstraints(min_length=1)]


def is_address(text: str) -> bool:
    """Whether a text is the address of an artifact: 64 hexadecimal digits."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _product_or_address(text: str) -> str:
    return text if is_address(text) else is_ref(text)


class TableSource(Value):
    """Where a table of redshifts is: a file or HATS folder, or a product of the store."""

    file: Path | None = None
    product: ProductRef | None = None  # what `tsm put` took in
    access: Access = PUBLIC  # of the file; a product brings its own

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if not (self.fetched or (self.file is None) != (self.product is None)):
            raise ValueError("exactly one of `file` and `product`")
        if self.product is not None and self.access != PUBLIC:
            raise ValueError("no `access`: a product brings its own")
        return self

    @property
    def fetched(self) -> bool:
        """Whether it comes from where it is published."""
        return False


class SurveyFile(TableSource):
    """A table in the native shape of a survey: by its key, or as defined by a file beside.

    Without `file` and `product` it is fetched from where the survey is published.

    Parameters
    ----------
    region : the part that is fetched: a field, `cone RA DEC RADIUS`, `box RA RA DEC DEC` in
        degrees, or a file with a MOC
    rows : at most so many, for a trial
    service : one of those that give the survey; by default the first
    """

    survey: Name | None = None  # of the registry, or of `survey_path`
    definition: Path | None = None  # a YAML file in the form of the registry's own
    region: Annotated[str, StringConstraints(min_length=1)] | None = None
    rows: int | None = Field(default=None, gt=0)
    service: Name | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.survey is None) == (self.definition is None):
            raise ValueError("exactly one of `survey` and `definition`")
        if not self.fetched and (self.region or self.rows or self.service):
            raise ValueError("no `region`, `rows` or `service` beside `file` or `product`")
        return self

    @property
    def fetched(self) -> bool:
        """Whether it comes from where it is published."""
        return self.file is None and self.product is None


class UserTable(TableSource):
    """A user's own redshift table: which column is what, and how far to trust it."""

    name: Name
    columns: dict[
        Literal["id", "ra", "dec", "z", "z_err", "quality", "pos_err", "snr"], Path
    ]  # pos_err in arcsec
    year: int | None = Field(default=None, ge=1900, le=2200)  # in which the redshifts came out
    quality: Quality = Quality.SECURE  # of every row, unless a column says otherwise
    object_class: ObjectClass = ObjectClass.GALAXY
    instrument_type: InstrumentType = InstrumentType.SPECTROSCOPIC

    @model_validator(mode="after")
    def _position_and_redshift(self) -> Self:
        missing = {"ra", "dec", "z"} - set(self.columns)
        if missing:
            raise ValueError(f"columns must also name {', '.join(sorted(missing))}")
        return self


class Redshifts(Value):
    """Where redshifts come from: surveys, own tables, a compilation made before, or all."""

    surveys: tuple[SurveyFile, ...] = ()
    tables: tuple[UserTable, ...] = ()
    #: A folder of definitions of one's own, which `surveys` name like registered ones.
    survey_path: Path | None = None
    #: When the sources of surveys without a file are asked: by default the store has them already.
    fetch: FetchPolicy = "never"
    #: A product, or the address of a `combine` artifact in the store.
    compilation: Annotated[str, AfterValidator(_product_or_address)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.surveys or self.tables or self.compilation):
            raise ValueError("name at least one of surveys, tables, compilation")
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise ValueError("every table under a name of its own: ids follow from it")
        return self


class ObjectCatalog(Value):
    """The LSST Object catalogue to match against: a HATS catalogue or collection.

    Without `access` the data rights of the release hold.

    Parameters
    ----------
    release : key of a profile, or a YAML file of one's own that says which column is what
    columns : to carry along, beside those that photometry and cuts read
    """

    path: Path
    release: Path = "dp1"
    columns: tuple[str, ...] = ()
    access: Access | None = None


class Recipe(Value):
    """Everything that is needed to make, and to repeat, a compilation or a training set.

    Without `catalog` the recipe ends with the compilation.
    """

    schema_: Literal[1] = Field(alias="schema")
    name: ProductName  # under which the result stands in the store
    redshifts: Redshifts
    standardize: StandardizePolicy = StandardizePolicy()
    combine: CombinePolicy = CombinePolicy()
    partition: PartitionPolicy = PartitionPolicy()
    catalog: ObjectCatalog | None = None
    match: MatchPolicy = MatchPolicy()
    photometry: PhotometryPolicy = PhotometryPolicy()
    select: SelectPolicy = SelectPolicy()
    split: SplitPolicy = SplitPolicy()
    output: OutputPolicy
    cluster: ClusterPolicy = ClusterPolicy()

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
