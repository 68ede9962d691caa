"""Give every galaxy its LSST object."""

from __future__ import annotations

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.pins import CatalogPin
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.stages import CROSSMATCH
from pz_tsm_core.store import Draft, Store
from tasks.partition import COLLECTION
from tasks.stage import stage_task


def request(
    *,
    galaxies: ArtifactRef,
    near: ArtifactRef,
    catalog: CatalogPin,
    release: Release,
    policy: MatchPolicy,
) -> StageRequest:
    """The galaxies and the objects near them, which columns of these, and how to choose."""
    return CROSSMATCH.request(
        {"galaxies": [galaxies], "near": [near]},
        data={"catalog": catalog.digest, "release": release.digest},
        policy={"unique": policy.unique, "how": policy.how, "columns": list(catalog.columns)},
        access=catalog.access,
    )


@stage_task(request, label="crossmatch")
def crossmatch(
    draft: Draft,
    store: Store,
    *,
    galaxies: ArtifactRef,
    near: ArtifactRef,
    catalog: CatalogPin,
    release: Release,
    policy: MatchPolicy,
    cluster: ClusterPolicy,
) -> None:
    """Choose among the neighbours and bring the columns of what was chosen."""
    from pz_tsm_core.sky.match import crossmatch as match
    from pz_tsm_core.sky.objects import open_objects

    matched = match(
        open_objects(store.directory(galaxies) / COLLECTION).tables,
        open_objects(catalog.path),
        store.read_table(near, "neighbors"),
        release=release,
        columns=catalog.columns,
        policy=policy,
        cluster=cluster,
        n_galaxies=store.manifest(galaxies).table_rows["galaxies"],
    )
    draft.write_table("matches", matched.batches, matched.schema)
    rows = matched.rows
    draft.rows(rows.taken, rows.given, rows.dropped, rows.added)
