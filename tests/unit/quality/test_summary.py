"""What a pass over the rows counts, against pandas over the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pz_tsm_core.quality.summary import Sides
from pz_tsm_core.quality.tally import Labels, median


@pytest.fixture(scope="module")
def frames(tables) -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas() for name, table in tables.items()}


def test_measurements_are_counted_by_all_that_tells_them_apart(compilation, frames) -> None:
    keys = ["survey", "quality", "object_class", "instrument_type", "reason"]
    expected = frames["measurements"].groupby(keys).size()
    assert dict(compilation().measurements) == expected.to_dict()


def test_galaxies_are_counted_by_survey_and_redshift(compilation, frames) -> None:
    told, galaxies = compilation(), frames["galaxies"]
    assert told.galaxies == len(galaxies)
    for survey, mine in galaxies.groupby("survey"):
        counts = told.redshifts.counts[survey]
        inside, _ = np.histogram(mine.z, told.redshifts.axis.edges)
        assert counts[1:-1].tolist() == inside.tolist()
    several = galaxies[galaxies.n_eligible > 1]
    assert told.repeated == len(several)
    assert told.discordant == (several.z_spread > 0.03).sum() > 0


def test_a_training_set_is_counted_in_all_its_respects(training_set, frames) -> None:
    told, rows = training_set(), frames["matched"]
    assert told.rows == len(rows) == told.sky.cells.rows.sum()
    assert told.band == "i"
    assert told.missing["i"] == rows.mag_i.isna().sum() > 0
    assert told.ambiguous == (rows.n_candidates > 1).sum()
    assert told.magnitudes.counts.sum() == rows.mag_i.notna().sum()
    assert {part: told.by_part.rows(part) for part in ("train", "test")} == (
        rows.split.value_counts().to_dict())


def test_offsets_are_the_angles_on_the_sky_object_minus_redshift(training_set, frames) -> None:
    told, rows = training_set(), frames["matched"]
    east = (rows.coord_ra - rows.ra) * np.cos(np.radians(rows.dec)) * 3600
    north = (rows.coord_dec - rows.dec) * 3600
    for tally, values in ((told.east, east), (told.north, north),
                          (told.separation, rows.separation)):
        assert median(tally.axis, tally.total) == pytest.approx(values.median(), abs=0.005)
        for survey in rows.survey.unique():
            mine = values[rows.survey == survey]
            assert tally.rows(survey) == len(mine)
            assert median(tally.axis, tally.counts[survey]) == pytest.approx(
                mine.median(), abs=0.02)


def test_an_offset_across_ra_zero_is_small(training_set, tables) -> None:
    told = training_set(0)
    batch = tables["matched"].slice(0, 1).to_batches()[0].to_pylist()[0]
    batch |= {"ra": 359.99999, "coord_ra": 0.00001, "dec": 0.0, "coord_dec": 0.0}
    told.add(pa.RecordBatch.from_pylist([batch], tables["matched"].schema))
    assert median(told.east.axis, told.east.total) == pytest.approx(0.072, abs=0.001)


def test_an_id_on_two_sides_is_found_whatever_the_batches() -> None:
    ids = np.array([5, 7, 9, 5, 7, 11], dtype=np.int64)
    parts = ["train", "train", "test", "test", "train", "test"]  # 5 is on both
    for size in (1, 2, 6):
        sides = Sides()
        for start in range(0, 6, size):
            sides.add(ids[start:start + size], Labels.of(pa.array(parts[start:start + size])))
        assert sides.shared == 1
    assert Sides().shared == 0


def test_conflicts_are_those_of_the_columns(compilation, frames) -> None:
    told, galaxies = compilation(), frames["galaxies"]
    assert told.z_conflicts == galaxies.z_conflict.sum() > 0
    assert told.class_conflicts == galaxies.class_conflict.sum() > 0
