"""Survey files in their native formats, and the truth about every row of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.table import Table

from pz_tsm_core.mock.catalog import object_id
from pz_tsm_core.mock.galaxies import CLASSES
from pz_tsm_core.mock.spec import MOCK_VERSION, MockPaths, MockSky
from pz_tsm_core.mock.targets import Measurements, MockSurvey
from pz_tsm_core.store import PARQUET


def write_surveys(
    paths: MockPaths, spec: MockSky, surveys: tuple[MockSurvey, ...],
    seen: Mapping[str, Measurements],
) -> None:
    """Write each survey in a random order of rows, and the truth of all in that order."""
    folder = paths.root / "surveys"
    folder.mkdir(parents=True)
    truths = []
    for survey in surveys:
        key = (spec.seed, MOCK_VERSION, survey.number)
        rng = np.random.default_rng(np.random.SeedSequence(key))
        rows = seen[survey.key].take(rng.permutation(len(seen[survey.key])))
        native = survey.encode(rows, rng)
        _write_native(native, folder / survey.file)
        truths.append(_truth(survey, rows, native))
    pq.write_table(pa.concat_tables(truths), paths.truth_measurements, **PARQUET)


def _write_native(native: pa.Table, file: Path) -> None:
    match file.suffix:
        case ".csv":
            pyarrow.csv.write_csv(native, file)
        case ".fits":
            Table({name: native[name].to_numpy() if not pa.types.is_string(native[name].type)
                   else np.array(native[name].to_pylist(), dtype=np.str_)
                   for name in native.column_names}).write(file)
        case _:
            pq.write_table(native, file, **PARQUET)


def _truth(survey: MockSurvey, rows: Measurements, native: pa.Table) -> pa.Table:
    """What is true of every row, beside its place in the native file.

    `z` is what the file says, at the precision of the file, and null where the row has no
    redshift (quality 0), even if the file has a number there. `quality` and the rest are what the
    native flags were derived from; a flag for stars may leave no room for the instrument.
    """
    n = len(rows)
    kinds = pa.DictionaryArray.from_arrays(rows.object_class.astype(np.int8), list(CLASSES))
    return pa.table({
        "survey": pa.array(np.full(n, survey.key)),
        "row": np.arange(n),
        "native_id": pc.utf8_trim_whitespace(native[survey.id_column].cast(pa.string())),
        "galaxy": rows.number,
        "objectId": pa.array(object_id(rows.number), mask=~rows.inside),
        "ra": rows.ra, "dec": rows.dec,
        "z": pa.array(rows.z, mask=np.isnan(rows.z)), "z_true": rows.z_true,
        "quality": rows.quality.astype(np.int8),
        "object_class": kinds.cast(pa.string()),
        "instrument_type": pa.array(rows.instrument),
        "is_blunder": rows.blunder, "is_repeat": rows.repeat, "is_hard": rows.hard,
    })
