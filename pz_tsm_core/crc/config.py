"""A configuration as it stands in its file, in either of the two layouts of 2026."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pz_tsm_core.crc.extra import ExtraColumn, extra_columns
from pz_tsm_core.existing.config import (
    Columns,
    Count,
    Executor,
    Inside,
    Name,
    PlainName,
    Read,
    one_of,
)

COMBINE_TYPES = ("concatenate", "concatenate_and_mark_duplicates",
                 "concatenate_and_remove_duplicates")
TIE_TREATMENTS = ("remove_all", "keep_all", "draw_one")
FORMATS = ("parquet", "csv", "hdf5", "fits", "hats")
#: Names that a mapping of columns is expected to have.
STANDARD_NAMES = (
    "id", "ra", "dec", "z", "z_flag", "z_err", "survey", "instrument_type", "object_type", "type",
    "z_flag_homogenized", "instrument_type_homogenized", "object_type_homogenized",
)

_PREFIX = re.compile(r"(\d+)_")


def prefix_of(name: str) -> str:
    """The digits of an internal name that begin every CRD_ID of its catalogue, if it has any."""
    match = _PREFIX.match(name)
    return match[1] if match else ""


def _numbered(value: str) -> str:
    if not prefix_of(value):
        raise ValueError("digits, an underscore and a name, as in 001_survey: the digits begin "
                         "every CRD_ID")
    return value


CombineType = Annotated[str, one_of(*COMBINE_TYPES)]
TieTreatment = Annotated[str, one_of(*TIE_TREATMENTS)]
Shown = Annotated[Literal["always", "auto", "never"], one_of("always", "auto", "never")]
Extra = Annotated[tuple[ExtraColumn, ...], BeforeValidator(extra_columns)]


class _Strict(BaseModel):
    """Base of what the newer layout reads strictly."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Specz(Read):
    """One catalogue.

    Parameters
    ----------
    columns : standard name -> native name
    """

    path: Name
    internal_name: Annotated[str, AfterValidator(_numbered)]
    format: str | None = None
    columns: Columns = Field(default_factory=dict)


class Inputs(Read):
    """The catalogues to combine."""

    specz: Annotated[tuple[Specz, ...], Field(min_length=1)]


class Config(Read):
    """Everything but `param`, which the two layouts spell differently."""

    output_root_dir: Name = "."
    output_dir: Inside = "outputs"
    output_name: PlainName = "crd"
    output_format: Annotated[str, one_of(*FORMATS)] | None = "parquet"
    executor: Executor = Executor()
    inputs: Inputs


class _Any(_Strict):
    """Base of a group of switches of which one at least is on."""

    @model_validator(mode="after")
    def _one_is_on(self) -> Self:
        if not any(self.model_dump().values()):
            raise ValueError("one include_ option at least that is true")
        return self

    @property
    def kept(self) -> frozenset[str]:
        """Kinds that are kept."""
        return frozenset(name.removeprefix("include_")
                         for name, on in self.model_dump().items() if on)


class InstrumentTypes(_Any):
    """Which instrument types are kept."""

    include_spectroscopic: bool = True
    include_grism: bool = True
    include_photometric: bool = True
    include_unclassified: bool = True


class ObjectTypes(_Any):
    """Which object types are kept."""

    include_unclassified: bool = True
    include_galaxy: bool = True
    include_star: bool = False
    include_agn: bool = True
    include_qso: bool = True
    include_galactic: bool = False


class Homogenized(_Strict):
    """Which homogenized columns the product has; `auto` keeps those that decided something."""

    z_flag_homogenized: Shown = "always"
    instrument_type_homogenized: Shown = "always"
    object_type_homogenized: Shown = "always"


class Run(_Strict):
    """`param.run`."""

    combine_type: CombineType = "concatenate_and_mark_duplicates"
    tie_treatment_option: TieTreatment = "remove_all"
    flags_translation_file: Name


class Filters(_Strict):
    """`param.filters`."""

    z_flag_homogenized_value_to_cut: float | None = None
    instrument_type_homogenized: InstrumentTypes = InstrumentTypes()
    object_type_homogenized: ObjectTypes = ObjectTypes()


class Preparation(_Strict):
    """`param.preparation`: how the existing pipeline divides its work; read and left alone."""

    repartition_prepared_catalogs: bool = False
    prepared_partition_size: str = "256MB"


class Diagnostics(_Strict):
    """`param.diagnostics`: what the existing pipeline logs of itself; the last is obeyed."""

    tie_invariant_diagnostics_enabled: bool = True
    tie_invariant_diagnostics_detailed_enabled: bool = False
    tie_invariant_diagnostics_sample_size: Count = 10
    tie_invariant_diagnostics_max_rows: Count = 100
    label_merge_diagnostics_enabled: bool = True
    crossmatch_geometry_diagnostics_enabled: bool = False
    representative_radius_diagnostics_enabled: bool = False
    dedup_edge_diagnostics_enabled: bool = False
    expr_column_schema: dict[str, Any] | None = None
    save_expr_columns: bool | None = None


class Output(_Strict):
    """`param.output`."""

    extra_columns: Extra = ()
    homogenized_columns: Homogenized = Homogenized()
    insert_DP1_footprint_flag: bool | None = None  # noqa: N815 - the key in the file
    insert_rubin_footprint_flag: bool | None = None
    publish_integrity_check: Annotated[str, one_of("basic", "checksum")] = "basic"


class NestedParam(_Strict):
    """`param` of July 2026 and later."""

    run: Run
    filters: Filters = Filters()
    preparation: Preparation = Preparation()
    diagnostics: Diagnostics = Diagnostics()
    output: Output = Output()


class FlatParam(Read):
    """`param` of June 2026, with the keys that July added before it divided them."""

    combine_type: CombineType = "concatenate_and_mark_duplicates"
    tie_treatment_option: TieTreatment = "remove_all"
    flags_translation_file: Name
    z_flag_homogenized_value_to_cut: float | None = None
    extra_columns: Extra = ()
    insert_DP1_footprint_flag: bool | None = None  # noqa: N815 - the key in the file
    insert_rubin_footprint_flag: bool | None = None
    output_homogenized_columns: Homogenized = Homogenized()
    include_spectroscopic_ith: bool = True
    include_grism_ith: bool = True
    include_photometric_ith: bool = True
    include_unclassified_ith: bool = True
    include_unclassified_oth: bool = True
    include_galaxy_oth: bool = True
    include_star_oth: bool = False
    include_agn_oth: bool = True
    include_qso_oth: bool = True
    include_galactic_oth: bool = False
    prepare_max_inflight: Count | None = None
    auto_cross_max_inflight: Count | None = None
    cross_max_inflight: Count | None = None

    def nested(self) -> NestedParam:
        """The same in the newer layout."""
        told = self.model_dump()
        return NestedParam(
            run=Run(combine_type=self.combine_type,
                    tie_treatment_option=self.tie_treatment_option,
                    flags_translation_file=self.flags_translation_file),
            filters=Filters(
                z_flag_homogenized_value_to_cut=self.z_flag_homogenized_value_to_cut,
                instrument_type_homogenized=InstrumentTypes(**_of_kind(told, "_ith")),
                object_type_homogenized=ObjectTypes(**_of_kind(told, "_oth"))),
            output=Output(extra_columns=self.extra_columns,
                          homogenized_columns=self.output_homogenized_columns,
                          insert_DP1_footprint_flag=self.insert_DP1_footprint_flag,
                          insert_rubin_footprint_flag=self.insert_rubin_footprint_flag))

    @model_validator(mode="after")
    def _one_of_each_kind(self) -> Self:
        for ending in ("_ith", "_oth"):
            if not any(_of_kind(self.model_dump(), ending).values()):
                raise ValueError(f"one include_...{ending} at least that is true")
        return self


class Flat(Read):
    """A configuration of June, as far as `param` goes."""

    param: FlatParam


class Nested(Read):
    """A configuration of July, as far as `param` goes."""

    param: NestedParam


def _of_kind(told: Mapping[str, Any], ending: str) -> dict[str, bool]:
    """Switches whose names end so, without their endings."""
    return {name.removesuffix(ending): on for name, on in told.items() if name.endswith(ending)}


def is_nested(param: object) -> bool:
    """Whether `param` is laid out in sections."""
    return isinstance(param, Mapping) and not set(NestedParam.model_fields).isdisjoint(param)
