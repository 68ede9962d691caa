"""Which measurements are of one galaxy: exact pairs on the sphere and their components."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pz_tsm_core.errors import Code, refuse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ARCSEC_PER_RADIAN = 180 * 3600 / np.pi

#: More are no sky but a placeholder position; a pair takes some 40 bytes while it is made.
MAX_PAIRS = 100_000_000

#: The tree looks this much farther than asked; the exact separation then decides.
_SLACK = 1 + 1e-9


def unit_vectors(ra: Floats, dec: Floats) -> Floats:
    """Points of the unit sphere, shape (n, 3), for `ra` and `dec` in degrees, shape (n,)."""
    alpha, delta = np.radians(ra), np.radians(dec)
    cos_delta = np.cos(delta)
    return np.column_stack((cos_delta * np.cos(alpha), cos_delta * np.sin(alpha), np.sin(delta)))


def separation_arcsec(ra1: Floats, dec1: Floats, ra2: Floats, dec2: Floats) -> Floats:
    """Angle between positions in degrees, elementwise, in arcsec.

    The haversine formula (Sinnott 1984, Sky & Telescope 68, 159), which keeps its precision at
    small angles, also at the poles and across RA 0.
    """
    delta1, delta2 = np.radians(dec1), np.radians(dec2)
    half_dec = np.sin((delta2 - delta1) / 2) ** 2
    half_ra = np.sin(np.radians(ra2 - ra1) / 2) ** 2
    chord = np.sqrt(half_dec + np.cos(delta1) * np.cos(delta2) * half_ra)
    return np.asarray(2 * np.arcsin(np.minimum(chord, 1)) * ARCSEC_PER_RADIAN, dtype=np.float64)


def pairs_within(ra: Floats, dec: Floats, radius_arcsec: float) -> tuple[Ints, Ints, Floats]:
    """All pairs of positions at most `radius_arcsec` apart, each once.

    Raises
    ------
    TsmError
        `value.out-of-range` for more than `MAX_PAIRS` pairs.

    Parameters
    ----------
    ra, dec : degrees, shape (n,), finite

    Returns
    -------
    first, second : indices of the two, first < second, shape (m,)
    separation : arcsec, shape (m,)
    """
    if len(ra) < 2:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, np.empty(0)
    chord = 2 * np.sin(radius_arcsec / ARCSEC_PER_RADIAN / 2)
    tree = cKDTree(unit_vectors(ra, dec), balanced_tree=False)
    if (count := (tree.count_neighbors(tree, chord) - len(ra)) // 2) > MAX_PAIRS:
        raise refuse(Code.VALUE_RANGE, "pairs of measurements",
                     found=f"{count:,} within {radius_arcsec:g} arcsec",
                     expected=f"at most {MAX_PAIRS:,}",
                     remedy="look for thousands of rows at one position, a placeholder perhaps")
    near = tree.query_pairs(chord * _SLACK, output_type="ndarray").astype(np.int64)
    first, second = near[:, 0], near[:, 1]
    separation = separation_arcsec(ra[first], dec[first], ra[second], dec[second])
    within = separation <= radius_arcsec
    return first[within], second[within], separation[within]


def components(n: int, first: Ints, second: Ints) -> Ints:
    """Label 0 .. k-1 of the connected component of each of `n` nodes, shape (n,)."""
    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, dtype=np.int64)
