"""How measurements become galaxies: what belongs together, who speaks, what a conflict does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.policy import Name
from pz_tsm_core.model.quality import STELLAR, ObjectClass, Quality

#: What one measurement may have over another.
Criterion = Literal[
    "quality", "instrument_type", "survey_rank", "z_err", "year", "snr", "separation"
]
Preset = Literal["default", "des", "crc"]


class PositionErrors(Value):
    """A radius for every pair, from the errors of its two positions.

    Two measurements belong together when they are at most `sigmas` times the square root of
    sigma_1^2 + sigma_2^2 apart, never farther than `combine.radius_arcsec` and always within
    `smallest_arcsec`.

    Parameters
    ----------
    default_arcsec : sigma of a measurement that states none
    """

    sigmas: float = Field(default=3.0, gt=0, le=10)
    default_arcsec: float = Field(default=0.2, gt=0, le=60)
    smallest_arcsec: float = Field(default=0.1, gt=0, le=60)


class Agreement(Value):
    """When two redshifts are the same.

    Parameters
    ----------
    dz : largest difference
    scaled : whether the difference is divided by 1 + z before
    chained : whether a third redshift between two that are farther apart joins them; never by our
        own choice, but so does the pipeline that the preset `crc` follows
    """

    dz: float = Field(default=0.01, ge=0, le=10)
    scaled: bool = True
    chained: bool = False


class CombinePolicy(Value):
    """When measurements are of one galaxy, and which of them speaks for it.

    Parameters
    ----------
    preset : where the fields that are not given come from (docs/adr/016)
    radius_arcsec : two measurements at most so far apart belong together, and through them others
    survey_radius_arcsec : another radius for some surveys; of a pair the larger holds
    position_errors : a radius for every pair instead, up to `radius_arcsec`
    max_extent_arcsec : how far a member may be from the best of its group; without it twice the
        radius
    chains : groups that are larger are counted as they are, or split around their best
    min_quality, exclude_classes : what may not speak for a galaxy
    ineligible : whether what may not speak still belongs to a group, or stands apart
    prefer : criteria by which measurements are ranked, the first decides first
    among_equals : criteria among those of one rank; the smaller row_id decides in the end
    survey_rank : surveys in the order of trust, before all others; the ranks that the surveys'
        definitions give come after it
    agreement : when the redshifts of equal rank agree; none: it is not asked
    disagreement : what happens where they do not. flag: the best of them speaks, and the galaxy is
        marked; pick: it is not marked; keep_all: one of each redshift stays; drop: none does
    average : whether the galaxy gets the error-weighted mean of the redshifts that agree
    mode : remove keeps those that speak, mark all that may, concatenate groups nothing
    """

    preset: Preset = "default"
    radius_arcsec: float = Field(default=0.75, gt=0, le=60)
    survey_radius_arcsec: dict[Name, float] = Field(default_factory=dict)
    position_errors: PositionErrors | None = None
    max_extent_arcsec: float | None = Field(default=None, gt=0, le=600)
    chains: Literal["flag", "split"] = "flag"
    min_quality: Quality = Quality.SECURE
    exclude_classes: frozenset[ObjectClass] = STELLAR
    ineligible: Literal["grouped", "apart"] = "grouped"
    prefer: tuple[Criterion, ...] = ("quality", "instrument_type", "survey_rank")
    among_equals: tuple[Criterion, ...] = ("z_err", "year", "snr", "separation")
    survey_rank: tuple[Name, ...] = ()
    agreement: Agreement | None = Agreement()
    disagreement: Literal["flag", "pick", "keep_all", "drop"] = "flag"
    average: bool = False
    mode: Literal["remove", "mark", "concatenate"] = "remove"

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        known = PRESETS.get(str(given.get("preset"))) if isinstance(given, Mapping) else None
        return {**known, **given} if known else given

    @field_validator("survey_radius_arcsec")
    @classmethod
    def _radii(cls, radii: dict[str, float]) -> dict[str, float]:
        if wrong := [key for key, radius in radii.items() if not 0 < radius <= 60]:
            raise ValueError("a radius in (0, 60] arcsec for " + ", ".join(wrong))
        return radii

    @model_validator(mode="after")
    def _every_criterion_once(self) -> Self:
        named = [*self.prefer, *self.among_equals]
        if len(set(named)) < len(named):
            raise ValueError("every criterion once, in `prefer` or in `among_equals`")
        return self

    @model_validator(mode="after")
    def _mean_of_what_agrees(self) -> Self:
        if self.average and self.agreement is None:
            raise ValueError("an `agreement` beside `average`: the mean is of what agrees")
        return self

    @model_validator(mode="after")
    def _one_kind_of_radius(self) -> Self:
        errors = self.position_errors
        if errors and self.survey_radius_arcsec:
            raise ValueError("either `position_errors` or `survey_radius_arcsec`")
        if errors and errors.smallest_arcsec > self.radius_arcsec:
            raise ValueError("`position_errors.smallest_arcsec` at most `radius_arcsec`")
        if self.max_extent_arcsec and self.max_extent_arcsec < self.largest_radius_arcsec:
            raise ValueError("`max_extent_arcsec` not below the largest radius")
        return self

    @property
    def largest_radius_arcsec(self) -> float:
        """No two measurements farther apart are linked."""
        return max(self.radius_arcsec, *self.survey_radius_arcsec.values(), 0.0)

    @property
    def extent_arcsec(self) -> float:
        """How far a member may be from the best of its group."""
        return self.max_extent_arcsec or 2 * self.largest_radius_arcsec

    @field_serializer("exclude_classes")
    def _in_order(self, classes: frozenset[ObjectClass]) -> list[str]:
        return sorted(classes)  # a set has no order; the address of a stage needs one


#: What a preset says of fields that are not given; argued in docs/adr/016.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Gschwend et al. 2018 (arXiv:1708.05643): flag, then error, then the newest survey.
    "des": {
        "radius_arcsec": 1.0, "prefer": ("quality",), "among_equals": ("z_err", "year"),
        "agreement": None, "disagreement": "pick",
    },
    # linea-it/pzserver_combine_redshift_dedup, June 2026, with its rule file's parameters.
    "crc": {
        "radius_arcsec": 0.5, "ineligible": "apart", "prefer": ("quality", "instrument_type"),
        "among_equals": (), "agreement": {"dz": 0.001, "scaled": False, "chained": True},
        "disagreement": "drop",
    },
}
