"""Lay the galaxies out on the sky as HATS."""

from __future__ import annotations

from functools import partial

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.policy import ClusterPolicy, PartitionPolicy
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
    draft: Draft,
    store: Store,
    *,
    combined: ArtifactRef,
    policy: PartitionPolicy,
    cluster: ClusterPolicy,
) -> None:
    """Write the galaxies as a HATS collection with margin, sorted by `_healpix_29`."""
    from pz_tsm_core.sky.layout import lay_out
    from pz_tsm_core.sky.write import Collection

    schema = store.schema(combined, "galaxies")
    collection = Collection(draft.directory / COLLECTION, "galaxies", schema, "ra", "dec",
                            policy.margin_arcsec)
    written = lay_out(partial(store.batches, combined, "galaxies"), collection,
                      rows_per_partition=policy.rows_per_partition, workers=cluster.workers)
    rows = draft.register_table("galaxies", written, schema)
    draft.rows(taken=rows, given=rows)
