"""Find the LSST objects near every galaxy."""

from __future__ import annotations

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.pins import CatalogPin
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.stages import NEIGHBORS
from pz_tsm_core.store import Draft, Store
from tasks.partition import COLLECTION
from tasks.stage import stage_task

#: What of the policy says which objects are near; the rest chooses among them.
_READ = {"radius_arcsec", "min_radius_arcsec", "n_neighbors", "offsets", "engine"}


def request(
    *, galaxies: ArtifactRef, catalog: CatalogPin, release: Release, policy: MatchPolicy
) -> StageRequest:
    """The galaxies, the pinned catalogue, which columns say where its objects are, and how far."""
    return NEIGHBORS.request(
        {"galaxies": [galaxies]},
        data={"catalog": catalog.digest},
        policy={**policy.model_dump(mode="json", include=_READ), "id": release.id,
                "ra": release.ra, "dec": release.dec, "primary": release.primary_filter},
        access=catalog.access,
    )


@stage_task(request, label="neighbors")
def neighbors(
    draft: Draft,
    store: Store,
    *,
    galaxies: ArtifactRef,
    catalog: CatalogPin,
    release: Release,
    policy: MatchPolicy,
    cluster: ClusterPolicy,
) -> None:
    """Search the catalogue's pixels; where that is done has no say in the result."""
    from pz_tsm_core.sky.neighbors import find_neighbors
    from pz_tsm_core.sky.objects import open_objects

    found = find_neighbors(
        open_objects(store.directory(galaxies) / COLLECTION).tables, open_objects(catalog.path),
        release=release, policy=policy, cluster=cluster,
    )
    draft.write_table("neighbors", found.table.to_batches(), found.table.schema)
    draft.note("offsets", {survey: offset._asdict() for survey, offset in found.offsets.items()})
    draft.note("chance", found.chance.model_dump())
