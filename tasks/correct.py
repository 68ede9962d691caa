"""Turn the fluxes of what matched into dereddened magnitudes."""

from __future__ import annotations

from collections import Counter

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.pins import DustPin
from pz_tsm_core.model.policy import PhotometryPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.stages import CORRECT
from pz_tsm_core.store import Draft, Store
from tasks.stage import stage_task


def request(
    matches: ArtifactRef, release: Release, policy: PhotometryPolicy, dust: DustPin
) -> StageRequest:
    """The matches, the photometric policy, and the bytes of dust map and coefficients."""
    # Where the dust map lies has no say in what it holds.
    choices = policy.model_dump(mode="json", exclude={"dereddening": {"directory"}})
    return CORRECT.request(
        {"matches": [matches]}, data={"release": release.digest, **dust.digests}, policy=choices
    )


@stage_task(request, label="correct")
def correct(
    draft: Draft,
    store: Store,
    *,
    matches: ArtifactRef,
    release: Release,
    policy: PhotometryPolicy,
    dust: DustPin,
) -> None:
    """Append E(B-V), magnitudes and their errors, batch by batch."""
    from pz_tsm_core.dust import open_dust
    from pz_tsm_core.ops.photometry import correct_batches

    batches = store.batches(matches, "matches")
    without: Counter[str] = Counter()
    corrected = correct_batches(batches, release, policy, open_dust(dust.choice), without=without)
    rows = draft.write_table("corrected", corrected)
    draft.count("rows without magnitude", without)
    draft.rows(taken=rows, given=rows)
