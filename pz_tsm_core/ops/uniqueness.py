"""From all candidates within the radius to one object a galaxy and one galaxy an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pz_tsm_core.ops.runs import run_lengths, run_starts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """Which candidate pairs stay.

    Parameters
    ----------
    index : positions of the pairs that stay, sorted by galaxy
    candidates : how many objects were within the radius of that galaxy, shape of `index`
    taken : galaxies whose nearest object went to a nearer galaxy
    """

    index: Ints
    candidates: Ints
    taken: int


def choose_counterparts(
    galaxy_id: Ints, object_id: Ints, separation: Floats, *, unique: bool
) -> Chosen:
    """Keep each galaxy's nearest object and, if `unique`, each object's nearest galaxy.

    Equal separations are settled by the smaller id, so that the choice depends on neither the
    order of the rows nor on partitions. A galaxy that loses its nearest object leaves: a farther
    object within the radius is more likely a neighbour than a counterpart.

    Parameters
    ----------
    galaxy_id, object_id, separation : one candidate pair each, shape (n,); arcsec
    """
    order = np.lexsort((object_id, separation, galaxy_id))
    starts = run_starts(galaxy_id[order])
    candidates = run_lengths(starts, len(order))
    nearest = order[starts]
    if not unique:
        return Chosen(nearest, candidates, 0)
    rank = np.lexsort((galaxy_id[nearest], separation[nearest], object_id[nearest]))
    wins = np.sort(rank[run_starts(object_id[nearest][rank])])
    return Chosen(nearest[wins], candidates[wins], len(nearest) - len(wins))
