"""Small results to report on, made without a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.model.artifact import PUBLIC, FileEntry
from pz_tsm_core.model.chance import Chance
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.quality.balance import Step
from pz_tsm_core.quality.metrics import Found
from pz_tsm_core.quality.page import Report, checks_of
from pz_tsm_core.quality.summary import Compilation, TrainingSet, summarise_compilation
from pz_tsm_core.releases import get_release

FRACTIONS = {"train": 0.7, "test": 0.3}


def measurements(rows: int, surveys: int) -> pa.Table:
    rng = np.random.default_rng(4)
    return pa.table({
        "survey": [f"survey_{number % surveys}" for number in range(rows)],
        "quality": pa.array(rng.integers(0, 5, rows), pa.int8()),
        "object_class": rng.choice(["galaxy", "star"], rows).tolist(),
        "instrument_type": rng.choice(["s", "g"], rows).tolist(),
        "reason": pa.array(rng.integers(0, len(Reason), rows), pa.int8()),
    })


def galaxies(rows: int, surveys: int) -> pa.Table:
    rng = np.random.default_rng(5)
    return pa.table({
        "survey": [f"survey_{number % surveys}" for number in range(rows)],
        "ra": rng.uniform(150, 151, rows), "dec": rng.uniform(2, 3, rows),
        "z": rng.gamma(2, 0.3, rows), "n_eligible": pa.array(rng.integers(1, 4, rows), pa.int32()),
        "z_spread": rng.exponential(0.01, rows),
        "z_conflict": rng.random(rows) < 0.02, "class_conflict": rng.random(rows) < 0.03,
    })


def matched(rows: int, surveys: int) -> pa.Table:
    rng = np.random.default_rng(6)
    base = galaxies(rows, surveys)
    east, north = rng.normal(20, 100, rows), rng.normal(-30, 100, rows)  # mas
    magnitudes = np.where(rng.uniform(size=rows) < 0.1, np.nan, rng.normal(22, 1.5, rows))
    columns: dict[str, Any] = {
        "row_id": pa.array(np.arange(rows)),
        "galaxy_id": pa.array(rng.permutation(rows), pa.int64()),
        "objectId": pa.array(2**62 + rng.permutation(rows), pa.int64()),
        "split": rng.choice(list(FRACTIONS), rows, p=list(FRACTIONS.values())).tolist(),
        "separation": np.hypot(east, north) / 1000,
        "n_candidates": pa.array(rng.integers(1, 3, rows), pa.int32()),
        "coord_ra": base["ra"].to_numpy()
        + east / 3.6e6 / np.cos(np.radians(base["dec"].to_numpy())),
        "coord_dec": base["dec"].to_numpy() + north / 3.6e6,
        "ebv": pa.array(rng.uniform(0.01, 0.1, rows), pa.float32()),
        "ebv_applied": pa.array(rng.uniform(0.01, 0.1, rows), pa.float32()),
        "mag_i": pa.array(magnitudes, from_pandas=True),
    }
    for name, values in columns.items():
        base = base.append_column(name, pa.array(values))
    return base


@pytest.fixture(scope="session")
def tables() -> dict[str, pa.Table]:
    """What `compilation()` and `training_set()` are made of by default."""
    return {"measurements": measurements(800, 3), "galaxies": galaxies(400, 3),
            "matched": matched(300, 3)}


@pytest.fixture
def compilation() -> Callable[..., Compilation]:
    def make(rows: int = 400, surveys: int = 3) -> Compilation:
        return summarise_compilation(measurements(2 * rows, surveys).to_batches(37),
                                     galaxies(rows, surveys).to_batches(37))
    return make


@pytest.fixture
def training_set() -> Callable[..., TrainingSet]:
    def make(rows: int = 300, surveys: int = 3) -> TrainingSet:
        told = TrainingSet(get_release("dp1"), ("i",), 1.0, Dereddening())
        for batch in matched(rows, surveys).to_batches(41):
            told.add(batch)
        return told
    return make


@pytest.fixture
def found(compilation, training_set) -> Callable[..., Found]:
    """What is found of a result of so many rows; without photometry for `matched=False`."""
    def make(rows: int = 300, surveys: int = 3, *, matched: bool = True) -> Found:
        return Found(
            balance=[], rules=[], compilation=compilation(rows, surveys), fractions=FRACTIONS,
            training_set=training_set(rows, surveys) if matched else None,
            chance=Chance(positions=4 * rows, hits=rows // 10, galaxies=rows, matched=rows,
                          wrong=rows / 200) if matched else None,
        )
    return make


@pytest.fixture
def report(found) -> Callable[..., Report]:
    def make(rows: int = 300, surveys: int = 3, *, matched: bool = True, **other: Any) -> Report:
        told = found(rows, surveys, matched=matched)
        content = {
            "title": "a run", "recipe": {"schema": 1, "name": "a run"}, "found": told,
            "checks": checks_of(told), "names": {}, "compilation": "0" * 64, "access": PUBLIC,
            "software": "1.0", "cited": (Cited(kind="survey", key="survey_0", name="A survey",
                                               rows=3, bibcodes=("2001MNRAS.328.1039C",)),),
            "files": (FileEntry(path="training_set.parquet", size=1234, sha256="0" * 64),),
        }
        return Report(**{**content, **other})
    return make


@pytest.fixture
def step() -> Callable[..., Step]:
    from pz_tsm_core.model.artifact import Rows

    def make(taken: int, expected: int | None) -> Step:
        return Step("a stage", Rows(taken=taken, given=taken), expected)
    return make
