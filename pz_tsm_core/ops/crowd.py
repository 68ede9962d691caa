"""How crowded measurements hang together, without a list of all their pairs.

Space is divided into cubes so small that whatever shares one is within reach. Cubes that touch or
nearly so are candidates: most are settled by one pair of measurements, and those whose components
meet by another way need no answer. Only where two cubes stay apart are all their pairs looked at,
in blocks of bounded size. The outcome is exact: two measurements share a component if and only if
a chain of pairs within reach joins them. (The cells of Gunawan's and de Berg's algorithm for
DBSCAN with one point a core, doi:10.1145/2723372.2737792, with pairs in place of Delaunay edges.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pz_tsm_core.ops.reach import Reach, within
from pz_tsm_core.ops.runs import run_lengths
from pz_tsm_core.sphere import Floats, chord_of

Ints = npt.NDArray[np.int64]

#: Where a cube holds more than `FULL`, and it and the cubes around more than `CROWD`, measurements
#: are crowded.
FULL = 16
CROWD = 100

#: Pairs looked at in one block.
BLOCK_PAIRS = 1_000_000

#: Cubes are this much smaller than they may be, for the rounding of the vectors.
_TIGHT = 1 - 1e-6
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def crowded(vectors: Floats, chord: float) -> npt.NDArray[np.bool_]:
    """Which points are crowded; within a cube all are at most `chord` apart.

    The cubes stand still: whether a point is crowded depends on nothing but the points within
    twice the `chord` of it.
    """
    cubes = _cubes(vectors, chord)
    if not _some_are_full(cubes):
        return np.zeros(len(vectors), dtype=bool)
    cells = _Cells.of(cubes)
    near_full, around = cells.sizes > FULL, cells.sizes.copy()
    for one, other in (pair := cells.touching()), pair[::-1]:
        np.add.at(around, one, cells.sizes[other])
        near_full[one[cells.sizes[other] > FULL]] = True
    return np.asarray((near_full & (around > CROWD))[cells.cell_of])


def _some_are_full(cubes: Ints) -> bool:
    """Whether some cube may be full; two cubes taken for one are a false alarm, no more."""
    keys = np.sort((cubes.astype(np.uint64) * _ODD).sum(axis=1, dtype=np.uint64))
    return bool((keys[FULL:] == keys[:-FULL]).any())


def crowded_links(ra: Floats, dec: Floats, vectors: Floats, reach: Reach) -> Ints:
    """Pairs of places, shape (2, m), that join whatever a chain of pairs within reach joins.

    Parameters
    ----------
    ra, dec : degrees, shape (n,)
    vectors : the same on the unit sphere, shape (n, 3)
    """
    chord = chord_of(reach.smallest)
    cells = _Cells.of(_cubes(vectors, chord))
    found = [cells.inside()]
    one, other = cells.neighbours(chord_of(reach.largest) / _side(chord))
    # One pair settles most: any member will do, the first is at hand.
    pairs = np.stack([cells.members[cells.starts[one]], cells.members[cells.starts[other]]])
    near, _ = within(ra, dec, pairs[0], pairs[1], reach)
    found.append(pairs[:, near])
    one, other = cells.apart(one[~near], other[~near], found)
    while len(one):
        taken = _block(cells.sizes[one] * cells.sizes[other])
        for pairs in cells.products(one[:taken], other[:taken]):
            near, _ = within(ra, dec, pairs[0], pairs[1], reach)
            found.append(pairs[:, near][:, :1] if taken == 1 else pairs[:, near])
        one, other = cells.apart(one[taken:], other[taken:], found)
    return np.concatenate(found, axis=1)


def _block(products: Ints) -> int:
    """How many pairs of cubes fit into one block; at least one."""
    return max(1, int(np.searchsorted(np.cumsum(products), BLOCK_PAIRS, "right")))


def _cubes(vectors: Floats, chord: float) -> Ints:
    return np.floor(vectors / _side(chord)).astype(np.int64)


def _side(chord: float) -> float:
    return float(chord / np.sqrt(3) * _TIGHT)


@dataclass(frozen=True)
class _Cells:
    """Occupied cubes and the places of what is in them, cube by cube."""

    cubes: Ints
    members: Ints
    starts: Ints
    sizes: Ints
    cell_of: Ints

    @classmethod
    def of(cls, cubes: Ints) -> _Cells:
        members = np.lexsort(cubes.T)
        cubes = cubes[members]
        first = np.ones(len(cubes), dtype=bool)
        first[1:] = (cubes[1:] != cubes[:-1]).any(axis=1)
        starts = np.flatnonzero(first)
        cell_of = np.empty(len(members), dtype=np.int64)
        cell_of[members] = np.cumsum(first) - 1
        return cls(cubes[starts], members, starts, run_lengths(starts, len(members)), cell_of)

    def inside(self) -> Ints:
        """Every member of a cube with the first of it."""
        pairs = np.stack([np.repeat(self.members[self.starts], self.sizes), self.members])
        return pairs[:, pairs[0] != pairs[1]]

    def touching(self) -> tuple[Ints, Ints]:
        """Pairs of cubes that touch, be it at a corner."""
        one, other = cKDTree(self.cubes).query_pairs(1.5, p=np.inf, output_type="ndarray").T
        return one, other

    def neighbours(self, sides: float) -> tuple[Ints, Ints]:
        """Pairs of cubes between which a distance of so many sides is possible."""
        pairs = cKDTree(self.cubes).query_pairs(np.ceil(sides) + 0.5, p=np.inf,
                                                output_type="ndarray")
        gap = np.maximum(np.abs(self.cubes[pairs[:, 0]] - self.cubes[pairs[:, 1]]) - 1, 0)
        one, other = pairs[(gap**2).sum(axis=1) <= sides**2].T.astype(np.int64)
        return one, other

    def apart(self, one: Ints, other: Ints, found: list[Ints]) -> tuple[Ints, Ints]:
        """Of pairs of cubes those that nothing found so far joins, the cheapest first."""
        links = self.cell_of[np.concatenate(found, axis=1)]
        n = len(self.starts)
        graph = coo_array((np.ones(links.shape[1], dtype=bool), (links[0], links[1])), shape=(n, n))
        label = connected_components(graph, directed=False)[1]
        left = label[one] != label[other]
        one, other = one[left], other[left]
        order = np.argsort(self.sizes[one] * self.sizes[other], kind="stable")
        return one[order], other[order]

    def products(self, one: Ints, other: Ints) -> Iterator[Ints]:
        """All pairs of members of pairs of cubes, in blocks, shape (2, m)."""
        if len(one) > 1 or self.sizes[one[0]] * self.sizes[other[0]] <= BLOCK_PAIRS:
            yield self._product(one, other)
            return
        mine = self.members[self.starts[one[0]]:][: self.sizes[one[0]]]
        theirs = self.members[self.starts[other[0]]:][: self.sizes[other[0]]]
        step = max(1, BLOCK_PAIRS // len(theirs))
        for start in range(0, len(mine), step):
            part = mine[start:start + step]
            yield np.stack([np.repeat(part, len(theirs)), np.tile(theirs, len(part))])

    def _product(self, one: Ints, other: Ints) -> Ints:
        sizes = self.sizes[one] * self.sizes[other]
        within_pair = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        width = np.repeat(self.sizes[other], sizes)
        first = np.repeat(self.starts[one], sizes) + within_pair // width
        second = np.repeat(self.starts[other], sizes) + within_pair % width
        return np.stack([self.members[first], self.members[second]])
