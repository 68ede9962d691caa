"""When a result may become `latest` by itself, and what was found when it was asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from pz_tsm_core.model.artifact import Value

#: A share of one, 0 to 1; 1 as a limit refuses nothing.
Share = Annotated[float, Field(ge=0, le=1)]

#: Both are kept as JSON, which has neither NaN nor infinity.
_FINITE = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class GuardPolicy(Value):
    """By how much a new version may differ from the former one, and what it must be in itself.

    What these limits refuse waits as a candidate until somebody promotes it. Shares are of one:
    0.1 is 10 %.
    """

    model_config = _FINITE

    survey_rows_change: float = Field(
        0.1, ge=0, le=1e6, title="Change of a survey's rows",
        description="Most that a survey may gain or lose, as a share of its former measurements.")
    survey_rows_few: int = Field(
        100, ge=0, title="Rows that do not matter",
        description="Of a survey that both versions have: to gain or lose so many always passes.")
    new_surveys: bool = Field(
        default=True, title="Surveys may come",
        description="Whether surveys that the former version has not may be in it.")
    vanished_surveys: bool = Field(
        default=False, title="Surveys may vanish",
        description="Whether surveys of the former version may be missing.")
    dropped_most: Share = Field(
        0.8, title="Rows dropped",
        description="Largest share of native rows that may be dropped as no redshift at all.")
    dropped_rise: Share = Field(
        0.05, title="Rise of rows dropped",
        description="Most by which that share may exceed the former one.")
    repeats_most: float = Field(
        0.005, gt=0, title="Scatter of repeats",
        description="Largest sigma_NMAD of dz / (1 + z) between two good measurements of a galaxy.")
    repeats_ratio: float = Field(
        1.5, ge=1, le=1e6, title="Rise of the scatter of repeats",
        description="Most by which sigma_NMAD may exceed the former one, as a factor.")
    repeats_few: int = Field(
        50, ge=1, title="Repeats that tell something",
        description="With fewer pairs of measurements their scatter is not judged.")
    matched_least: Share = Field(
        0.0, title="Galaxies with an object",
        description="Smallest share of galaxies with an object; for training sets.")
    matched_fall: Share = Field(
        0.05, title="Fall of galaxies with an object",
        description="Most by which that share may be below the former one; for training sets.")
    galaxies_added: float = Field(
        0.2, ge=0, le=1e6, title="Galaxies added",
        description="Most galaxies that may be new, as a share of the former galaxies.")
    galaxies_removed: Share = Field(
        0.02, title="Galaxies removed",
        description="Most galaxies that may be gone, as a share of the former galaxies.")
    galaxies_regrouped: Share = Field(
        0.02, title="Galaxies regrouped",
        description="Most former galaxies whose measurements may have come into another galaxy.")
    redshift_change: float = Field(
        0.005, ge=0, title="Redshift that counts as changed",
        description="By how much the redshift of a galaxy must differ, over 1 + z.")
    redshifts_changed: Share = Field(
        0.02, title="Redshifts changed",
        description="Most galaxies whose redshift may so differ, as a share of the former ones.")
    failed_checks: int = Field(
        0, ge=0, title="Failed checks",
        description="Most checks of the report that may say that the result must not be used.")


class Finding(Value):
    """One figure of a new version, held against its limits.

    Parameters
    ----------
    name : of the figure, as docs/reference/guard.md lists them
    of : the survey that it is of; empty for the whole
    value, former : of this and of the former version; None where there is none
    low, high : the limits; None for no limit
    unit : as in `quality.definitions`
    words : for people: what is wrong, or why nothing is
    """

    model_config = _FINITE

    name: str
    of: str = ""
    value: float | None = None
    former: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    passed: bool
    words: str = ""


class Judgement(Value):
    """What a guard found; kept with the version that it was asked about.

    Parameters
    ----------
    former : the version that was `latest`, as `NAME@7`; empty for the first one
    """

    former: str = ""
    policy: GuardPolicy = GuardPolicy()
    findings: tuple[Finding, ...] = ()

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What did not pass."""
        return tuple(finding for finding in self.findings if not finding.passed)

    @property
    def passed(self) -> bool:
        """Whether the version may become `latest` by itself."""
        return not self.failed
