"""Galaxies and stars of a chunk: where, how far, how bright, in which colours.

Counts and redshifts follow the LSST Science Book (arXiv:0912.0201, section 3.7); colours come
from two smooth template spectra, of which every galaxy is a mixture, so that magnitudes tell the
redshift about as well as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cdshealpix
import numpy as np
import numpy.typing as npt
from astropy import units

from pz_tsm_core.mock.dust import ebv_at
from pz_tsm_core.mock.footprint import CELL_ORDER, CELLS_PER_BLOCK, Chunk
from pz_tsm_core.mock.spec import MockSky
from pz_tsm_core.sky.margin import INDEX_ORDER, Int64s

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BANDS = ("u", "g", "r", "i", "z", "y")
CLASSES = ("galaxy", "star", "qso")
GALAXY, STAR, QSO = range(3)

STAR_FRACTION, QSO_FRACTION = 0.05, 0.01
FAINTEST, BRIGHTEST = 25.3, 14.0  # i magnitudes
HIGHEST_Z = 4.0
COLOUR_SCATTER = 0.03  # mag per band, beyond the templates
HARD_SEPARATION = (0.4, 1.2)  # arcsec
SUBCELL_BITS = INDEX_ORDER - CELL_ORDER

#: Pivot wavelength and half width of the LSST bands in angstrom, rounded.
PASSBANDS = {"u": (3670, 300), "g": (4830, 650), "r": (6220, 650),
             "i": (7550, 600), "z": (8690, 500), "y": (9710, 450)}


@dataclass(frozen=True)
class Population:
    """True galaxies and stars, one array element each.

    Parameters
    ----------
    number : unique over the sky; companions of hard pairs are odd
    object_class : index into CLASSES
    magnitudes : AB, without dust, by band
    """

    number: Int64s
    ra: Floats
    dec: Floats
    z: Floats
    object_class: Int64s
    magnitudes: dict[str, Floats]
    ebv: Floats
    deep: Bools
    hard: Bools


def populate(spec: MockSky, chunk: Chunk) -> Population:
    """The galaxies and stars of a chunk, companions last."""
    rng = chunk.generator(spec)
    cells = _draw_cells(chunk, rng)
    deep = np.repeat(chunk.deep, chunk.counts)
    ra, dec = _positions(cells, rng)
    first = np.arange(chunk.n_hard) * max(1, len(cells) // max(1, chunk.n_hard))
    near_ra, near_dec = _beside(ra[first], dec[first], rng)
    hard = np.zeros(len(cells), dtype=bool)
    hard[first] = True
    ra, dec = np.append(ra, near_ra), np.append(dec, near_dec)
    object_class, z, magnitudes = _draw_spectra(len(ra), rng)
    return Population(
        number=np.append(cells << 1, (cells[first] << 1) + 1), ra=ra, dec=dec, z=z,
        object_class=object_class, magnitudes=magnitudes, ebv=ebv_at(ra, dec),
        deep=np.append(deep, deep[first]), hard=np.append(hard, np.ones(len(first), dtype=bool)),
    )


def _draw_cells(chunk: Chunk, rng: np.random.Generator) -> Int64s:
    """As many different cells of each block as it has galaxies."""
    keys = rng.random((len(chunk.blocks), CELLS_PER_BLOCK), dtype=np.float32)
    shuffled = np.argsort(keys, axis=1, kind="stable")
    taken = np.arange(CELLS_PER_BLOCK)[None, :] < chunk.counts[:, None]
    cells: Int64s = (chunk.blocks[:, None] * CELLS_PER_BLOCK + shuffled)[taken]
    return cells


def _positions(cells: Int64s, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Positions in the inner half of each cell along both axes: at least half a cell apart."""
    quarter = 1 << (SUBCELL_BITS - 2)
    x, y = rng.integers(quarter, 3 * quarter, (2, len(cells)), dtype=np.uint64)
    index = (cells.astype(np.uint64) << np.uint64(2 * SUBCELL_BITS)) | _interleave(x, y)
    lon, lat = cdshealpix.healpix_to_lonlat(index, INDEX_ORDER, num_threads=1)
    return lon.to_value(units.deg), lat.to_value(units.deg)


def _interleave(x: npt.NDArray[np.uint64], y: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Nested number of the subcell (x, y): bits of x on even, of y on odd places."""
    spread = []
    for axis in (x, y):
        bits = axis
        for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
            bits = (bits | (bits << np.uint64(shift))) & np.uint64(mask)
        spread.append(bits)
    return np.asarray(spread[0] | (spread[1] << np.uint64(1)))


def _beside(ra: Floats, dec: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    distance = rng.uniform(*HARD_SEPARATION, len(ra)) / 3600
    return shifted(ra, dec, distance, rng.uniform(0, 2 * np.pi, len(ra)))


def shifted(ra: Floats, dec: Floats, distance: Floats, angle: Floats) -> tuple[Floats, Floats]:
    """Positions moved by a small distance in degrees towards a position angle in radians."""
    moved = ra + distance * np.sin(angle) / np.cos(np.radians(dec))
    return np.mod(moved, 360.0), dec + distance * np.cos(angle)


def _draw_spectra(
    n: int, rng: np.random.Generator
) -> tuple[Int64s, Floats, dict[str, Floats]]:
    kind = rng.random(n)
    star = kind < STAR_FRACTION
    object_class = np.where(star, STAR, np.where(kind > 1 - QSO_FRACTION, QSO, GALAXY))
    # N(<i) = 46 * 10^(0.3 (i - 25)) per square arcmin: magnitudes are exponential.
    i = np.maximum(FAINTEST + np.log10(1 - rng.random(n)) / 0.3, BRIGHTEST)
    i[star] = rng.uniform(15.0, FAINTEST, star.sum())
    # p(z) = z^2 / (2 z0^3) exp(-z / z0) with z0 = 0.0417 i - 0.744.
    z = rng.standard_gamma(3.0, n) * np.maximum(0.0417 * i - 0.744, 0.015)
    z = np.where(star, 0.0, np.clip(z, 0.003, HIGHEST_Z))
    red = rng.random(n) < 0.35
    early = np.clip(np.where(red, 0.9, 0.2) + 0.12 * rng.standard_normal(n), 0.0, 1.0)
    colours = _galaxy_colours(z, early)
    colours[:, star] = _star_colours(rng.random(star.sum()))
    magnitudes = i + colours + COLOUR_SCATTER * rng.standard_normal((len(BANDS), n))
    return object_class, z, dict(zip(BANDS, magnitudes, strict=True))


def _galaxy_colours(z: Floats, early: Floats) -> Floats:
    """Band magnitudes relative to i; `early` goes from the blue template (0) to the red (1)."""
    grid, blue, red = _templates()
    return np.array([
        (1 - early) * np.interp(z, grid, blue[band]) + early * np.interp(z, grid, red[band])
        for band in range(len(BANDS))
    ])


@cache
def _templates() -> tuple[Floats, Floats, Floats]:
    """Redshift grid and the colours of the blue and the red template on it."""
    grid = np.arange(0.0, HIGHEST_Z + 0.02, 0.01)
    return grid, _template(grid, slope=0.3, break_=0.45), _template(grid, slope=1.6, break_=1.3)


def _template(grid: Floats, *, slope: float, break_: float) -> Floats:
    """Colours of a power law in wavelength with steps at 4000 and 1216 angstrom (mag)."""
    table = []
    for pivot, half_width in PASSBANDS.values():
        observed = pivot + half_width * np.linspace(-1, 1, 25)
        rest = observed[:, None] / (1 + grid)
        magnitude = (-2.5 * slope * np.log10(rest / 5000)
                     + break_ / (1 + np.exp((rest - 3900) / 120))
                     + 2.5 / (1 + np.exp((rest - 1200) / 15)))
        table.append(-2.5 * np.log10(np.mean(10 ** (-0.4 * magnitude), axis=0)))
    magnitudes = np.array(table)
    return np.asarray(magnitudes - magnitudes[BANDS.index("i")])


def _star_colours(temperature: Floats) -> Floats:
    """A stellar locus of one parameter, hot (0) to cool (1), relative to i."""
    g_r, r_i = 0.2 + 1.2 * temperature, 0.05 + 0.3 * temperature + 1.2 * temperature**3
    u_g = 0.8 + 1.8 * temperature
    return np.array([u_g + g_r + r_i, g_r + r_i, r_i, np.zeros_like(r_i), -0.5 * r_i, -0.75 * r_i])
