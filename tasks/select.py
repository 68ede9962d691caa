"""Let go of rows that do not pass the cuts of the recipe."""

from __future__ import annotations

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.photometry import SelectPolicy
from pz_tsm_core.model.stages import SELECT
from pz_tsm_core.store import Draft, Store
from tasks.rows import rows_of
from tasks.stage import stage_task


def request(corrected: ArtifactRef, policy: SelectPolicy) -> StageRequest:
    """The rows, the formulas and the cuts in their order."""
    columns = [[name, formula] for name, formula in policy.columns.items()]
    return SELECT.request({"corrected": [corrected]},
                          policy={"columns": columns, "keep": list(policy.keep)})


@stage_task(request, label="select")
def select(draft: Draft, store: Store, *, corrected: ArtifactRef, policy: SelectPolicy) -> None:
    """Append the computed columns and keep the rows of which every cut is true."""
    from pz_tsm_core.ops.selection import Kept, select_batches

    kept = Kept()
    batches = rows_of(store, corrected, "corrected")
    # Under the name that `correct` uses: the next stage reads either.
    draft.write_table("corrected", select_batches(batches, policy, kept=kept))
    draft.rows(taken=kept.taken, given=kept.given, dropped=kept.dropped)
