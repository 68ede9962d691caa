"""Bad input: one clear error each, its code and place, and nothing published."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import open_store

TSM = Path(sys.executable).with_name("tsm")


@pytest.fixture
def sky(mock_sky, tmp_path) -> Path:
    """A mock sky of one's own to spoil, on two small surveys."""
    root = tmp_path / "sky"
    shutil.copytree(mock_sky.root, root)
    text = (root / "recipe.yaml").read_text("utf-8")
    for survey in ("desi_dr1", "6dfgs", "primus", "3dhst"):
        text = "\n".join(line for line in text.splitlines() if f"survey: {survey}," not in line)
    (root / "recipe.yaml").write_text(text + "\n", "utf-8")
    return root


def _recipe(old: str, new: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        file = root / "recipe.yaml"
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")

    return spoil


def _table(change: Callable[[pd.DataFrame], object]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        file = root / "surveys" / "2dfgrs.csv"
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        changed = change(table)
        (table if changed is None else changed).to_csv(file, index=False)

    return spoil


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        file = root / "surveys" / "vandels.parquet"
        file.write_bytes(change(file.read_bytes()))

    return spoil


def _set(column: str, row: int, value: str) -> Callable[[pd.DataFrame], object]:
    return lambda table: table.isetitem(
        table.columns.get_loc(column), table[column].where(table.index != row, value))


def _radians(root: Path) -> None:
    rows = Table({"RA": np.radians([10.0]), "DEC": [0.1], "Z": [0.5]}, units={"RA": "rad"})
    rows.write(root / "mine.fits")
    _own("mine.fits", "")(root)


def _own(file: str, more: str, text: str = "") -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        if text:
            (root / file).write_text(text)
        line = f"    - {{name: mine, file: {file}, columns: {{ra: RA, dec: DEC, z: Z{more}}}}}"
        _recipe("combine:", f"  tables:\n{line}\ncombine:")(root)

    return spoil


def _elsewhere(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(ra_j2000_deg="200.0", dec_j2000_deg="-60.0").head(1)


CASES = {
    "a misspelt key": (_recipe("radius_arcsec: 1.0", "radius_arcsek: 1"), Code.RECIPE_UNKNOWN_KEY),
    "an unknown survey": (_recipe("survey: vandels", "survey: vandals"), Code.SURVEY_UNKNOWN),
    "a file that is not there": (_recipe("2dfgrs.csv", "none.csv"), Code.FILE_MISSING),
    "an unknown flux": (_recipe("flux: cModel", "flux: cmodel"), Code.RECIPE_BAD_VALUE),
    "bands twice": (_recipe("flux: cModel", "bands: [i, i]"), Code.RECIPE_BAD_VALUE),
    "trust in a survey that brings nothing": (
        _recipe("min_quality: 3", "survey_rank: [vandal]"), Code.RECIPE_BAD_VALUE),
    "a criterion twice": (_recipe("min_quality: 3", "prefer: [quality, quality]"),
                          Code.RECIPE_BAD_VALUE),
    "no dust map there": (_recipe("directory: dust", "directory: dusk"), Code.DUST_MAP),
    "a path that is no HATS": (_recipe("path: object_collection", "path: truth"),
                               Code.CATALOG_INVALID),
    "a margin too narrow": (_recipe("radius_arcsec: 1.0", "radius_arcsec: 6\n  engine: lsdb"),
                            Code.CATALOG_MARGIN),
    "a missing column": (_table(lambda t: t.drop(columns="quality")), Code.TABLE_MISSING_COLUMN),
    "RA out of range": (_table(_set("ra_j2000_deg", 3, "400")), Code.POSITION_RANGE),
    "a NaN position": (_table(_set("dec_j2000_deg", 3, "nan")), Code.POSITION_MISSING),
    "text where numbers must be": (_table(_set("z", 0, "much")), Code.TABLE_COLUMN_TYPE),
    "no rows": (_table(lambda t: t.head(0)), Code.TABLE_EMPTY),
    "an empty file": (_bytes(lambda b: b""), Code.TABLE_EMPTY),
    "a truncated file": (_bytes(lambda b: b[: len(b) // 2]), Code.FILE_DAMAGED),
    "garbage": (_bytes(lambda b: b"\x00\x1b[2J" * 100), Code.FILE_DAMAGED),
    "angles in radians": (_radians, Code.TABLE_UNIT),
    "a quality beyond the scale": (_own("mine.csv", ", quality: Q", "RA,DEC,Z,Q\n1,2,0.5,9\n"),
                                   Code.VALUE_RANGE),
    "two columns of one name": (_own("mine.csv", "", "RA,RA,DEC,Z\n1,1,2,0.5\n"),
                                Code.TABLE_DUPLICATE_COLUMN),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_its_one_error(case, sky, run, tmp_path) -> None:
    spoil, code = CASES[case]
    spoil(sky)
    store = open_store(tmp_path / "store")
    with pytest.raises(TsmError) as refused:
        run(load_recipe(sky / "recipe.yaml"), store)
    assert refused.value.codes == (code,)
    told = str(refused.value)
    assert all(word in told for word in ("found:", "expected:", "to do:"))
    assert "\x1b" not in told
    assert not (sky / "output").exists()


def test_a_table_with_no_match_is_refused(sky, run, tmp_path) -> None:
    _table(_elsewhere)(sky)
    text = (sky / "recipe.yaml").read_text("utf-8")
    alone = "\n".join(line for line in text.splitlines() if "survey: vandels" not in line)
    (sky / "recipe.yaml").write_text(alone, "utf-8")
    with pytest.raises(TsmError) as refused:
        run(load_recipe(sky / "recipe.yaml"), open_store(tmp_path / "store"))
    assert refused.value.codes == (Code.MATCH_EMPTY,)


@pytest.mark.parametrize(("arguments", "environment", "code"), [
    (["run", "nowhere.yaml"], {}, "file.missing"),
    (["run", "recipe.yaml", "--store", "recipe.yaml/sub"], {}, "store.io"),
    (["run", "recipe.yaml"], {"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "service.unreachable"),
    (["mock", "recipe.yaml"], {}, "store.io"),
    (["mock", "surveys"], {}, "output.exists"),
])
def test_the_command_line_ends_with_status_1_and_no_traceback(
    sky, arguments, environment, code
) -> None:
    done = subprocess.run([TSM, *arguments], cwd=sky, capture_output=True, text=True, check=False,
                          env={"PATH": "", "HOME": str(sky), **environment}, timeout=60)
    assert done.returncode == 1
    assert f"[{code}]" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
