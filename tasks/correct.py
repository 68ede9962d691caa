"""Turn the fluxes of what matched into dereddened magnitudes."""

from __future__ import annotations

from typing import Any

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.photometry import NJY_ZERO_POINT, PhotometryPolicy
from pz_tsm_core.model.pins import DustPin
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.stages import CORRECT
from pz_tsm_core.store import Draft, Store
from tasks.rows import rows_of
from tasks.stage import stage_task


def request(
    matches: ArtifactRef, release: Release, policy: PhotometryPolicy, dust: DustPin
) -> StageRequest:
    """The matches, the photometric policy, and the bytes of dust map and coefficients."""
    # Where the dust map lies has no say in what it holds.
    hidden: dict[str, Any] = {"dereddening": {"directory"}}
    if "asinh" not in policy.values:
        hidden["softening_njy"] = True
    choices = policy.model_dump(mode="json", exclude=hidden)
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
    from pz_tsm_core.ops.photometry import Account, correct_batches
    from pz_tsm_core.ops.selection import require_rows

    account = Account()
    batches = rows_of(store, matches, "matches")
    draft.write_table("corrected", correct_batches(
        batches, release, policy, open_dust(dust.choice), account=account))
    require_rows("photometry", account.taken, account.given, account.dropped)
    for what, bands in account.counts.items():
        draft.count(what, bands)
    if policy.zero_point != NJY_ZERO_POINT:
        draft.note("zero_point", f"{policy.zero_point} as the recipe says; {NJY_ZERO_POINT} is AB "
                                 "for nJy")
    draft.rows(taken=account.taken, given=account.given, dropped=account.dropped)
