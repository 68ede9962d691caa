"""Small compilations in a store, written as one would draw them: galaxies and their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from pz_tsm_core.model.artifact import PUBLIC, Access, ArtifactRef
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.store import Draft, Store


class Row(NamedTuple):
    """A measurement."""

    row_id: int
    z: float = 0.5
    survey: str = "deep"
    reason: Reason = Reason.ALONE


#: By galaxy_id the measurements of each, in any order.
Sky = Mapping[int, Sequence[Row]]


def compiled(store: Store, sky: Sky, access: Access = PUBLIC) -> ArtifactRef:
    """The artifact of `combine`, as far as guards read it."""
    rows = [(galaxy, row) for galaxy, rows in sky.items() for row in sorted(rows)]
    measurements = pa.table({
        "row_id": pa.array([row.row_id for _, row in rows], pa.int64()),
        "galaxy_id": pa.array([galaxy for galaxy, _ in rows], pa.int64()),
        "survey": pa.array([row.survey for _, row in rows], pa.string()),
        "z": pa.array([row.z for _, row in rows], pa.float64()),
        "reason": pa.array([row.reason for _, row in rows], pa.int8()),
    })
    winners = pa.array([row.reason.winner for _, row in rows], pa.bool_())
    galaxies = measurements.filter(winners).select(["galaxy_id", "row_id", "z"])

    def fill(draft: Draft) -> None:
        draft.write_table("measurements", measurements)
        draft.write_table("galaxies", galaxies)

    told = {"sky": {str(galaxy): [list(row) for row in rows] for galaxy, rows in sky.items()}}
    return store.publish(COMBINE.request(policy=told, access=access), fill).ref
