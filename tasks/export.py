"""Write the training set in the formats that photo-z codes read."""

from __future__ import annotations

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.policy import OutputPolicy, SplitPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import object_column
from pz_tsm_core.model.stages import EXPORT
from pz_tsm_core.store import Draft, Store
from tasks.rows import rows_of
from tasks.stage import stage_task

#: Name of the files, before `.parquet` or `_PART.hdf5`.
STEM = "training_set"


def request(
    training_set: ArtifactRef, output: OutputPolicy, split: SplitPolicy, release: Release
) -> StageRequest:
    """The rows and the formats; not where the files will go."""
    policy = {"formats": sorted(output.formats), "parts": list(split.fractions),
              "object_id": object_column(release.id)}
    return EXPORT.request({"training_set": [training_set]}, policy=policy)


@stage_task(request, label="export")
def export(
    draft: Draft,
    store: Store,
    *,
    training_set: ArtifactRef,
    output: OutputPolicy,
    split: SplitPolicy,
    release: Release,
) -> None:
    """Leave one Parquet file, or one HDF5 file in RAIL's layout for every part, or both."""
    from pz_tsm_core.export.rail import rail_names, write_rail

    schema = store.schema(training_set, "training_set")
    batches = rows_of(store, training_set, "training_set")
    if "parquet" in output.formats:
        draft.write_table(STEM, batches, schema)
    else:
        draft.register_table(STEM, batches, schema)
    if "hdf5" in output.formats:
        counts = write_rail(
            {part: draft.directory / f"{STEM}_{part}.hdf5" for part in split.fractions},
            rows_of(store, training_set, "training_set"),
            schema,
            names=rail_names(schema.names, object_column(release.id)),
            provenance={"training_set": training_set.content},
        )
        draft.count("rows of HDF5 files", counts)
    rows = store.manifest(training_set).table_rows["training_set"]
    draft.rows(taken=rows, given=rows)
