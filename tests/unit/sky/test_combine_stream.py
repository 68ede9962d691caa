"""Measurements combined part by part give what they give at once, whatever the parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.policy import ClusterPolicy
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA
from pz_tsm_core.ops import associate
from pz_tsm_core.ops.combine import Combined, combine
from pz_tsm_core.sky import combine as streaming
from pz_tsm_core.sky.combine import CombinedStream
from pz_tsm_core.sphere import spatial_index
from pz_tsm_core.store import table_digest

TABLES = ("measurements", "galaxies", "pairs")


def _sky(n: int = 3000) -> pa.Table:
    """Two surveys of galaxies measured up to ten times, around RA 0 and both poles, and a crowd."""
    rng = np.random.default_rng(11)
    centre = rng.integers(0, 900, n)
    near, anywhere = rng.normal(0, 0.1, 900)[centre], rng.uniform(0, 360, 900)[centre]
    ra0 = np.where(centre % 3 == 0, near, anywhere)
    dec0 = np.where(centre % 3 == 1, 90 - rng.random(900)[centre] / 60,
                    np.where(centre % 3 == 2, rng.random(900)[centre] / 60 - 90,
                             rng.normal(0, 0.1, 900)[centre]))
    dec = np.clip(dec0 + rng.normal(0, 0.2 / 3600, n), -90, 90)
    ra = (ra0 + rng.normal(0, 0.2 / 3600, n) / np.maximum(np.cos(np.radians(dec)), 1e-5)) % 360
    ra[:300], dec[:300] = rng.uniform(0, 1 / 3600, (2, 300))
    survey = rng.integers(0, 2, n)
    return pa.table({
        "row_id": rng.permutation(n) * 1_000_003, "survey": np.array(["one", "two"])[survey],
        "survey_ordinal": survey + 1, "release": ["r"] * n, "native_id": pa.nulls(n),
        "native_key": [f"{place:05d}" for place in rng.permutation(n)],
        "native_rank": np.zeros(n), "ra": ra, "dec": dec, "z": rng.choice([0.5, 0.5004, 0.9], n),
        "z_err": rng.choice([1e-4, 2e-4], n), "quality": rng.integers(2, 5, n),
        "object_class": np.where(rng.random(n) < 0.05, "star", "galaxy"),
        "instrument_type": rng.choice(["s", "g"], n), "native_flag": pa.nulls(n),
        "pos_err": rng.uniform(0.05, 0.2, n), "snr": rng.uniform(1, 9, n),
        "year": survey + 2001, "survey_rank": -survey,
    }).cast(MEASUREMENT_SCHEMA)


def _stream(tables: Sequence[pa.Table], policy: CombinePolicy, rows: int = 100, **cluster):
    def source(table: pa.Table):
        def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            yield from table.select(list(columns)).to_batches(max_chunksize=rows)
        return batches

    return CombinedStream([source(table) for table in tables], policy,
                          ClusterPolicy.model_validate(cluster))


def _gathered(stream: CombinedStream) -> dict[str, pa.Table]:
    parts = [settled for settled, _ in stream.parts()]
    return {name: pa.concat_tables([getattr(part, name) for part in parts]) for name in TABLES}


def _along_the_sky(table: pa.Table) -> pa.Table:
    index = spatial_index(table["ra"].to_numpy(), table["dec"].to_numpy())
    return table.take(pa.array(np.argsort(index, kind="stable")))


@pytest.fixture(scope="module")
def sky() -> pa.Table:
    return _sky()


@pytest.fixture(scope="module")
def at_once(sky: pa.Table) -> Combined:
    return combine(sky, CombinePolicy())


@pytest.mark.parametrize("part_rows", [50, 700, 10**6])
@pytest.mark.parametrize("workers", [1, 2])
def test_parts_and_workers_give_the_tables_of_one_piece(
    sky, at_once, part_rows, workers, monkeypatch
) -> None:
    monkeypatch.setattr(streaming, "PART_ROWS", part_rows)
    monkeypatch.setattr(associate, "BAND_ROWS", part_rows)
    stream = _stream([_along_the_sky(sky)], CombinePolicy(), workers=workers)
    found = _gathered(stream)
    for name in TABLES:
        assert found[name].equals(getattr(at_once, name)), name
    assert stream.rows() == at_once.rows
    assert stream.counts == at_once.counts


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_rows_and_their_division_into_inputs_do_not_matter(
    sky, at_once, seed, monkeypatch
) -> None:
    monkeypatch.setattr(streaming, "PART_ROWS", 500)
    rng = np.random.default_rng(seed)
    shuffled = sky.take(pa.array(rng.permutation(len(sky))))
    cuts = np.sort(rng.integers(0, len(sky), 3))
    tables = [shuffled.slice(start, end - start)
              for start, end in zip([0, *cuts], [*cuts, len(sky)], strict=True)]
    found = _gathered(_stream(tables, CombinePolicy(), rows=int(rng.integers(1, 999))))
    for name in TABLES:
        assert found[name].equals(getattr(at_once, name)), name


@pytest.mark.parametrize("policy", [
    {"preset": "crc"}, {"preset": "des"}, {"mode": "mark"}, {"mode": "concatenate"},
    {"chains": "split", "max_extent_arcsec": 0.75}, {"position_errors": {}, "average": True},
    {"survey_radius_arcsec": {"two": 0.4}, "disagreement": "keep_all"},
])
def test_every_policy_gives_the_same_in_parts(sky, policy, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "PART_ROWS", 200)
    chosen = CombinePolicy.model_validate(policy)
    expected = combine(sky, chosen)
    stream = _stream([_along_the_sky(sky)], chosen)
    found = _gathered(stream)
    assert stream.counts == expected.counts
    for name in TABLES:
        assert table_digest(found[name]) == table_digest(getattr(expected, name)), name


def test_places_in_the_inputs_name_rows_as_the_pipeline_of_crc_would(sky, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "PART_ROWS", 200)
    tables = [sky.filter(pc.equal(sky["survey"], name)) for name in ("one", "two")]
    policy = CombinePolicy(preset="crc")
    expected = combine(pa.concat_tables(tables), policy).crd
    parts = [settled.crd for settled, _ in _stream(tables, policy).parts()]
    assert pa.concat_tables(parts).sort_by("row_id").equals(expected.sort_by("row_id"))


def test_processes_of_a_cluster_give_the_same(sky, at_once, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "PART_ROWS", 1000)
    found = _gathered(_stream([_along_the_sky(sky)], CombinePolicy(), kind="local", workers=1))
    for name in TABLES:
        assert found[name].equals(getattr(at_once, name)), name


def test_rows_that_come_from_two_inputs_count_once(sky, at_once, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "PART_ROWS", 300)
    again = sky.slice(100, 250)
    stream = _stream([_along_the_sky(sky), again], CombinePolicy())
    assert _gathered(stream)["measurements"].equals(at_once.measurements)
    assert stream.rows().dropped["repeated_row"] == 250
    changed = again.set_column(9, "z", pa.array(np.full(250, 0.7)))
    with pytest.raises(TsmError, match=r"id\.collision"):
        _gathered(_stream([sky, changed.cast(MEASUREMENT_SCHEMA)], CombinePolicy()))


def test_nothing_becomes_nothing(sky) -> None:
    stream = _stream([sky.slice(0, 0)], CombinePolicy())
    assert list(stream.parts()) == []
    assert (stream.rows().taken, stream.rows().given) == (0, 0)
