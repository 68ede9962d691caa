"""One small catalogue, published in many ways by a server on this machine."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import Reach
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys.definition import parse_survey
from tests.sources.conftest import _dachs, tap  # noqa: F401 - fixtures

DEFINITION = """\
schema: 1
key: deep_field
ordinal: 1000000
name: The Deep Field
facility: VLT/VIMOS
release: R1
year: 2026
sources: [{sources}]
types: {{ID: int, RAJ2000: float, DEJ2000: float, z: float, Q: int, Name: text}}
columns:
  id: {{from: ID}}
  ra: {{from: RAJ2000, unit: deg}}
  dec: {{from: DEJ2000, unit: deg}}
  z: {{from: z}}
  native_flag: {{from: Q}}
  others: [Name]
quality: {{otherwise: 3, source: "section 4"}}
object_class: {{otherwise: galaxy, source: "section 4"}}
instrument_type: {{otherwise: s, source: slit spectra}}
"""


def survey_at(*places):
    """The survey, published at these places: mappings such as `Source` takes."""
    said = ", ".join(
        "{" + ", ".join(f'{key}: "{value}"' if isinstance(value, str) else f"{key}: {value}"
                        for key, value in place.items()) + "}" for place in places)
    return parse_survey(DEFINITION.format(sources=said), "deep_field.yaml")


def catalogue(rows=500, seed=4):
    """Rows around ra 0, with ids beyond 2^53, missing numbers and missing text."""
    random = np.random.default_rng(seed)
    return Table({
        "ID": 2**60 + np.arange(rows),
        "RAJ2000": random.normal(0, 1, rows) % 360,
        "DEJ2000": random.normal(-30, 1, rows),
        "z": np.where(random.random(rows) < 0.1, np.nan, random.random(rows)),
        "Q": MaskedColumn(random.integers(0, 5, rows), mask=random.random(rows) < 0.1),
        "Name": np.where(random.random(rows) < 0.1, "", "g" + np.arange(rows).astype("U6")),
    })


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def reach():
    return Reach(FetchLimits(total_seconds=60, connect_seconds=2, stall_seconds=5, retries=1,
                             per_second=1000))
