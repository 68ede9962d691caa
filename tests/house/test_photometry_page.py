"""The page on photometry tells every key, every default, every column and every reason."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.model.photometry import SOFTENING_NJY, PhotometryPolicy, SelectPolicy
from pz_tsm_core.model.release import FluxColumns, Release
from pz_tsm_core.model.schema import photometric_columns
from pz_tsm_core.ops.measured import BandFlux
from pz_tsm_core.ops.photometry import DROPPED, Account, add_photometry

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "photometry.md").read_text("utf-8")
OWN = (DOCS / "how-to" / "own_catalogue.md").read_text("utf-8")


@pytest.mark.parametrize("key", PhotometryPolicy.model_fields)
def test_every_key_stands_in_the_table_with_its_default(key) -> None:
    row, = re.findall(rf"^\| `{key}` \|(.*)$", PAGE, re.MULTILINE)
    default = getattr(PhotometryPolicy(), key)
    if key == "softening_njy":
        assert ", ".join(f"{band} {value}" for band, value in SOFTENING_NJY.items()) in row
    elif isinstance(default, str | float):
        assert f"{default:g}" in row if isinstance(default, float) else f"`{default}`" in row


def test_every_column_and_every_reason_is_told() -> None:
    account = Account()
    add_photometry(pa.table({"f": [1.0], "e": [1.0]}), [BandFlux("i", "f", "e")],
                   PhotometryPolicy(bands=("i",)), ebv=np.zeros(1), coefficients={"i": 1.0},
                   account=account)
    names = [column.name.replace("_i", "_b") for column in photometric_columns("i").values()]
    for word in (*names, *account.counts, *DROPPED, *SelectPolicy.model_fields):
        assert f"`{word}`" in PAGE or f"{word}:" in PAGE, word


def test_every_key_of_a_profile_is_told() -> None:
    for model in (Release, FluxColumns):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in OWN, name
