"""Give every galaxy its LSST object."""

from __future__ import annotations

import shutil
from pathlib import Path

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
    catalog: CatalogPin,
    release: Release,
    policy: MatchPolicy,
) -> StageRequest:
    """The galaxies, the pinned catalogue, which of its columns, and how to match."""
    return CROSSMATCH.request(
        {"galaxies": [galaxies]},
        data={"catalog": catalog.digest, "release": release.digest},
        policy={**policy.model_dump(mode="json"), "columns": list(catalog.columns)},
        access=catalog.access,
    )


@stage_task(request, label="crossmatch")
def crossmatch(
    draft: Draft,
    store: Store,
    *,
    galaxies: ArtifactRef,
    catalog: CatalogPin,
    release: Release,
    policy: MatchPolicy,
    cluster: ClusterPolicy,
) -> None:
    """Match through LSDB on Dask; where Dask runs has no say in the result."""
    from pz_tsm_core.sky.match import crossmatch as match

    scratch = draft.directory / "scratch"
    scratch.mkdir()
    matched = match(
        store.directory(galaxies) / COLLECTION,
        Path(catalog.path),
        release=release,
        columns=catalog.columns,
        policy=policy,
        cluster=cluster,
        scratch=scratch,
    )
    written = draft.write_table("matches", matched.batches, matched.schema)
    draft.rows(matched.rows.taken, written, matched.rows.dropped)
    shutil.rmtree(scratch)
