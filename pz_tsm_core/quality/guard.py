"""Whether a new version may become `latest` by itself: its figures against those of the former."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.guard import Finding, GuardPolicy, Judgement
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.quality.diff import Diff, compilation_of, diff
from pz_tsm_core.quality.figures import Figures, figures
from pz_tsm_core.store import Store
from pz_tsm_core.store.refusals import LOST

FRACTION = "fraction"

#: Codes of a former version that can tell nothing; waiting or mending makes others good.
_UNREADABLE = LOST | {Code.PRODUCT_NAME}

#: What each figure is called.
TITLES = {
    "survey.rows": "Measurements of {of}",
    "rows.dropped": "Native rows dropped",
    "redshift.repeats": "Scatter of repeats, sigma_NMAD",
    "match.fraction": "Galaxies with an object",
    "checks.failed": "Failed checks of the report",
    "galaxies.added": "Galaxies added",
    "galaxies.removed": "Galaxies removed",
    "galaxies.regrouped": "Galaxies regrouped",
    "redshift.changed": "Galaxies whose redshift changed",
}


def judge(
    store: Store, artifacts: Mapping[str, ArtifactRef], former: ProductVersion | None,
    policy: GuardPolicy,
) -> Judgement:
    """Hold the figures of what would be a version against limits, and against the former version.

    Of a first version only what it must be in itself is asked. A former version that is damaged
    or gone can tell nothing: then a person decides.

    Parameters
    ----------
    artifacts : everything that the version would rest on, by the label of its stage
    former : what is the latest now; None where there is none

    Raises
    ------
    TsmError
        `product.name` when no compilation is among the artifacts; as `Store.batches`.

    Examples
    --------
    The guard that `Products.add` asks::

        store.products.add(name, "compilation", made, "combine",
                           guard=lambda former: judge(store, made, former, policy))
    """
    if COMBINE.name not in artifacts:
        raise refuse(Code.PRODUCT_NAME, "guard", found="no compilation among the artifacts",
                     expected="a compilation, or a training set made with one",
                     remedy="ask a guard about these alone")
    now = figures(store, artifacts)
    before = changed = None
    findings = []
    if former is not None:
        try:
            combined = compilation_of(former)
            before = figures(store, former.artifacts)
            changed = diff(store, combined, artifacts[COMBINE.name], dz=policy.redshift_change)
        except TsmError as error:
            findings.append(_unreadable(former, error))
    findings += [*_surveys(now, before, policy), *_whole(now, before, policy)]
    findings += _differences(changed, policy) if changed else ()
    return Judgement(former=str(former or ""), policy=policy, findings=tuple(findings))


def _unreadable(former: ProductVersion, error: TsmError) -> Finding:
    """What is told of a former version that is not there whole; anything else is an error."""
    if not _UNREADABLE.issuperset(error.codes):
        raise error
    return Finding(name="former.whole", passed=False, words=(
        f"{former} cannot be read ({error.problems[0].found}): nothing is compared"))


def _surveys(now: Figures, before: Figures | None, policy: GuardPolicy) -> Iterator[Finding]:
    """Measurements of each survey; without a former version they are only told."""
    for survey in sorted({*now.rows, *(before.rows if before else ())}):
        rows, limits = now.rows.get(survey, 0), dict[str, Any]()
        if before:
            limits = _limits_of_rows(rows, before.rows.get(survey, 0), policy)
        yield finding("survey.rows", rows, of=survey, **limits)


def _limits_of_rows(rows: int, former: int, policy: GuardPolicy) -> dict[str, Any]:
    if not former:
        return {"former": former, "high": None if policy.new_surveys else 0}
    if not rows:
        return {"former": former, "low": 0 if policy.vanished_surveys else 1}
    leeway = max(policy.survey_rows_few, int(policy.survey_rows_change * former))
    return {"former": former, "low": max(former - leeway, 0), "high": former + leeway}


def _whole(now: Figures, before: Figures | None, policy: GuardPolicy) -> Iterator[Finding]:
    """What is asked of the whole, with a former version or without."""
    if now.dropped is not None:
        former = before.dropped if before else None
        rise = math.inf if former is None else former + policy.dropped_rise
        yield finding("rows.dropped", now.dropped, former=former, unit=FRACTION,
                      high=min(policy.dropped_most, rise))
    yield _repeats(now, before, policy)
    if now.matched is not None:
        former = before.matched if before else None
        fall = 0.0 if former is None else former - policy.matched_fall
        yield finding("match.fraction", now.matched, former=former, unit=FRACTION,
                      low=max(policy.matched_least, fall))
    yield finding("checks.failed", len(now.failed), former=len(before.failed) if before else None,
                  high=policy.failed_checks, more=", ".join(now.failed))


def _repeats(now: Figures, before: Figures | None, policy: GuardPolicy) -> Finding:
    if now.pairs < policy.repeats_few:
        value = None if math.isnan(now.repeats) else now.repeats
        return finding("redshift.repeats", value, more=f"of {now.pairs} pairs: too few to judge")
    former = before.repeats if before and before.pairs >= policy.repeats_few else None
    rise = math.inf if former is None else former * policy.repeats_ratio
    return finding("redshift.repeats", now.repeats, former=former,
                   high=min(policy.repeats_most, rise), more=f"of {now.pairs:,} pairs")


def _differences(changed: Diff, policy: GuardPolicy) -> Iterator[Finding]:
    """What changed from galaxy to galaxy, as shares of the former galaxies."""
    for name, galaxies, most in (
        ("galaxies.added", changed.added, policy.galaxies_added),
        ("galaxies.removed", changed.removed, policy.galaxies_removed),
        ("galaxies.regrouped", changed.regrouped, policy.galaxies_regrouped),
        ("redshift.changed", changed.redshifts, policy.redshifts_changed),
    ):
        yield finding(name, galaxies / max(changed.old_galaxies, 1), high=most, unit=FRACTION,
                      more=f"{galaxies:,} of {changed.old_galaxies:,}")


def finding(
    name: str, value: float | None, *, of: str = "", former: float | None = None,
    low: float | None = None, high: float | None = None, unit: str = "", more: str = "",
) -> Finding:
    """A figure held against its limits; without a value there is nothing to hold."""
    passed = value is None or ((low is None or value >= low) and (high is None or value <= high))
    words = f"{TITLES[name].format(of=of)}: {_told(value, unit)}"
    words += f" ({more})" if more else ""
    words += f", before {_told(former, unit)}" if former is not None else ""
    if not passed:
        words += "; allowed are " + _allowed(low, high, unit)
    return Finding(name=name, of=of, value=value, former=former, low=low, high=high, unit=unit,
                   passed=passed, words=words)


def _allowed(low: float | None, high: float | None, unit: str) -> str:
    ends = [f"at least {_told(low, unit)}"] if low is not None else []
    ends += [f"at most {_told(high, unit)}"] if high is not None else []
    return " and ".join(ends)


def _told(value: float | None, unit: str) -> str:
    if value is None:
        return "none"
    if unit == FRACTION:
        return f"{100 * value:.2f} %"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"
