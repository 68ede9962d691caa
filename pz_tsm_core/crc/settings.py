"""What a configuration and its rule file ask for together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pz_tsm_core.crc.config import Homogenized, NestedParam
from pz_tsm_core.crc.extra import ExtraColumn
from pz_tsm_core.legacy import Dialect, Output, RuleFile

#: Letters and words of the homogenized columns, by the switches that keep them.
INSTRUMENTS = {"spectroscopic": "s", "grism": "g", "photometric": "p"}
OBJECTS = {name: name for name in ("galaxy", "star", "agn", "qso", "galactic")}
UNCLASSIFIED = "unclassified"

#: Radius in arcsec where the rule file names none.
_RADIUS = {True: 0.5, False: 0.75}
_CUTS = {True: (1, 2, 3, 4), False: (1, 2, 3, 4, 5, 6)}


@dataclass(frozen=True)
class Settings:
    """Everything that decides the product.

    Parameters
    ----------
    newer : whether the semantics are those of July 2026 and later
    combine, ties : `combine_type` and `tie_treatment_option`
    cut : smallest `z_flag_homogenized` that is kept; None for all
    instruments, objects : kinds that are kept; None for all
    priority : columns whose largest value wins, the most important first
    instrument_rank : rank of each instrument type
    reach_arcsec : how far a group may extend from its best measurement; None for any
    """

    newer: bool
    combine: str
    ties: str
    cut: float | None
    instruments: frozenset[str] | None
    objects: frozenset[str] | None
    homogenized: Homogenized
    extra: tuple[ExtraColumn, ...]
    dp1_fields: bool
    lsst_footprint: bool
    expression_columns: bool
    priority: tuple[str, ...]
    instrument_rank: Mapping[str, float]
    radius_arcsec: float
    delta_z: float
    reach_arcsec: float | None

    @property
    def matches(self) -> bool:
        """Whether duplicates are looked for."""
        return self.combine != "concatenate"

    @property
    def removes(self) -> bool:
        """Whether duplicates are left out of the product."""
        return self.combine == "concatenate_and_remove_duplicates"

    @property
    def own_priority(self) -> tuple[str, ...]:
        """Columns of the catalogues themselves that decide ties."""
        return tuple(name for name in self.priority
                     if name not in (Output.Z_FLAG.column, Output.INSTRUMENT_TYPE.column))

    def uses(self, output: Output) -> bool:
        """Whether a homogenized column decides which rows there are, or how ties end."""
        filtered = {Output.Z_FLAG: self.cut, Output.INSTRUMENT_TYPE: self.instruments,
                    Output.OBJECT_TYPE: self.objects}
        return output.column in self.priority or filtered[output] is not None


def settings_of(
    param: NestedParam, rules: RuleFile, *, nested: bool
) -> tuple[Settings, tuple[str, ...]]:
    """What is asked for, and remarks on what is asked in vain.

    The newer semantics hold where `param` has the newer layout, or the rules are of July 2026.
    """
    newer = nested or rules.dialect is Dialect.NEWER
    told, filters, output = rules.parameters, param.filters, param.output
    cut, remarks = _cut(filters.z_flag_homogenized_value_to_cut, newer=newer)
    kept = (filters.instrument_type_homogenized.kept, filters.object_type_homogenized.kept)
    all_kinds = ({*INSTRUMENTS, UNCLASSIFIED}, {*OBJECTS, UNCLASSIFIED})
    instruments, objects = (
        None if not newer or kinds == every else kinds
        for kinds, every in zip(kept, all_kinds, strict=True))
    rubin, saved = output.insert_rubin_footprint_flag, param.diagnostics.save_expr_columns
    return Settings(
        newer=newer, combine=param.run.combine_type, ties=param.run.tie_treatment_option,
        cut=cut, instruments=instruments, objects=objects, homogenized=output.homogenized_columns,
        extra=output.extra_columns, dp1_fields=bool(output.insert_DP1_footprint_flag),
        # June's code flags the footprint unless told otherwise; July's only when told.
        lsst_footprint=not newer if rubin is None else rubin,
        expression_columns=bool(told.save_expr_columns if saved is None else saved),
        priority=told.tiebreaking_priority or (),
        instrument_rank={kind.strip().lower(): float(int(rank))
                         for kind, rank in (told.instrument_type_priority or {}).items()},
        radius_arcsec=told.crossmatch_radius_arcsec or _RADIUS[newer],
        delta_z=told.delta_z_threshold or 0.0,
        reach_arcsec=told.max_representative_radius_arcsec if newer else None,
    ), remarks


def _cut(value: float | None, *, newer: bool) -> tuple[float | None, tuple[str, ...]]:
    """The cut on quality if it is one, and a remark if it is none and not 0 either."""
    if not value:
        return None, ()
    if value in _CUTS[newer]:
        return value, ()
    choices = ", ".join(map(str, _CUTS[newer]))
    remark = f"z_flag_homogenized_value_to_cut: {value:g} is none of {choices}; no row is cut"
    return None, (remark,)
