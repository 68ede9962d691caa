"""Write twelve mock surveys of any size in their native shapes, and a recipe that combines them.

    python bench/many_surveys.py FOLDER --rows 6600000

Seven deep fields (one at a pole, two where base pixels of HEALPix meet) and a wide strip over
RA 0, 860 square degrees in all. Six surveys are those of `tsm mock`; the other six are copies of
them under other keys, each with a definition, a year and a rank of its own. A galaxy that is
measured at all is measured 1 to some 6 times; three rows in five are of different galaxies.
The sky is made chunk by chunk, and every file is written as it comes: memory does not grow.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cdshealpix
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from astropy import units
from astropy.coordinates import Latitude, Longitude
from native_files import NativeFile, new_file

from pz_tsm_core.mock import MockSky
from pz_tsm_core.mock.footprint import BLOCK_ORDER, DEEP_FIELDS, Chunk, apportion
from pz_tsm_core.mock.galaxies import populate
from pz_tsm_core.mock.surveys import SURVEYS
from pz_tsm_core.mock.targets import MockSurvey, observe
from pz_tsm_core.model.survey import USER_ORDINAL
from pz_tsm_core.sphere import Tile
from pz_tsm_core.surveys.registry import DATA

Int64s = npt.NDArray[np.int64]

#: Parts of all rows that a survey and its copy have, and the format of the copy.
SHARES = {
    "desi_dr1": (0.30, 0.22, "parquet"), "2dfgrs": (0.06, 0.05, "csv"),
    "6dfgs": (0.04, 0.04, "parquet"), "primus": (0.10, 0.08, "csv"),
    "vandels": (0.03, 0.02, "fits"), "3dhst": (0.04, 0.02, "fits"),
}
FIELDS = DEEP_FIELDS | {"pole": (0.0, 90.0)}
FIELD_RADIUS = 3.5  # deg
STRIP_RA, STRIP_DEC = [300.0, 60.0], [-2.5, 2.5]  # deg
DEEP_CONTRAST = 1.5  # density of the fields over that of the strip
#: True galaxies a row, and how much the surveys prefer the bright ones, relative to the mock's: so
#: three rows in five are of different galaxies.
GALAXIES_A_ROW, PREFERENCE = 1.0, 0.2
#: One galaxy a thousand rows has a companion 0.4 to 1.2 arcsec away, up to so many.
ROWS_A_PAIR, MOST_PAIRS = 1_000, 5_000
#: For more there is no room among the galaxies, which are well apart.
MOST_ROWS = 45_000_000
#: About so many galaxies are made together, but those of no more blocks than fit in memory.
CHUNK_GALAXIES, CHUNK_BLOCKS = 80_000, 20_000
WORKERS = 2
SKY = MockSky(seed=6)

RECIPE = """\
schema: 1
name: many_surveys
redshifts:
  survey_path: definitions
  surveys:
{surveys}
output: {{directory: output}}
"""


@dataclass(frozen=True)
class Part:
    """Rows of one survey in one chunk of the sky, as the survey writes them."""

    survey: MockSurvey
    native: pa.Table


def main() -> None:
    """Write what the command line asks for."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--rows", type=int, default=6_600_000)
    asked = options.parse_args()
    print(write_surveys(asked.folder, asked.rows))


def write_surveys(folder: Path, rows: int) -> Path:
    """Write survey files of so many rows in all, the definitions and a recipe; give the recipe."""
    assert rows <= MOST_ROWS, f"at most {MOST_ROWS} rows"
    surveys = _surveys()
    totals = dict(zip((survey.key for survey in surveys),
                      apportion(rows, np.array([each.share for each in surveys])), strict=True))
    (folder / "surveys").mkdir(parents=True)
    _write_definitions(folder / "definitions", surveys)
    files: dict[str, NativeFile] = {}
    for part in _parts(surveys, _chunks(rows), totals):
        survey, native = part.survey, part.native
        if survey.key not in files:
            path = folder / "surveys" / survey.file
            files[survey.key] = new_file(path, native.schema, totals[survey.key])
        files[survey.key].write_table(native)
    for file in files.values():
        file.close()
    return _write_recipe(folder, surveys)


def _surveys() -> list[MockSurvey]:
    """The surveys of the mock and their copies, all of which look at galaxies far and near."""
    every = (0.0, 4.0)
    return [one for survey in SURVEYS for own, other, format_ in [SHARES[survey.key]] for one in (
        replace(survey, share=own, z_range=every),
        replace(survey, share=other, z_range=every, key=f"{survey.key}_ii", hard=False,
                file=f"{survey.key}_ii.{format_}"),
    )]


def _write_definitions(folder: Path, surveys: list[MockSurvey]) -> None:
    """Definitions of the copies, each with a place, year and rank of its own."""
    folder.mkdir()
    copies = [survey.key for survey in surveys if survey.key.endswith("_ii")]
    for number, key in enumerate(copies):
        told = yaml.safe_load((DATA / f"{key.removesuffix('_ii')}.yaml").read_text("utf-8"))
        told |= {"key": key, "ordinal": USER_ORDINAL + number, "name": f"{told['name']} again",
                 "year": told["year"] + 1, "rank": number % 3}
        (folder / f"{key}.yaml").write_text(yaml.safe_dump(told, sort_keys=False), "utf-8")


def _write_recipe(folder: Path, surveys: list[MockSurvey]) -> Path:
    lines = [f"    - {{survey: {each.key}, file: surveys/{each.file}}}" for each in surveys]
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(surveys="\n".join(lines)), "utf-8")
    return recipe


# --- the sky --------------------------------------------------------------------------------------
def _chunks(rows: int) -> list[Chunk]:
    """Pieces of the fields and of the strip, with as many galaxies as so many rows need."""
    deep = np.unique(np.concatenate([_field(ra, dec) for ra, dec in FIELDS.values()]))
    wide = np.setdiff1d(_strip(), deep)
    galaxies = round(GALAXIES_A_ROW * rows)
    size = min(CHUNK_BLOCKS, -(-CHUNK_GALAXIES * (len(deep) + len(wide)) // galaxies))
    pieces = [(blocks[start:start + size], contrast) for blocks, contrast in
              ((deep, DEEP_CONTRAST), (wide, 1.0)) for start in range(0, len(blocks), size)]
    weights = np.concatenate([np.full(len(blocks), contrast) for blocks, contrast in pieces])
    counts = np.split(apportion(galaxies, weights),
                      np.cumsum([len(blocks) for blocks, _ in pieces])[:-1])
    sums = np.array([each.sum() for each in counts], dtype=np.float64)
    pairs = apportion(min(rows // ROWS_A_PAIR, MOST_PAIRS), sums)
    return [Chunk(Tile(BLOCK_ORDER, int(blocks[0])), inside=True, blocks=blocks, counts=count,
                  deep=np.full(len(blocks), contrast > 1), n_hard=int(n_hard))
            for (blocks, contrast), count, n_hard in zip(pieces, counts, pairs, strict=True)]


def _field(ra: float, dec: float) -> Int64s:
    blocks = cdshealpix.cone_search(Longitude(ra, units.deg), Latitude(dec, units.deg),
                                    FIELD_RADIUS * units.deg, BLOCK_ORDER, flat=True)[0]
    return blocks.astype(np.int64)


def _strip() -> Int64s:
    ra, dec = Longitude(STRIP_RA, units.deg), Latitude(STRIP_DEC, units.deg)
    blocks = cdshealpix.zone_search(ra[0], dec[0], ra[1], dec[1], BLOCK_ORDER, flat=True)[0]
    return np.unique(blocks.astype(np.int64))


# --- the rows -------------------------------------------------------------------------------------
def _parts(surveys: list[MockSurvey], chunks: list[Chunk], totals: dict[str, int]
           ) -> Iterator[Part]:
    """All rows of all surveys in the order of the chunks, a few chunks ahead of who takes them."""
    quotas = [apportion(totals[each.key], np.array([each.weight_in(chunk) for chunk in chunks]))
              for each in surveys]
    rows = np.array(quotas).T
    starts = np.cumsum(rows, axis=0) - rows
    with ThreadPoolExecutor(WORKERS) as pool:
        for first in range(0, len(chunks), 2 * WORKERS):
            some = slice(first, first + 2 * WORKERS)
            for parts in pool.map(_observed, [surveys] * 2 * WORKERS, chunks[some], rows[some],
                                  starts[some]):
                yield from parts


def _observed(surveys: list[MockSurvey], chunk: Chunk, rows: Int64s, starts: Int64s
              ) -> list[Part]:
    """What every survey measures in a chunk; `starts` are the rows that it has already."""
    sky = populate(SKY, chunk)
    sky = replace(sky, magnitudes={"i": 20 + PREFERENCE * (sky.magnitudes["i"] - 20)})
    parts = []
    for survey, n, start in zip(surveys, rows.tolist(), starts.tolist(), strict=True):
        if n:
            native = survey.encode(observe(survey, SKY, chunk, sky, n),
                                   chunk.generator(SKY, survey.number, 1))
            parts.append(Part(survey, _with_own_ids(native, survey.id_column, start)))
    return parts


def _with_own_ids(native: pa.Table, name: str, start: int) -> pa.Table:
    """The rows with ids that other chunks do not have; what repeats within the chunk still does."""
    column = native[name]
    match name:
        case "SPECID" | "phot_id":
            ids = pa.array(start + np.arange(len(column)))
        case "TARGETID":  # negative ones are counted, others are those of the galaxies
            ids = pc.if_else(pc.less(column, 0), pc.subtract(column, start), column)
        case _:
            ids = pc.binary_join_element_wise(pc.utf8_trim_whitespace(column), f"{start:08d}", "-")
    return native.set_column(native.column_names.index(name), name, ids)


if __name__ == "__main__":
    main()
