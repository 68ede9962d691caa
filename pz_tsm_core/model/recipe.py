"""The recipe: the whole request for a compilation or a training set, as one value."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from pz_tsm_core.model.artifact import PUBLIC, Access, Sha256, Value
from pz_tsm_core.model.policy import (
    ClusterPolicy,
    CombinePolicy,
    MatchPolicy,
    Name,
    OutputPolicy,
    PartitionPolicy,
    PhotometryPolicy,
    SplitPolicy,
    StandardizePolicy,
)
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality

Path = Annotated[str, StringConstraints(min_length=1)]


class SurveyFile(Value):
    """A file in the native shape of a survey that the registry knows."""

    survey: Name
    file: Path
    access: Access = PUBLIC


class UserTable(Value):
    """A user's own redshift table: which column is what, and how far to trust it."""

    name: Name
    file: Path
    columns: dict[Literal["id", "ra", "dec", "z", "z_err", "quality"], Path]
    quality: Quality = Quality.SECURE  # of every row, unless a column says otherwise
    object_class: ObjectClass = ObjectClass.GALAXY
    instrument_type: InstrumentType = InstrumentType.SPECTROSCOPIC
    access: Access = PUBLIC

    @model_validator(mode="after")
    def _position_and_redshift(self) -> UserTable:
        missing = {"ra", "dec", "z"} - set(self.columns)
        if missing:
            raise ValueError(f"columns must also name {', '.join(sorted(missing))}")
        return self


class Redshifts(Value):
    """Where redshifts come from: surveys, own tables, a compilation made before, or all."""

    surveys: tuple[SurveyFile, ...] = ()
    tables: tuple[UserTable, ...] = ()
    compilation: Sha256 | None = None  # address of a `combine` artifact in the store

    @model_validator(mode="after")
    def _something(self) -> Redshifts:
        if not (self.surveys or self.tables or self.compilation):
            raise ValueError("name at least one of surveys, tables, compilation")
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise ValueError("every table under a name of its own: ids follow from it")
        return self


class ObjectCatalog(Value):
    """The LSST Object catalogue to match against: a HATS catalogue or collection.

    Without `access` the data rights of the release hold.
    """

    path: Path
    release: Name = "dp1"
    access: Access | None = None


class Recipe(Value):
    """Everything that is needed to make, and to repeat, a compilation or a training set.

    Without `catalog` the recipe ends with the compilation.
    """

    schema_: Literal[1] = Field(alias="schema")
    name: Name
    redshifts: Redshifts
    standardize: StandardizePolicy = StandardizePolicy()
    combine: CombinePolicy = CombinePolicy()
    partition: PartitionPolicy = PartitionPolicy()
    catalog: ObjectCatalog | None = None
    match: MatchPolicy = MatchPolicy()
    photometry: PhotometryPolicy = PhotometryPolicy()
    split: SplitPolicy = SplitPolicy()
    output: OutputPolicy
    cluster: ClusterPolicy = ClusterPolicy()

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
