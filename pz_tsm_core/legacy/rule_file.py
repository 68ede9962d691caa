"""What a `flags_translation.yaml` says: parameters, and rules for the flags of each survey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pz_tsm_core.model.artifact import Value
from pz_tsm_core.rules import Expression

#: A homogenized value: a quality (0 to 4, and 6 in the older scale), a letter or word, or none.
Outcome = float | str | None
#: A native value that is mapped, as it stands in YAML.
Raw = int | float | str | bool

#: Quality of a star in the older scale.
STAR = 6.0


class Dialect(StrEnum):
    """The two ways in which rule files of 2026 are written."""

    JUNE = "2026-06"
    NEWER = "2026-07"


class Output(StrEnum):
    """What rules decide, called as the standard column that it is made from."""

    Z_FLAG = "z_flag"
    INSTRUMENT_TYPE = "instrument_type"
    OBJECT_TYPE = "object_type"

    @property
    def column(self) -> str:
        """The column that holds the outcome."""
        return f"{self}_homogenized"

    @property
    def block(self) -> str:
        """The key of its rules in a file."""
        return f"{self}_translation"

    def domain(self, dialect: Dialect) -> tuple[float | str, ...]:
        """Every outcome that there may be."""
        if self is Output.INSTRUMENT_TYPE:
            return ("s", "g", "p")
        if self is Output.OBJECT_TYPE:
            return ("star", "galactic", "qso", "agn", "galaxy")
        star = (STAR,) if dialect is Dialect.JUNE else ()
        return (0.0, 1.0, 2.0, 3.0, 4.0, *star)


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


Dtype = Annotated[
    Literal["str", "string", "float", "float64", "double", "int", "int64", "bool", "boolean"],
    BeforeValidator(_lower),
]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Parameters(Value):
    """Everything in a rule file but the rules; None where the file does not say.

    Lengths are in arcsec. What a key means is told in docs/adr/011-existing-rule-files.md.
    """

    tiebreaking_priority: tuple[str, ...] | None = None
    instrument_type_priority: dict[str, float] | None = None
    delta_z_threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    crossmatch_radius_arcsec: Size | None = None
    crossmatch_n_neighbors: Count | None = None
    crossmatch_saturation_enabled: bool | None = None
    crossmatch_saturation_warn_fraction: Share | None = None
    crossmatch_saturation_fail_fraction: Share | None = None
    max_representative_radius_arcsec: Size | None = None
    margin_threshold_arcsec: Size | None = None
    margin_warning_fraction: Share | None = None
    validate_global_graph_edges: bool | None = None
    validate_global_tie_invariants: bool | None = None
    validate_crd_id_uniqueness: bool | None = None
    repartition_prepared_catalogs: bool | None = None
    prepared_partition_size: str | None = None
    tie_invariant_diagnostics_enabled: bool | None = None
    tie_invariant_diagnostics_detailed_enabled: bool | None = None
    tie_invariant_diagnostics_sample_size: Count | None = None
    tie_invariant_diagnostics_max_rows: Count | None = None
    label_merge_diagnostics_enabled: bool | None = None
    crossmatch_geometry_diagnostics_enabled: bool | None = None
    representative_radius_diagnostics_enabled: bool | None = None
    dedup_edge_diagnostics_enabled: bool | None = None
    save_expr_columns: bool | None = None
    expr_column_schema: dict[str, Dtype | None] | None = None
    runtime_schema_hints: dict[str, Dtype] | None = None


@dataclass(frozen=True)
class Condition:
    """A condition and what follows from it.

    Parameters
    ----------
    expression : its text in Python, and its tree as long as no table is known
    columns : those that the text reads
    """

    expression: Expression
    columns: frozenset[str]
    outcome: Outcome


@dataclass(frozen=True)
class Block:
    """The rules of one survey for one output.

    Parameters
    ----------
    where : file, line and key, for messages
    source : the column whose values are mapped; the output's own where it is not named
    values : native value -> outcome; a null outcome leaves the default
    conditions : of those that hold, the last decides, over the values and the default
    """

    output: Output
    where: str
    source: str
    values: tuple[tuple[Raw, Outcome], ...] = ()
    conditions: tuple[Condition, ...] = ()
    default: Outcome = None
    optional_source: bool = False
    allow_condition_overlap: bool = False
    fast_path: Literal["auto", "disabled", "required"] = "auto"

    @property
    def columns(self) -> frozenset[str]:
        """Every column that may be read."""
        return frozenset({self.source}).union(*(each.columns for each in self.conditions))


@dataclass(frozen=True)
class RuleFile:
    """A rule file, read whole: every expression in it has a translation.

    Parameters
    ----------
    rules : survey in capitals -> output -> block
    """

    name: str
    dialect: Dialect
    parameters: Parameters
    rules: Mapping[str, Mapping[Output, Block]]

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What a homogenized table gets."""
        objects = (Output.OBJECT_TYPE,) if self.dialect is Dialect.NEWER else ()
        return (Output.Z_FLAG, Output.INSTRUMENT_TYPE, *objects)

    def requires(self, output: Output) -> bool:
        """Whether a table without the output is of no use: ties are decided by it."""
        if self.parameters.tiebreaking_priority is None:
            return output is not Output.OBJECT_TYPE
        return output.column in self.parameters.tiebreaking_priority
