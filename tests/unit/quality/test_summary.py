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


def test_a_galaxy_of_several_rows_is_told_of_by_its_first_whatever_the_batches(
    training_set, tables
) -> None:
    once = tables["matched"]
    place = np.repeat(np.arange(len(once)), np.arange(len(once)) % 3 + 1)
    rank = np.arange(len(place)) - np.flatnonzero(np.diff(place, prepend=-1))[place]
    rows = once.take(pa.array(place))
    rows = rows.set_column(rows.schema.get_field_index("separation"), "separation",
                           pa.array(np.where(rank, 0.9, rows["separation"].to_numpy())))
    for size in (1, 7, len(rows)):
        told, single = training_set(0), training_set()
        for batch in rows.to_batches(size):
            told.add(batch)
        assert (told.rows, told.galaxies, told.matched) == (len(rows), len(once), len(once))
        assert told.missing == single.missing
        assert told.ambiguous == single.ambiguous
        for name in ("separation", "east", "by_survey", "by_part"):
            assert (getattr(told, name).total == getattr(single, name).total).all()


def test_a_galaxy_without_an_object_is_a_galaxy_and_no_match(training_set, tables) -> None:
    rows = tables["matched"]
    alone = np.arange(len(rows)) % 4 == 0
    objects = ("objectId", "separation", "coord_ra", "coord_dec", "ebv", "ebv_applied", "mag_i")
    for name in objects:
        values = rows[name].combine_chunks()
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(
            [None if lone else value.as_py() for lone, value in zip(alone, values, strict=True)],
            values.type))
    told = training_set(0)
    for batch in rows.to_batches(41):
        told.add(batch)
    frame = rows.to_pandas()[~alone]
    assert (told.rows, told.galaxies, told.matched) == (len(rows), len(rows), len(frame))
    assert told.missing["i"] == frame.mag_i.isna().sum()
    assert told.ambiguous == (frame.n_candidates > 1).sum()
    assert told.separation.total.sum() == told.east.total.sum() == len(frame)
    assert (told.reddened.rows, told.reddened.unknown) == (len(frame), 0)
    assert told.object_sides.shared == 0
    assert told.by_survey.total.sum() == told.sky.cells.rows.sum() == len(rows)


def test_ids_of_objects_beside_nulls_keep_their_last_digit(training_set, tables) -> None:
    """2**62 and 2**62 + 1 are one number to a float, and would be one object on two parts."""
    batch = tables["matched"].slice(0, 3).to_pylist()
    for number, row in enumerate(batch):
        row |= {"row_id": number, "objectId": (2**62, 2**62 + 1, None)[number],
                "split": ("train", "test", "test")[number]}
    told = training_set(0)
    told.add(pa.RecordBatch.from_pylist(batch, tables["matched"].schema))
    assert told.object_sides.shared == 0


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
