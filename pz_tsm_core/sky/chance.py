"""How many matches are due to chance, seen from positions shifted away from the galaxies.

A galaxy has a wrong object where it has no counterpart and something else is in reach, or where
something else is nearer than its counterpart. Near N galaxies, a part c of which has a counterpart,

    N_wrong = N [(1 - c) p + c (1 - 1 / (1 + 2 pi rho sigma^2))],

p being the chance that a random place has an object in reach, rho the density of objects and sigma
the error of a separation on each axis (for Gaussian errors and objects at random, the mean over
separations s of 1 - exp(-pi rho s^2)). Of N (1 - c) galaxies a part 1 - p stays unmatched, so the
first term is the unmatched times p / (1 - p): with the p of their own neighbourhood it holds for
galaxies beyond the edge of the catalogue as well, where p is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pz_tsm_core.model.chance import Chance
from pz_tsm_core.ops.split import uniform_from_id
from pz_tsm_core.sky.margin import Floats, Int64s
from pz_tsm_core.sky.offsets import FEWEST, Surveys
from pz_tsm_core.sphere import offset_by

#: Far enough that no counterpart is in reach, near enough to be in the same field.
SHIFT_ARCSEC = 30.0

#: To the east, north, west and south.
DIRECTIONS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], dtype=np.float64)

#: One galaxy in so many is shifted, but never fewer nor more than these (if there are so many).
ONE_IN, AT_LEAST, AT_MOST = 40, 2_500, 25_000

#: Median of a Rayleigh distribution over its scale.
MEDIAN_OVER_SCALE = np.sqrt(2 * np.log(2))

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Shifted:
    """Galaxies, and after each one of the sample its shifted positions: what a search goes over.

    Parameters
    ----------
    ra, dec : of all these, degrees, shape (n,)
    galaxy : number of the galaxy that each is, or was shifted from
    is_shifted : whether it is a shifted one
    """

    ra: Floats
    dec: Floats
    galaxy: Places
    is_shifted: npt.NDArray[np.bool_]


def shifted(row_id: Int64s, ra: Floats, dec: Floats, radius_arcsec: float) -> Shifted:
    """Put shifted positions among the galaxies, so that a search reads no file twice for them.

    Which galaxies are shifted is a hash of their ids.
    """
    number = np.clip(len(row_id) / ONE_IN, AT_LEAST, AT_MOST)
    sampled = uniform_from_id(row_id, seed=0) < number / max(len(row_id), 1)
    times = 1 + len(DIRECTIONS) * sampled
    galaxy = np.repeat(np.arange(len(row_id)), times)
    turn = np.arange(len(galaxy)) - np.repeat(np.cumsum(times) - times, times)
    away = turn > 0
    far = max(SHIFT_ARCSEC, 3 * radius_arcsec)
    ra, dec = ra[galaxy], dec[galaxy]
    ra[away], dec[away] = offset_by(ra[away], dec[away], *far * DIRECTIONS[turn[away] - 1].T)
    return Shifted(ra, dec, galaxy, away)


def estimate_chance(
    positions: Shifted, found: Places, separation: Floats, surveys: Surveys, *, area: float
) -> Chance:
    """How many of the galaxies that have an object have a wrong one.

    Parameters
    ----------
    found : which of `positions` have an object in reach, shape (m,)
    separation : of the nearest object of each of these, arcsec
    surveys : of the galaxies
    area : in which objects are looked for, arcsec2
    """
    hit = np.zeros(len(positions.ra), dtype=bool)
    hit[found] = True
    own = found[~positions.is_shifted[found]]
    matched = np.zeros(len(surveys.code), dtype=bool)
    matched[positions.galaxy[own]] = True
    away = positions.is_shifted
    of_matched = matched[positions.galaxy]
    by_chance = _share(hit[away & ~of_matched])
    unmatched = len(matched) - len(own)
    without = min(unmatched * by_chance / (1 - by_chance), len(own)) if by_chance < 1 else len(own)
    density = -np.log1p(-min(_share(hit[away & of_matched]), 1 - 1e-9)) / area
    mine = separation[~positions.is_shifted[found]]
    overtaken = _overtaken(mine, surveys.at(positions.galaxy[own]), density)
    wrong = without + (len(own) - without) * overtaken
    return Chance(positions=int(away.sum()), hits=int(hit[away].sum()), galaxies=len(matched),
                  matched=len(own), wrong=float(wrong))


def _overtaken(separation: Floats, surveys: Surveys, density: float) -> float:
    """Share of galaxies with something nearer than their counterpart, each survey by its errors."""
    if not len(separation):
        return 0.0
    counts = np.bincount(surveys.code, minlength=len(surveys.names))
    medians = [np.median(separation[surveys.code == code]) if counts[code] >= FEWEST
               else np.median(separation) for code in range(len(counts))]
    sigma = np.array(medians) / MEDIAN_OVER_SCALE
    chance = 1 - 1 / (1 + 2 * np.pi * density * sigma**2)
    return float((counts * chance).sum() / counts.sum())


def _share(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0
