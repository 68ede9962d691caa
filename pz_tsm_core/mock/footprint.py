"""Where the mock sky has objects: deep fields, a strip over RA 0, and what lies outside.

The sky is dealt in blocks (HEALPix order 10, 3.4 arcmin) of 256 cells (order 14, 13 arcsec); a
cell holds at most one galaxy, near its middle, so that different galaxies are well apart. Blocks
are gathered into chunks that are generated, and written, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cdshealpix
import numpy as np
from astropy import units
from astropy.coordinates import Latitude, Longitude

from pz_tsm_core.mock.spec import MOCK_VERSION, MockSky
from pz_tsm_core.sky.margin import INDEX_ORDER, Int64s
from pz_tsm_core.sky.partition import plan_partitions
from pz_tsm_core.sphere import Tile

BLOCK_ORDER = 10
CELL_ORDER = 14
CELLS_PER_BLOCK = 4 ** (CELL_ORDER - BLOCK_ORDER)

#: Centres of the deep fields, ICRS degrees: three of DP1, COSMOS, and two where partitions meet.
DEEP_FIELDS = {
    "ecdfs": (53.13, -28.10),
    "edfs": (59.10, -48.73),
    "lowecliptic": (37.86, 6.98),
    "cosmos": (150.12, 2.20),
    "seam": (315.0, 0.0),  # a vertex of four base pixels
    "corner": (90.0, 41.8103),  # a vertex of only three
}
LARGEST = 10_000_000  # objects of the sky whose extent the numbers below give
DEEP_RADIUS = 1.2  # deg
STRIP_HALF_LENGTH = 60.0  # deg of RA on both sides of 0
STRIP_HALF_WIDTH = 1.25  # deg of declination
DEEP_CONTRAST = 1.5  # density of the deep fields over that of the strip
#: Galaxies outside the footprint are made from a ring around the fields this much wider.
OUTSIDE_RING = 1.3


@dataclass(frozen=True)
class Chunk:
    """Blocks that are generated together: a partition, or a piece of the sky outside.

    Parameters
    ----------
    tile : HEALPix pixel that holds the blocks
    inside : whether its objects are in the catalogue
    blocks, counts : order-10 pixels and galaxies in each
    deep : whether the block lies in a deep field
    n_hard : how many of the galaxies get a companion, beyond the counts
    """

    tile: Tile
    inside: bool
    blocks: Int64s
    counts: Int64s
    deep: np.ndarray[tuple[int], np.dtype[np.bool_]]
    n_hard: int

    @property
    def n_objects(self) -> int:
        """Galaxies and stars in the chunk, companions among them."""
        return int(self.counts.sum()) + self.n_hard

    def generator(self, spec: MockSky, *purpose: int) -> np.random.Generator:
        """Random numbers that depend on spec, chunk and purpose alone."""
        key = (spec.seed, MOCK_VERSION, int(self.inside), *self.tile, *purpose)
        return np.random.default_rng(np.random.SeedSequence(key))


def apportion(total: int, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Int64s:
    """Whole shares of a total in proportion to weights; they add up exactly."""
    ends = np.rint(total * np.cumsum(weights) / np.sum(weights)).astype(np.int64)
    return np.diff(ends, prepend=np.int64(0))


def chunks_inside(spec: MockSky) -> list[Chunk]:
    """The partitions of the Object catalogue, with exactly the objects that the spec asks for."""
    deep, wide = _deep_blocks(spec, 1.0), _strip_blocks(spec)
    blocks = np.union1d(deep, wide)
    is_deep = np.isin(blocks, deep)
    singles = apportion(spec.n_objects - spec.hard_pairs, np.where(is_deep, DEEP_CONTRAST, 1.0))
    return list(_chunks(spec, blocks, singles, is_deep, inside=True))


def chunks_outside(spec: MockSky, n_galaxies: int) -> list[Chunk]:
    """Pieces of sky around the deep fields, with galaxies that the catalogue does not have."""
    inside = np.union1d(_deep_blocks(spec, 1.0), _strip_blocks(spec))
    blocks = np.setdiff1d(_deep_blocks(spec, OUTSIDE_RING), inside)
    counts = apportion(n_galaxies, np.ones(len(blocks)))
    return list(_chunks(spec, blocks, counts, np.ones(len(blocks), dtype=bool), inside=False))


def _chunks(
    spec: MockSky, blocks: Int64s, counts: Int64s, deep: np.ndarray[tuple[int], np.dtype[np.bool_]],
    *, inside: bool
) -> Iterator[Chunk]:
    shift = np.int64(2 * (INDEX_ORDER - BLOCK_ORDER))
    rows = np.repeat(blocks << shift, counts)
    tiles = plan_partitions(rows, spec.rows_per_partition, BLOCK_ORDER)
    ends = [np.searchsorted(blocks, tile.range_at(BLOCK_ORDER)) for tile in tiles]
    sums = np.array([counts[first:last].sum() for first, last in ends], dtype=np.float64)
    hard = apportion(spec.hard_pairs if inside else 0, sums)
    for tile, (first, last), n_hard in zip(tiles, ends, hard, strict=True):
        held = slice(first, last)
        yield Chunk(tile, inside, blocks[held], counts[held], deep[held], int(n_hard))


def _scale(spec: MockSky) -> float:
    """Area of the sky relative to the largest: small skies are smaller and sparser."""
    return float(np.sqrt(min(1.0, spec.n_objects / LARGEST)))


def _deep_blocks(spec: MockSky, widening: float) -> Int64s:
    radius = DEEP_RADIUS * np.sqrt(_scale(spec)) * widening
    return np.unique(np.concatenate([
        cdshealpix.cone_search(Longitude(ra, units.deg), Latitude(dec, units.deg),
                               radius * units.deg, BLOCK_ORDER, flat=True)[0].astype(np.int64)
        for ra, dec in DEEP_FIELDS.values()
    ]))


def _strip_blocks(spec: MockSky) -> Int64s:
    half = STRIP_HALF_LENGTH * _scale(spec)
    blocks: Int64s = cdshealpix.zone_search(
        Longitude(360 - half, units.deg), Latitude(-STRIP_HALF_WIDTH, units.deg),
        Longitude(half, units.deg), Latitude(STRIP_HALF_WIDTH, units.deg), BLOCK_ORDER, flat=True,
    )[0].astype(np.int64)
    return np.unique(blocks)
