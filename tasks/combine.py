"""Group the measurements of all surveys into galaxies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.store import Draft, Store
from tasks.stage import stage_task

if TYPE_CHECKING:
    import pyarrow as pa


def request(
    measurements: list[ArtifactRef], compilation: ArtifactRef | None, policy: CombinePolicy
) -> StageRequest:
    """All measurements, those of an earlier compilation among them, and the policy."""
    inputs = [*measurements, *([compilation] if compilation else [])]
    told = policy.model_dump(mode="json")
    if policy.preset == "crc":  # whose ids count the inputs in their order
        told["inputs"] = [ref.content for ref in inputs]
    return COMBINE.request({"measurements": inputs}, policy=told)


@stage_task(request, label="combine")
def combine(
    draft: Draft,
    store: Store,
    *,
    measurements: list[ArtifactRef],
    compilation: ArtifactRef | None,
    policy: CombinePolicy,
    cluster: ClusterPolicy,
) -> None:
    """Leave measurements with reasons, galaxies and pairs, each in the order of the sky.

    Where parts of the sky are settled has no say in the result.
    """
    from pz_tsm_core.model.schema import CRD_SCHEMA, GALAXY_SCHEMA, PAIR_SCHEMA, RESOLVED_SCHEMA
    from pz_tsm_core.sky.combine import CombinedStream

    inputs = [*measurements, *([compilation] if compilation else [])]
    combined = CombinedStream(
        [partial(_measurements, store, ref) for ref in inputs], policy, cluster)
    by_survey = Counter[str]()
    schemas = {"measurements": RESOLVED_SCHEMA, "galaxies": GALAXY_SCHEMA, "pairs": PAIR_SCHEMA}
    if policy.preset == "crc":
        schemas["crd"] = CRD_SCHEMA
    with ExitStack() as open_tables:
        write = {name: open_tables.enter_context(draft.writing(name, schema))
                 for name, schema in schemas.items()}
        for settled, digests in combined.parts():
            for name, table in settled.tables.items():
                write[name](table, digests[name])
            by_survey.update(settled.surveys)
    rows = combined.rows()
    draft.rows(rows.taken, rows.given, rows.dropped)
    draft.note("surveys", _surveys(store, inputs))
    draft.count("galaxies by survey", by_survey)
    draft.count("groups", combined.counts)


def _measurements(
    store: Store, ref: ArtifactRef, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Standard columns of an artifact; those that are younger than it are null."""
    import pyarrow as pa

    from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
    from pz_tsm_core.ops.distinct import standard

    there = set(store.schema(ref, "measurements").names)
    schema = pa.schema([MEASUREMENT_SCHEMA.field(name) for name in columns])
    for batch in store.batches(ref, "measurements", [name for name in columns if name in there]):
        yield from standard(pa.table(batch), schema).to_batches()


def _surveys(store: Store, inputs: list[ArtifactRef]) -> list[Any]:
    """Name, release and citation of every survey, also of those behind an earlier compilation."""
    told: dict[str, Any] = {}
    for ref in inputs:
        notes = store.manifest(ref).notes
        own = [notes["survey"]] if "survey" in notes else notes.get("surveys", [])
        told |= {survey["key"]: survey for survey in own}
    return [told[name] for name in sorted(told)]
