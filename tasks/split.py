"""Put every galaxy on exactly one side."""

from __future__ import annotations

from collections import Counter

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.policy import SplitPolicy
from pz_tsm_core.model.stages import SPLIT
from pz_tsm_core.store import Draft, Store
from tasks.rows import rows_of
from tasks.stage import stage_task


def request(corrected: ArtifactRef, policy: SplitPolicy) -> StageRequest:
    """The rows, the seed, and the named fractions in their order."""
    fractions = [[name, fraction] for name, fraction in policy.fractions.items()]
    return SPLIT.request(
        {"corrected": [corrected]}, policy={"seed": policy.seed, "fractions": fractions}
    )


@stage_task(request, label="split")
def split(draft: Draft, store: Store, *, corrected: ArtifactRef, policy: SplitPolicy) -> None:
    """Append column `split`, a hash of the galaxy alone."""
    from pz_tsm_core.ops.split import split_batches

    parts = Counter(dict.fromkeys(policy.fractions, 0))
    surveys: Counter[str] = Counter()
    batches = split_batches(
        rows_of(store, corrected, "corrected"), policy, parts=parts, surveys=surveys
    )
    rows = draft.write_table("training_set", batches)
    draft.rows(taken=rows, given=rows)
    draft.count("split", parts)
    draft.count("galaxies by survey", surveys)
