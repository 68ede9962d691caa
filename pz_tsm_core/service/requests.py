"""What people ask a service for: one typed value a flow, which its form in a browser follows.

A field that takes one of the things that are there says of which kind (`one_of`); what there is,
`choices.py` knows. Titles, units and bounds of everything else are those of the fields.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.combining import Preset
from pz_tsm_core.model.guard import GuardPolicy
from pz_tsm_core.model.photometry import Quantity, once
from pz_tsm_core.model.policy import MatchPolicy, Name, SplitPolicy
from pz_tsm_core.model.product import ProductName, ProductRef
from pz_tsm_core.model.quality import Quality
from pz_tsm_core.model.retrieval import FetchPolicy

#: Key of a JSON schema by which a field says of which kind its choices are.
CHOICES = "choices"
#: Key by which a field asks to stand behind those of the models that inherit it.
LAST = "last"

Kind = Literal[
    "surveys", "fetched", "compilations", "candidates", "tables", "catalogs", "maps",
    "coefficients",
]

Owner = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
ColumnOf = Annotated[str, StringConstraints(max_length=64)]

#: Who works when nobody asks: what is scheduled, and what is for all.
SERVICE = "service"
#: Folder below the results that no web server may show.
PRIVATE = "private"

#: A part of the sky, in words: in a recipe it may also be a file, which nobody reads from afar.
REGION = r"^([a-z0-9][a-z0-9_]{0,30}|(cone|box)( [-+]?[0-9]+(\.[0-9]*)?){3,4})$"


def one_of(kind: Kind) -> Any:
    """Mark a field whose values are things that the service has."""
    return Field(json_schema_extra={CHOICES: kind})


Survey = Annotated[Name, one_of("surveys")]
Fetched = Annotated[Name, one_of("fetched")]
Table = Annotated[ProductRef, one_of("tables")]
Candidate = Annotated[Literal[""] | ProductRef, one_of("candidates")]
Compilation = Annotated[Literal[""] | ProductRef, one_of("compilations")]


class Request(Value):
    """What every request says: who asks, and who may see what comes of it."""

    owner: Owner = Field(
        title="Who asks", json_schema_extra={LAST: True},
        description="Your name, as the store knows you. What is made from a private table is "
        "private.")
    private: bool = Field(
        default=False, title="For me alone", json_schema_extra={LAST: True},
        description="Nobody else finds the result by its name, or its files on the web.")

    @field_validator("owner")
    @classmethod
    def _is_somebody(cls, owner: str) -> str:
        if owner in (PRIVATE, SERVICE):  # folders of these names are not a person's
            raise ValueError(f"your own name, not `{owner}`")
        return owner


class TableChoice(Value):
    """A table of redshifts that somebody took in with `tsm put`.

    Columns that are not named are recognised by names, units and values.
    """

    table: Table = Field(title="Table")
    ra: ColumnOf = Field("", title="Column of right ascensions [deg]")
    dec: ColumnOf = Field("", title="Column of declinations [deg]")
    z: ColumnOf = Field("", title="Column of redshifts")
    z_err: ColumnOf = Field("", title="Column of their errors")
    quality: ColumnOf = Field(
        "", title="Column of quality",
        description="0 none, 1 below 70 % confidence, 2 70-90 %, 3 90-99 %, 4 above 99 %.")
    id: ColumnOf = Field("", title="Column of ids")

    @model_validator(mode="after")
    def _all_three_or_none(self) -> TableChoice:
        named = [name for name in ("ra", "dec", "z") if getattr(self, name)]
        if named and len(named) < 3:
            raise ValueError("all of `ra`, `dec` and `z`, or none of them: then they are "
                             "recognised")
        if not named and self.columns:
            raise ValueError("`ra`, `dec` and `z` beside the other columns")
        return self

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are named, by what they hold."""
        roles = ("id", "ra", "dec", "z", "z_err", "quality")
        return {role: name for role in roles if (name := getattr(self, role))}


class CombineChoice(Value):
    """When measurements are of one galaxy, and which may speak for it."""

    preset: Preset = Field(
        "default", title="Preset",
        description="`des` and `crc` follow the Dark Energy Survey and the older pipeline.")
    radius_arcsec: float | None = Field(
        None, gt=0, le=60, description="Measurements this near are of one galaxy. Without it, as "
        "the preset has it: 0.75, des 1.0, crc 0.5.")
    min_quality: Quality = Field(
        Quality.SECURE, title="Lowest quality",
        description="3: at least 90 % confidence in the redshift; 4: 99 %.")
    disagreement: Literal["", "flag", "pick", "keep_all", "drop"] = Field(
        "", title="Where equally good redshifts disagree",
        description="Flag the galaxy, pick one silently, keep all, or drop it; empty: as the "
        "preset has it.")


class PhotometryChoice(Value):
    """Which fluxes become magnitudes, and how the dust of the Milky Way is undone."""

    catalog: Annotated[Name, one_of("catalogs")] = Field(title="Object catalogue")
    flux: tuple[str, ...] = Field(
        ("cModel",), min_length=1, title="Fluxes",
        description="The first gives mag_i, the others mag_i_psf and the like.")
    values: tuple[Quantity, ...] = Field(
        ("magnitude",), title="What is made of them",
        description="AB magnitudes always; fluxes in nJy and asinh magnitudes besides.")
    not_detected: Literal["blank", "limit", "drop"] = Field(
        "blank", title="Where nothing is detected",
        description="No magnitude, the magnitude of the limit, or the row leaves.")
    dust_map: Annotated[Name, one_of("maps")] = Field(
        "sfd", title="Dust map",
        description="`catalog`: its own E(B-V); `none`: magnitudes stay as observed.")
    coefficients: Annotated[Name, one_of("coefficients")] = Field(
        "desc_dc2", title="Extinction coefficients",
        description="R_b = A_b / E(B-V); some go with some maps alone.")

    @field_validator("flux", "values")
    @classmethod
    def _each_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return once(values)


class Part(Value):
    """One side of the split."""

    name: Name = Field(title="Name")
    fraction: float = Field(
        title="Fraction", gt=0, le=1, description="Of the galaxies; all parts sum to 1.")


class SplitChoice(Value):
    """Named parts whose fractions sum to 1; the rows of one galaxy are all in one of them."""

    parts: tuple[Part, ...] = Field(
        tuple(Part(name=name, fraction=fraction)
              for name, fraction in SplitPolicy().fractions.items()),
        min_length=1, title="Parts")
    seed: int = Field(
        2026, ge=0, lt=2**53, title="Seed",
        description="The same seed puts a galaxy into the same part, in every set.")

    @field_validator("parts")
    @classmethod
    def _sum_to_one(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        once(tuple(part.name for part in parts))
        SplitPolicy(fractions={part.name: part.fraction for part in parts})
        return parts


class ResultRequest(Request):
    """What a request for a product says: its name, and where redshifts come from."""

    name: ProductName = Field(
        title="Name of the result",
        description="Lower-case letters, digits, - and _. The same name again is its next version.")
    compilation: Compilation = Field(
        "", title="Compilation", description="Redshifts that were combined before, if any.")
    surveys: tuple[Fetched, ...] = Field(
        (), title="Surveys", description="As the store has them; fetch-surveys brings others.")
    tables: tuple[TableChoice, ...] = Field((), title="Tables of your own")
    combine: CombineChoice = Field(CombineChoice(), title="Combine")
    guarded: bool = Field(
        default=False, title="Latest only if its figures pass", json_schema_extra={LAST: True},
        description="Held against the former version of the name, as a refresh is: rows of each "
        "survey, galaxies with an object, what changed. Else it waits as a candidate.")
    more: str = Field(
        "", title="More, as a recipe says it", max_length=100_000, json_schema_extra={LAST: True},
        description="YAML that is laid over all of the above, such as "
        "`match: {offsets: fit}` or `select: {keep: [mag_i < 25.3]}`.")


class CompilationRequest(ResultRequest):
    """A compilation: one row a galaxy, of all redshifts that are named."""


class TrainingSetRequest(ResultRequest):
    """A training set: redshifts with LSST photometry, split and written for photo-z codes."""

    photometry: PhotometryChoice = Field(title="Photometry")
    match: MatchPolicy = Field(MatchPolicy(), title="Match")
    keep: tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...] = Field(
        (), title="Keep only rows where",
        description="Such as `mag_i < 25.3` or `mag_g - mag_r between -1 and 3`.")
    split: SplitChoice = Field(SplitChoice(), title="Split")
    formats: tuple[Literal["parquet", "hdf5"], ...] = Field(
        ("parquet", "hdf5"), min_length=1, title="Formats",
        description="HDF5 as RAIL reads it, one file a part.")


class Asked(Value):
    """What somebody asks of the service that is for all: whose run it is, for the record."""

    owner: Owner = Field(
        SERVICE, title="Who asks", json_schema_extra={LAST: True},
        description="Your name; the schedule says `service`.")


class FetchRequest(Asked):
    """Surveys, brought into the store from where they are published."""

    surveys: tuple[Survey, ...] = Field(min_length=1, title="Surveys")
    region: Annotated[str, StringConstraints(pattern=REGION)] | None = Field(
        None, title="Region",
        description="A field, `cone RA DEC RADIUS` or `box RA RA DEC DEC` [deg]; else all of it.")
    rows: int | None = Field(None, gt=0, title="Rows", description="At most so many, for a trial.")
    service: Name | None = Field(
        None, title="Service", description="One of those that give the surveys; else the first.")
    policy: FetchPolicy = Field(
        "if-changed", title="When to ask", description="Only for what has changed, always, never.")


class RefreshRequest(Asked):
    """The compilation made anew from what its surveys publish now, and `latest` if it is sound."""

    name: ProductName = Field("specz-compilation", title="Name of the compilation")
    surveys: tuple[Survey, ...] = Field(min_length=1, title="Surveys")
    fetch: FetchPolicy = Field(
        "if-changed", title="When to ask the sources",
        description="Only for what has changed, always, or never: what the store has is used.")
    combine: CombineChoice = Field(CombineChoice(), title="Combine")
    guard: GuardPolicy = Field(
        GuardPolicy(), title="Guard",
        description="What must hold for the result to become `latest`; else it waits.")


class MaintenanceRequest(Asked):
    """Room made in the store, its products compared with what was published, choices renewed."""

    promote: Candidate = Field(
        "", title="Promote", description="A candidate that becomes `latest`: somebody has looked "
        "at its report.")
    collect: bool = Field(
        default=True, title="Delete what nothing needs",
        description="Artifacts that no product names and no running run uses, and what was handed "
        "over of versions that somebody withdrew.")
    keep_days: float = Field(
        7.0, ge=0, le=3650, title="Keep what is younger than [days]",
        description="A run that failed may be begun again, and finds there what it had finished.")
    verify: Literal["none", "latest", "all"] = Field(
        "latest", title="Verify the files of",
        description="No versions, the latest of each product, or all; of what everybody may see.")
    dry_run: bool = Field(default=False, title="Only say what would be deleted")
