"""Which measurements are of one galaxy: exact pairs on the sphere and their components.

Positions are taken in bands of declination: two that are within a radius of each other differ by
no more in declination, so a band needs of its neighbours what is within the radius above and
below, at the poles and across RA 0 as anywhere. Within a band a KD-tree on unit vectors finds the
candidates, and the exact separation decides. So memory is bounded, bands may be done side by side,
and the result does not depend on how they are cut.

Pairs of two measurements that are both crowded are not listed: ten thousand fibres on one spot
would make fifty million. They are linked all the same (`ops.crowd`), and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.ops.crowd import crowded, crowded_links
from pz_tsm_core.ops.reach import Reach, one_radius, within
from pz_tsm_core.sphere import Floats, chord_of, unit_vectors

Ints = npt.NDArray[np.int64]

#: Rows of a band: its tree stays within the processor's cache.
BAND_ROWS = 50_000

#: More pairs than this are not listed at all where they are asked for as a whole.
MAX_PAIRS = 100_000_000

#: The tree looks this much farther than asked; the exact separation then decides.
_SLACK = 1 + 1e-9


class Mapper(Protocol):
    """How pieces of work are done: one after the other as `map` does, or side by side."""

    def __call__(self, work: Callable[[Band], Links], pieces: Iterable[Band]) -> Iterable[Links]:
        """Give the results in the order of the pieces."""


@dataclass(frozen=True)
class Links:
    """Pairs of measurements of one galaxy, by their places; first < second.

    Parameters
    ----------
    first, second, separation : pairs that are listed, with their separation in arcsec; shape (m,)
    more_first, more_second : further links, by which crowded measurements hang together
    unlisted : how many pairs are within reach and not listed
    """

    first: Ints
    second: Ints
    separation: Floats
    more_first: Ints
    more_second: Ints
    unlisted: int = 0

    @classmethod
    def none(cls) -> Links:
        """No links at all."""
        return _joined([])

    def components(self, n: int) -> Ints:
        """Label 0 .. k-1 of the component of each of `n` measurements, shape (n,)."""
        return components(n, np.concatenate([self.first, self.more_first]),
                          np.concatenate([self.second, self.more_second]))

    def moved(self, places: Ints) -> Links:
        """The same links between measurements that stand at other places."""
        first, second = _ordered(places[self.first], places[self.second])
        more_first, more_second = _ordered(places[self.more_first], places[self.more_second])
        return Links(first, second, self.separation, more_first, more_second, self.unlisted)


@dataclass(frozen=True)
class Band:
    """Positions of a band of declination and of what is near it above and below, by declination.

    Parameters
    ----------
    start : place of the first position among all
    own : the first and one past the last position of the band itself; a pair is of the band that
        its first position, by declination, is of
    every : whether pairs of the crowded are listed
    """

    start: int
    ra: Floats
    dec: Floats
    reach: Reach
    own: tuple[int, int]
    every: bool


def one_by_one(work: Callable[[Band], Links], pieces: Iterable[Band]) -> Iterator[Links]:
    """Do one piece after the other."""
    return map(work, pieces)


def links_within(
    ra: Floats, dec: Floats, reach: Reach, *, mapper: Mapper = one_by_one, every: bool = False
) -> Links:
    """All pairs of measurements within reach, listed as far as they are not crowded.

    Parameters
    ----------
    ra, dec : degrees, shape (n,), finite
    mapper : does bands one after the other, or side by side
    every : whether those of the crowded are listed too

    Raises
    ------
    TsmError
        `value.out-of-range` for more than `MAX_PAIRS` pairs in a band, where every one is listed.
    """
    if len(ra) < 2:
        return _joined([])
    order = np.argsort(dec)
    bands = list(_bands(ra[order], dec[order], reach.of(order), every=every))
    found = mapper(links_of_band, bands)
    return _joined([links.moved(order[band.start:])
                    for band, links in zip(bands, found, strict=True)])


def pairs_within(ra: Floats, dec: Floats, radius_arcsec: float) -> tuple[Ints, Ints, Floats]:
    """All pairs of positions at most `radius_arcsec` apart, each once, however crowded.

    Parameters
    ----------
    ra, dec : degrees, shape (n,), finite

    Returns
    -------
    first, second : indices of the two, first < second, shape (m,)
    separation : arcsec, shape (m,)

    Raises
    ------
    TsmError
        `value.out-of-range` for more than `MAX_PAIRS` pairs.
    """
    links = links_within(ra, dec, one_radius(radius_arcsec), every=True)
    return links.first, links.second, links.separation


def components(n: int, first: Ints, second: Ints) -> Ints:
    """Label 0 .. k-1 of the connected component of each of `n` nodes, shape (n,)."""
    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, dtype=np.int64)


def _bands(ra: Floats, dec: Floats, reach: Reach, *, every: bool) -> Iterator[Band]:
    """Bands of positions that are sorted by declination; views of them."""
    near = reach.largest / 3600 * _SLACK
    for start in range(0, len(ra), BAND_ROWS):
        end = min(start + BAND_ROWS, len(ra))
        # A pair that begins in the band ends at most one radius above; whether its two are
        # crowded is told by what is within two more.
        low = int(np.searchsorted(dec, dec[start] - 2 * near, "left"))
        high = int(np.searchsorted(dec, dec[end - 1] + 3 * near, "right"))
        rows = slice(low, high)
        yield Band(low, ra[rows], dec[rows], reach.of(rows), (start - low, end - low), every)


def links_of_band(band: Band) -> Links:
    """Links that begin in a band, by places in it."""
    vectors, chord = unit_vectors(band.ra, band.dec), chord_of(band.reach.largest)
    dense = crowded(vectors, chord_of(band.reach.smallest))
    tree = cKDTree(vectors, balanced_tree=False)
    if band.every and dense.any():
        _refuse_too_many(tree, chord)
        dense[:] = False
    first, second = _of_the_free(tree, vectors, ~dense, chord) if dense.any() else (
        _candidates(tree, chord))
    mine = (first >= band.own[0]) & (first < band.own[1])
    first, second = first[mine], second[mine]
    near, separation = within(band.ra, band.dec, first, second, band.reach)
    more, unlisted = _of_the_crowded(band, vectors, dense)
    return Links(first[near], second[near], separation[near], more[0], more[1], unlisted)


def _refuse_too_many(tree: cKDTree, chord: float) -> None:
    """Refuse to list more pairs than memory holds, before it is tried."""
    if (count := (tree.count_neighbors(tree, chord) - tree.n) // 2) > MAX_PAIRS:
        raise refuse(Code.VALUE_RANGE, "pairs of measurements", found=f"{count:,} in a small field",
                     expected=f"at most {MAX_PAIRS:,}",
                     remedy="look for thousands of rows at one position, a placeholder perhaps")


def _of_the_crowded(
    band: Band, vectors: Floats, crowded: npt.NDArray[np.bool_]
) -> tuple[Ints, int]:
    """Links among the crowded, shape (2, m), and how many pairs they have that begin here."""
    if not crowded.any():
        return np.empty((2, 0), dtype=np.int64), 0
    dense = np.flatnonzero(crowded)
    links = dense[crowded_links(band.ra[dense], band.dec[dense], vectors[dense],
                                band.reach.of(dense))]
    mine = dense[(dense >= band.own[0]) & (dense < band.own[1])]
    above = dense[dense >= band.own[1]]
    return links, _count(vectors[mine], vectors[above], chord_of(band.reach.largest))


def _candidates(tree: cKDTree, chord: float) -> tuple[Ints, Ints]:
    pairs = tree.query_pairs(chord * _SLACK, output_type="ndarray").astype(np.int64, copy=False)
    return _ordered(pairs[:, 0], pairs[:, 1])


def _of_the_free(
    tree: cKDTree, vectors: Floats, free: npt.NDArray[np.bool_], chord: float
) -> tuple[Ints, Ints]:
    """Pairs of which one at least is not crowded."""
    places = np.flatnonzero(free)
    if not len(places):
        return places, places
    found = cKDTree(vectors[places]).sparse_distance_matrix(tree, chord * _SLACK,
                                                            output_type="ndarray")
    one, other = places[found["i"]], found["j"].astype(np.int64)
    once = (one < other) | ((one > other) & ~free[other])
    return _ordered(one[once], other[once])


def _count(own: Floats, above: Floats, chord: float) -> int:
    """Number of pairs among the own, and between them and those above."""
    if not len(own):
        return 0
    tree = cKDTree(own)
    among = (tree.count_neighbors(tree, chord) - len(own)) // 2
    return int(among + (tree.count_neighbors(cKDTree(above), chord) if len(above) else 0))


def _ordered(one: Ints, other: Ints) -> tuple[Ints, Ints]:
    return np.minimum(one, other), np.maximum(one, other)


def _joined(parts: list[Links]) -> Links:
    names = ("first", "second", "more_first", "more_second")
    nothing = [np.empty(0, dtype=np.int64)]
    places = {name: np.concatenate([getattr(part, name) for part in parts] or nothing)
              for name in names}
    separation = np.concatenate([part.separation for part in parts] or [np.empty(0)])
    return Links(separation=separation, unlisted=sum(part.unlisted for part in parts), **places)
