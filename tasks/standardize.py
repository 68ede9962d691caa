"""Bring a native table to the standard columns."""

from __future__ import annotations

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.policy import StandardizePolicy
from pz_tsm_core.model.stages import STANDARDIZE
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.store import Draft, Store
from tasks.stage import stage_task


def request(native: ArtifactRef, survey: Survey, policy: StandardizePolicy) -> StageRequest:
    """The native rows, the survey's definition, and what to do with bad positions."""
    return STANDARDIZE.request(
        {"native": [native]},
        data={"survey": survey.digest},
        policy=policy.model_dump(mode="json"),
    )


@stage_task(request, label="standardize {survey.key}")
def standardize(
    draft: Draft, store: Store, *, native: ArtifactRef, survey: Survey, policy: StandardizePolicy
) -> None:
    """Apply the survey's columns and rules; count what each rule decided, and what none did."""
    from pz_tsm_core.ops.standardize import standardize as to_standard

    done = to_standard(
        store.read_table(native, "native"), survey, bad_positions=policy.bad_positions
    )
    draft.write_table("measurements", done.table)
    draft.rows(done.rows.taken, done.rows.given, done.rows.dropped)
    draft.count("rules", done.rule_hits)
    draft.count("otherwise", done.undecided)
    told = {"key", "name", "facility", "release", "year", "citation", "acknowledgement"}
    draft.note("survey", survey.model_dump(mode="json", include=told))
