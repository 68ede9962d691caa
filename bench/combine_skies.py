"""Positions and measurements without files, and the plain way to group them."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pz_tsm_core.ops.distinct import standard

Floats = npt.NDArray[np.float64]

RADIUS = 0.75  # arcsec
SCATTER = 0.15  # arcsec, of a measured position on each axis
MEASURED = 1.67  # measurements a galaxy
GALAXIES_A_DEG2 = 20_000
ARCSEC = np.pi / 180 / 3600


def field(n: int) -> tuple[Floats, Floats]:
    """Measurements over a square on RA 0 and the equator, as dense whatever their number."""
    rng = np.random.default_rng(n)
    side = np.sqrt(n / MEASURED / GALAXIES_A_DEG2)
    galaxies = rng.uniform(-side / 2, side / 2, (2, round(n / MEASURED)))
    seen = galaxies[:, rng.integers(0, galaxies.shape[1], n)]
    ra, dec = seen + SCATTER / 3600 * rng.standard_normal((2, n))
    return ra % 360, dec


def disc(n: int, arcsec: float) -> tuple[Floats, Floats]:
    """Measurements all over a disc of that radius."""
    rng = np.random.default_rng(n)
    distance = arcsec / 3600 * np.sqrt(rng.random(n))
    turn = rng.uniform(0, 2 * np.pi, n)
    return 150 + distance * np.sin(turn) / np.cos(np.radians(2)), 2 + distance * np.cos(turn)


def measurements(ra: Floats, dec: Floats) -> pa.Table:
    """Standard measurements at these positions, of one survey, few of them equally good."""
    rng, n = np.random.default_rng(len(ra)), len(ra)
    number = pa.array(np.arange(n)).cast(pa.string())
    columns = {
        "row_id": rng.permutation(n), "survey": np.full(n, "bench"),
        "survey_ordinal": np.ones(n, "i4"), "release": np.full(n, "R1"), "native_id": number,
        "native_key": number, "native_rank": np.zeros(n, "i4"), "ra": ra, "dec": dec,
        "z": rng.gamma(2, 0.4, n), "z_err": rng.exponential(3e-4, n),
        "quality": rng.choice([1, 3, 4], n), "object_class": np.full(n, "galaxy"),
        "instrument_type": rng.choice(["s", "g"], n), "native_flag": np.full(n, "4"),
    }
    return standard(pa.table(columns))


def naive_groups(ra: Floats, dec: Floats) -> npt.NDArray[np.int32]:
    """Group of each position: one KD-tree over the whole sky, its pairs, their components."""
    alpha, delta = np.radians(ra), np.radians(dec)
    points = np.column_stack((np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha),
                              np.sin(delta)))
    chord = 2 * np.sin(RADIUS * ARCSEC / 2)
    pairs = cKDTree(points).query_pairs(chord, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), bool), pairs.T), shape=(len(ra), len(ra)))
    return connected_components(graph, directed=False)[1]


def partition_digest(group: npt.NDArray[np.integer]) -> str:
    """What partitions into the same groups share, whatever the groups are called."""
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    return hashlib.sha256(first[place].tobytes()).hexdigest()[:16]
