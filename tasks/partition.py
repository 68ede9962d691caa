"""Lay the galaxies out on the sky as HATS."""

from __future__ import annotations

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.policy import PartitionPolicy
from pz_tsm_core.model.stages import PARTITION
from pz_tsm_core.store import Draft, Store
from tasks.stage import stage_task

#: Folder of the collection inside the artifact.
COLLECTION = "galaxies_hats"


def request(combined: ArtifactRef, policy: PartitionPolicy) -> StageRequest:
    """The galaxies and how finely to cut them."""
    return PARTITION.request({"combined": [combined]}, policy=policy.model_dump(mode="json"))


@stage_task(request, label="partition")
def partition(
    draft: Draft, store: Store, *, combined: ArtifactRef, policy: PartitionPolicy
) -> None:
    """Write the galaxies as a HATS collection with margin, sorted by `_healpix_29`."""
    from pz_tsm_core.sky.write import write_table_as_collection

    galaxies = store.read_table(combined, "galaxies")
    write_table_as_collection(
        galaxies,
        draft.directory / COLLECTION,
        "galaxies",
        margin_arcsec=policy.margin_arcsec,
        rows_per_partition=policy.rows_per_partition,
    )
    draft.register_table("galaxies", galaxies.to_batches(), galaxies.schema)
    draft.rows(taken=len(galaxies), given=len(galaxies))
