"""From a notebook: the same stages on pandas and astropy tables, without Prefect."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.table import QTable, Table

import pz_tsm_core as tsm
from pz_tsm_core.frames import like, to_arrow
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.photometry import PhotometryPolicy, SelectPolicy
from pz_tsm_core.model.policy import (
    ClusterPolicy,
    Dereddening,
    MatchPolicy,
    SplitPolicy,
    StandardizePolicy,
)
from pz_tsm_core.model.recipe import ObjectCatalog
from pz_tsm_core.ops import combine as combining
from pz_tsm_core.ops.combine import combine

ID = 576460752321327074  # no float64 holds it


def test_a_dozen_lines_make_the_training_set_of_the_flow(mock_sky, mock_run, tmp_path) -> None:
    surveys = [tsm.standardize(tsm.read(file), key) for key, file in mock_sky.surveys.items()]
    galaxies = tsm.combine(*surveys)
    matches = tsm.match(galaxies, mock_sky.objects)
    corrected = tsm.magnitudes(matches, dust_maps=mock_sky.dust)
    training_set = tsm.split(corrected, seed=2026, train=0.7, validation=0.15, test=0.15)
    tsm.write(training_set, tmp_path / "training_set.parquet")
    tsm.write(training_set, tmp_path / "training_set.hdf5")
    ours = pq.read_table(tmp_path / "training_set.parquet").sort_by("galaxy_id")
    theirs = mock_run.table("split", "training_set").sort_by("galaxy_id")
    assert isinstance(training_set, pd.DataFrame)
    assert ours.column_names == theirs.column_names
    for name in theirs.column_names:
        pd.testing.assert_series_equal(ours[name].to_pandas(), theirs[name].to_pandas(),
                                       check_exact=True, obj=name)


def test_astropy_tables_come_back_as_astropy_tables(mock_sky) -> None:
    table = Table.read(mock_sky.surveys["primus"])
    galaxies = tsm.combine(tsm.standardize(table, "primus"))
    assert isinstance(galaxies, Table)
    assert str(galaxies["ra"].unit) == "deg"
    assert galaxies["galaxy_id"].dtype == np.int64
    assert len(galaxies) > 100


@pytest.mark.parametrize("example", [pd.DataFrame(), Table(), pa.table({})])
def test_ids_nulls_and_text_survive_the_way_there_and_back(example) -> None:
    table = pa.table({"id": pa.array([ID, None]), "x": [0.5, None], "s": ["a", None]})
    there = like(table, example)
    back = to_arrow(there)
    assert back["id"].to_pylist() == [ID, None]
    assert back["x"].to_pylist() == [0.5, None]
    assert back["s"].to_pylist() == ["a", None]


def test_a_table_of_ones_own_goes_the_same_way(tmp_path) -> None:
    mine = pd.DataFrame({"name": ["a", "b", "c"], "RA": [1.0, 1.0, 2.0], "DEC": [0.0] * 3,
                         "Z": [0.5, 0.51, -99], "Q": [3, 4, 4]})
    survey = tsm.own_survey("mine", id="name", ra="RA", dec="DEC", z="Z", quality="Q",
                            instrument_type="g")
    standard = tsm.standardize(mine, survey)
    assert standard["quality"].tolist().count(4) == 1  # -99 is no redshift
    assert set(standard["instrument_type"]) == {"g"}
    galaxies = tsm.combine(standard)
    assert galaxies["native_id"].tolist() == ["b"]
    tsm.write(galaxies, tmp_path / "galaxies.parquet")
    field = pq.read_schema(tmp_path / "galaxies.parquet").field("ra")
    assert field.metadata[b"unit"] == b"deg"


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(tsm.TsmError, match=r"table\.kind"):
        tsm.standardize({"ra": [1.0]}, "primus")


def test_mistakes_in_arguments_are_told_like_those_of_a_recipe() -> None:
    table = pa.table({"galaxy_id": [1]})
    for call in (lambda: tsm.split(table, train=0.5), tsm.combine,
                 lambda: tsm.combine(table, radius_arcsec=-1),
                 lambda: tsm.magnitudes(table, flux="cmodel")):
        with pytest.raises(tsm.TsmError):
            call()


def test_a_table_without_redshifts_is_no_file_for_rail(tmp_path) -> None:
    with pytest.raises(tsm.TsmError, match=r"table\.missing-column"):
        tsm.write(pa.table({"galaxy_id": [1]}), tmp_path / "x.hdf5")
    assert not (tmp_path / "x.hdf5").exists()


def test_angles_in_radians_become_degrees() -> None:
    table = QTable({"ra": np.radians([10.0]) * units.rad, "sep": [1.0] * units.arcsec})
    arrow = to_arrow(table)
    assert arrow["ra"].to_pylist() == pytest.approx([10.0])
    assert arrow["sep"].to_pylist() == [1.0]


def test_an_unknown_suffix_and_an_existing_file_are_refused(tmp_path) -> None:
    table = pa.table({"galaxy_id": [1]})
    with pytest.raises(tsm.TsmError, match=r"file\.format"):
        tsm.write(table, tmp_path / "x.xlsx")
    (tmp_path / "x.parquet").touch()
    with pytest.raises(tsm.TsmError, match=r"output\.exists"):
        tsm.write(table, tmp_path / "x.parquet")


def test_importing_the_package_loads_neither_prefect_nor_lsdb() -> None:
    code = ("import sys, pz_tsm_core; print([m for m in ('prefect', 'lsdb', 'dask', 'pandas') "
            "if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_defaults_of_the_notebook_are_those_of_a_recipe(monkeypatch) -> None:
    policies = {
        tsm.standardize: [StandardizePolicy()], tsm.combine: [CombinePolicy()],
        tsm.match: [MatchPolicy(), PhotometryPolicy(), ClusterPolicy()],
        tsm.magnitudes: [PhotometryPolicy(), Dereddening()], tsm.split: [SplitPolicy()],
        tsm.select: [SelectPolicy()],
    }
    compared = 0
    for function, values in policies.items():
        for name, parameter in inspect.signature(function).parameters.items():
            for value in values:
                keyword = parameter.kind is not inspect.Parameter.VAR_KEYWORD
                if keyword and name in type(value).model_fields:
                    # As a recipe would read it: one word stands for a list of it.
                    said = {} if parameter.default is None else {name: parameter.default}
                    read = type(value).model_validate(said)
                    assert getattr(read, name) == getattr(value, name), (function, name)
                    compared += 1
                    break  # of two policies with one word the first is meant
    table = tsm.standardize(pd.DataFrame({"R": [1.0, 1.0], "D": [0.0, 1e-5], "Z": [0.5, 0.6]}),
                            tsm.own_survey("mine", ra="R", dec="D", z="Z"))
    seen = []
    monkeypatch.setattr(combining, "combine", lambda rows, policy: seen.append(policy) or
                        combine(rows, policy))
    tsm.combine(table)  # its choices have no place in its signature
    for name in CombinePolicy.model_fields:
        assert getattr(seen[0], name) == getattr(CombinePolicy(), name), name
        compared += 1
    assert compared >= 11
    catalog = ObjectCatalog(path="x")
    assert inspect.signature(tsm.match).parameters["release"].default == catalog.release


def test_a_hostile_unit_is_left_out_and_a_sound_one_kept():
    """astropy would work for ever on a power of such powers."""
    fields = [pa.field(name, pa.float64(), metadata={"unit": unit}) for name, unit in
              (("a", "10**(10**10)"), ("b", "km / s"), ("c", "(10)^(10^10)"), ("d", "m**2"))]
    table = like(pa.table([[1.0]] * 4, schema=pa.schema(fields)), Table())
    assert [str(table[name].unit) for name in "abcd"] == ["None", "km / s", "None", "m2"]
