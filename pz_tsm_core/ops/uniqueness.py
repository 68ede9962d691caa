"""One galaxy an object, where several have the same nearest one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pz_tsm_core.ops.runs import run_starts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def choose_counterparts(row_id: Ints, object_id: Ints, separation: Floats) -> Ints:
    """Give each object to the nearest of the galaxies that have it as their nearest.

    Equal separations are settled by the smaller id, so that the choice depends on neither the
    order of the rows nor on partitions. A galaxy that loses its nearest object leaves: a farther
    object within the radius is more likely a neighbour than a counterpart.

    Parameters
    ----------
    row_id, object_id, separation : of each galaxy with its nearest object, shape (n,); arcsec

    Returns
    -------
    Places of the galaxies that keep their object, ascending.

    Examples
    --------
    >>> choose_counterparts(np.array([1, 2, 3]), np.array([7, 7, 8]), np.array([0.3, 0.1, 0.2]))
    array([1, 2])
    """
    order = np.lexsort((row_id, separation, object_id))
    return np.sort(order[run_starts(object_id[order])])
