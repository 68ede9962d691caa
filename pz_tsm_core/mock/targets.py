"""What a survey measures of the true sky, before it is written in the survey's own way."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.mock.footprint import Chunk
from pz_tsm_core.mock.galaxies import STAR, Population, shifted
from pz_tsm_core.mock.spec import MockSky

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

POSITION_SCATTER = 0.15  # arcsec per axis
LARGEST_OFFSET = 0.35  # arcsec: two measurements of a galaxy are at most 0.7 apart
REPEATED = 0.06  # fraction of rows that measure a galaxy of the same survey again
#: Chance of a wrong redshift by quality: low flags announce it, secure ones are right.
BLUNDERS = np.array([0.0, 0.5, 0.12, 0.0, 0.0])
SMALLEST_BLUNDER = 0.1  # in units of 1 + z


@dataclass(frozen=True)
class Measurements:
    """Rows of one survey, one array element each, as they truly are.

    Parameters
    ----------
    number : the galaxy
    z : what the survey says; NaN for quality 0
    quality : 0 to 4, as on the standard scale
    instrument : s, g or p
    inside : whether the galaxy has an object
    """

    number: Int64s
    ra: Floats
    dec: Floats
    z_true: Floats
    z: Floats
    quality: Int64s
    object_class: Int64s
    instrument: npt.NDArray[np.str_]
    blunder: npt.NDArray[np.bool_]
    repeat: npt.NDArray[np.bool_]
    hard: npt.NDArray[np.bool_]
    inside: npt.NDArray[np.bool_]
    i_mag: Floats

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: npt.NDArray[np.int64]) -> Measurements:
        """The rows at these places."""
        return Measurements(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    @staticmethod
    def concat(parts: list[Measurements]) -> Measurements:
        """All rows of all parts, in order."""
        return Measurements(**{
            item.name: np.concatenate([getattr(part, item.name) for part in parts])
            for item in fields(Measurements)
        })


@dataclass(frozen=True)
class MockSurvey:
    """A redshift survey of the mock sky; a new one is one more value of this class.

    Parameters
    ----------
    key : of the survey in the registry
    file : name of its native file
    share : its rows, relative to the other surveys
    z_range : of its galaxies
    qualities : weight of each quality that its flags can tell
    encode : writes measurements as native columns
    id_column : native column of the identifier
    instruments : weight of each way to measure
    z_error : scatter of z over 1 + z, by instrument
    z_decimals : digits that the native file keeps
    outside : fraction of targets off the footprint
    stars : fraction of targets that are stars
    star_quality : of their redshifts; 0 where the flag for stars takes the place of one
    deep_only : whether it looks at the deep fields alone
    hard : whether it measures both members of the close pairs
    """

    key: str
    file: str
    share: float
    z_range: tuple[float, float]
    qualities: Mapping[int, float]
    encode: Callable[[Measurements, np.random.Generator], pa.Table]
    id_column: str
    instruments: Mapping[str, float] = field(default_factory=lambda: {"s": 1.0})
    z_error: Mapping[str, float] = field(default_factory=lambda: {"s": 2e-4})
    z_decimals: int = 6
    outside: float = 0.15
    stars: float = 0.03
    star_quality: int = 4
    deep_only: bool = False
    hard: bool = False

    @property
    def number(self) -> int:
        """A number that follows from the key alone, to key random numbers by."""
        return zlib.crc32(self.key.encode())

    def weight_in(self, chunk: Chunk) -> float:
        """How many galaxies of the chunk the survey may choose from."""
        return float(chunk.counts[chunk.deep].sum() if self.deep_only else chunk.counts.sum())


def observe(
    survey: MockSurvey, spec: MockSky, chunk: Chunk, sky: Population, rows: int
) -> Measurements:
    """Choose so many targets in a chunk and measure them.

    The brightest in the survey's range of redshift are preferred, so surveys overlap.
    """
    rng = chunk.generator(spec, survey.number)
    target, repeat = _choose(survey, sky, rows, rng)
    n = len(target)
    distance = np.minimum(rng.rayleigh(POSITION_SCATTER, n), LARGEST_OFFSET) / 3600
    ra, dec = shifted(sky.ra[target], sky.dec[target], distance, rng.uniform(0, 2 * np.pi, n))
    star = sky.object_class[target] == STAR
    quality = _draw(survey.qualities, n, rng)
    quality[star] = survey.star_quality
    instrument = np.array(sorted(survey.instruments))[_draw_index(survey.instruments, n, rng)]
    z_true = sky.z[target]
    error = np.select([instrument == kind for kind in survey.z_error],
                      list(survey.z_error.values()), np.nan)
    blunder = ~star & (rng.random(n) < BLUNDERS[quality])
    z = np.where(blunder, _wrong(z_true, rng), z_true + error * (1 + z_true)
                 * rng.standard_normal(n) * np.where(star, 0.1, 1.0))
    return Measurements(
        number=sky.number[target], ra=ra, dec=dec, z_true=z_true,
        z=np.where(quality == 0, np.nan, np.round(z, survey.z_decimals)), quality=quality,
        object_class=sky.object_class[target], instrument=instrument,
        blunder=blunder, repeat=repeat, hard=sky.hard[target],
        inside=np.full(n, chunk.inside), i_mag=sky.magnitudes["i"][target],
    )


def _choose(
    survey: MockSurvey, sky: Population, rows: int, rng: np.random.Generator
) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Indices of the targets, and which of them are measured a second time."""
    key = sky.magnitudes["i"] + 1.5 * rng.gumbel(size=len(sky.ra))
    low, high = survey.z_range
    allowed = sky.deep if survey.deep_only else np.ones(len(key), dtype=bool)
    wanted = allowed & (sky.object_class != STAR) & (sky.z >= low) & (sky.z <= high)
    if survey.hard:
        key[sky.hard], wanted[sky.hard] = -np.inf, True
    stars = np.flatnonzero(allowed & (sky.object_class == STAR))
    n_stars = min(int(rng.binomial(rows, survey.stars)), len(stars))
    n_repeats = int(rng.binomial(rows, REPEATED))
    galaxies = _brightest(np.flatnonzero(wanted), key, rows - n_stars - n_repeats)
    chosen = np.concatenate([galaxies, _brightest(stars, key, n_stars)])
    if not len(chosen):
        chosen = _brightest(np.flatnonzero(allowed), key, 1)
    again = rng.choice(chosen, max(0, rows - len(chosen)))
    return (np.concatenate([chosen, again])[:rows],
            (np.arange(len(chosen) + len(again)) >= len(chosen))[:rows])


def _brightest(candidates: Int64s, key: Floats, n: int) -> Int64s:
    return candidates[np.argsort(key[candidates], kind="stable")[:max(0, n)]]


def _draw_index(weights: Mapping[str, float], n: int, rng: np.random.Generator) -> Int64s:
    chances = np.array([weights[key] for key in sorted(weights)])
    return rng.choice(len(chances), n, p=chances / chances.sum())


def _draw(weights: Mapping[int, float], n: int, rng: np.random.Generator) -> Int64s:
    chances = np.array(list(weights.values()))
    return rng.choice(np.array(list(weights)), n, p=chances / chances.sum())


def _wrong(z: Floats, rng: np.random.Generator) -> Floats:
    """A redshift that is wrong by at least SMALLEST_BLUNDER (1 + z), never negative."""
    shift = (SMALLEST_BLUNDER + 0.5 * rng.random(len(z))) * (1 + z)
    down = (rng.random(len(z)) < 0.5) & (shift < z)
    return np.where(down, z - shift, z + shift)
