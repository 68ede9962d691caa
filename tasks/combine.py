"""Group the measurements of all surveys into galaxies."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pz_tsm_core.model.artifact import ArtifactRef, StageRequest
from pz_tsm_core.model.policy import CombinePolicy
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.store import Draft, Store
from tasks.stage import stage_task


def request(
    measurements: list[ArtifactRef], compilation: ArtifactRef | None, policy: CombinePolicy
) -> StageRequest:
    """All measurements, those of an earlier compilation among them, and the policy."""
    inputs = [*measurements, *([compilation] if compilation else [])]
    return COMBINE.request(
        {"measurements": inputs}, policy=policy.model_dump(mode="json")
    )


@stage_task(request, label="combine")
def combine(
    draft: Draft,
    store: Store,
    *,
    measurements: list[ArtifactRef],
    compilation: ArtifactRef | None,
    policy: CombinePolicy,
) -> None:
    """Leave measurements with reasons, galaxies and pairs, each sorted by its id."""
    import pyarrow as pa

    from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
    from pz_tsm_core.ops.resolve import combine as to_galaxies

    names = MEASUREMENT_SCHEMA.names
    inputs = [*measurements, *([compilation] if compilation else [])]
    tables = [store.read_table(ref, "measurements", names) for ref in inputs]
    done = to_galaxies(pa.concat_tables(tables), policy)
    draft.write_table("measurements", done.measurements)
    draft.write_table("galaxies", done.galaxies)
    draft.write_table("pairs", done.pairs)
    draft.rows(done.rows.taken, done.rows.given, done.rows.dropped)
    draft.note("surveys", _surveys(store, inputs))
    draft.count("galaxies by survey", Counter(done.galaxies["survey"].to_pylist()))


def _surveys(store: Store, inputs: list[ArtifactRef]) -> list[Any]:
    """Name, release and citation of every survey, also of those behind an earlier compilation."""
    told: dict[str, Any] = {}
    for ref in inputs:
        notes = store.manifest(ref).notes
        own = [notes["survey"]] if "survey" in notes else notes.get("surveys", [])
        told |= {survey["key"]: survey for survey in own}
    return [told[name] for name in sorted(told)]
