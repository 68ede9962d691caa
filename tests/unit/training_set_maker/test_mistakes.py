"""What is wrong with a configuration is told all at once, with its line and the nearest word."""

from __future__ import annotations

import pytest

from pz_tsm_core import training_set_maker
from pz_tsm_core.errors import Code, TsmError


def problems(setup):
    """Place -> problem, of a configuration that is refused."""
    with pytest.raises(TsmError) as caught:
        setup.make()
    assert len(caught.value.problems) == len(set(caught.value.problems))
    return {problem.where.partition(": ")[2]: problem for problem in caught.value.problems}


@pytest.mark.parametrize(("place", "value", "nearest"), [
    ("output_format", "fts", "`fits`"),
    ("output_format", "votable", "choose one of"),
    ("executor.name", "slrm", "`slurm`"),
    ("param.split_method", "randm", "`random`"),
    ("param.crossmatch.how", "left", "choose one of: `inner`"),
    ("param.train_fraction", 1.0, "less than 1"),
    ("param.train_fraction", 0, "greater than 0"),
    ("param.crossmatch.radius_arcsec", -1, "greater than 0"),
    ("param.crossmatch.n_neighbors", 0, "greater than or equal to 1"),
    ("param.random_seed", "x", "valid integer"),
    ("param.flux_type", "../psf", "without folders"),
    ("param.hats_config", [1], "valid dictionary"),
    ("output_name", "a/b", "without folders"),
    ("output_dir", "../b", "inside output_root_dir"),
])
def test_a_wrong_value_is_told_with_its_line_and_what_is_expected(setup, place, value, nearest):
    *path, key = place.split(".")
    part = setup.config
    for step in path:
        part = part[step]
    part[key] = value
    problem = problems(setup)[place]
    assert nearest in problem.expected
    lines = (setup.folder / "config.yaml").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.strip().startswith(f"{key}:"))
    assert problem.where == f"config.yaml line {line}: {place}"


def test_everything_is_told_at_once(setup):
    setup.config["output_formt"] = "fits"
    setup.param.update(train_fraction=2, selected_col=["id"])
    setup.param["crossmatch"]["radius"] = 3
    setup.entries[0]["columns"].update(z="ZZ", ra="RA")
    setup.config["inputs"]["dataset"]["pth"] = "x"
    setup.config["inputs"]["datset"] = {}
    found = problems(setup)
    assert set(found) == {
        "output_formt", "param.train_fraction", "param.selected_col", "param.crossmatch.radius",
        "inputs.specz.0.columns.z", "inputs.specz.0.columns.ra", "inputs.dataset.pth",
        "inputs.datset"}
    assert found["param.crossmatch.radius"].remedy == "did you mean `radius_arcsec`?"
    assert found["inputs.specz.0.columns.ra"].remedy == "did you mean `ra`?"


def test_files_and_columns_that_are_not_there_are_told_together(setup):
    setup.entries[0]["path"] = "none.parquet"
    setup.param["selected_cols"] = ["mag_j", "id"]
    found = problems(setup)
    assert {place: problem.code for place, problem in found.items()} == {
        "inputs.specz.0.path": Code.FILE_MISSING, "param.selected_cols.0": Code.CATALOG_COLUMN}
    assert found["param.selected_cols.0"].remedy == "did you mean `mag_i`?"


def test_a_combination_that_is_missing_is_told_with_those_that_exist(setup):
    for other in ("release/mag/psf/sfd", "release/flux/auto/none"):
        setup.catalog = other
        setup.write()
    problem, = problems(setup).values()
    assert problem.code is Code.CATALOG_INVALID
    assert "no catalogue mag/auto/sfd in" in problem.found
    assert problem.expected == "one of flux/auto/none, mag/psf/sfd"
    assert problem.remedy.startswith("did you mean `mag/psf/sfd`?")


def test_a_folder_without_any_catalogue_is_told_how_one_is_looked_for(setup):
    (setup.folder / "empty").mkdir()
    setup.config["inputs"]["dataset"]["path"] = "empty"
    problem, = problems(setup).values()
    assert "<mag or flux>/<flux_type>/<dereddening>/catalog" in problem.expected


def test_a_release_that_is_not_there_is_told(setup):
    setup.config["inputs"]["dataset"]["path"] = "/datasets/none"
    assert problems(setup)["inputs.dataset.path"].code is Code.FILE_MISSING


def test_an_absolute_path_that_is_no_catalogue_is_told(setup):
    setup.param["use_absolute_lsdb_path"] = True
    place, problem = problems(setup).popitem()
    assert place.startswith("inputs.dataset.path: ")
    assert problem.code is Code.CATALOG_INVALID


def test_position_and_redshift_must_be_mapped_or_there(setup):
    setup.entries[0]["columns"] = {}
    assert set(problems(setup)) == {"inputs.specz.0.columns.dec", "inputs.specz.0.columns.z"}
    setup.specz["dec"], setup.specz["z"] = setup.specz.pop("DEC"), setup.specz.pop("Z")
    assert setup.make().associated == {"ra": "ra_specz", "dec": "dec_specz", "z": "z"}


def test_a_format_that_products_cannot_have_is_refused_only_where_the_product_has_it(setup):
    setup.entries[0]["format"] = "votable"
    assert setup.make().matched == 3
    setup.config["output_format"] = None
    assert problems(setup)["inputs.specz.0.format"].code is Code.FILE_FORMAT
    (setup.folder / "specz.parquet").rename(setup.folder / "specz")
    setup.entries[0].update(path="specz", format=None)
    assert problems(setup)["inputs.specz.0.format"].found == "nothing"


def test_keys_that_change_nothing_are_passed_over_with_a_word(setup, caplog):
    """What the PZ Server sends besides, and what nobody knows."""
    setup.param["duplicate_criteria"] = "closest"
    setup.param["crossmatch"].update(output_catalog_name="tsm", suffixes=["_a", "_b"])
    setup.config["comment"] = setup.param["quux"] = "x"
    setup.entries[0].update(internal_name="12_mine", remark="x")
    assert "ra_specz" in setup.make().table.column_names
    said = caplog.text
    assert all(f"{key}: has no effect" in said
               for key in ("duplicate_criteria", "output_catalog_name", "suffixes"))
    assert [f"{key}: nobody knows this key" in said
            for key in ("comment", "quux", "remark", "internal_name")] == [True, True, True, False]


@pytest.mark.parametrize("text", [
    "", "- 1\n", "a: [1,\n", "inputs: 3\nparam: 4\n",
    "inputs: {specz: []}\n", "inputs: {specz: [1], dataset: 3}\nparam: []\n",
    "inputs: {specz: [{path: 3, columns: 4}], dataset: {path: ''}}\nparam: {crossmatch: 3}\n",
    "param: {hats_config: {input: {filter: 3}}, crossmatch: null, selected_cols: 4}\n",
])
def test_a_file_of_another_shape_is_refused_by_name(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(TsmError) as caught:
        training_set_maker.load_plan(path)
    assert set(caught.value.codes) == {Code.LEGACY_CONFIG}


def test_executors_are_read_leniently(setup):
    setup.config["executor"] = {"name": "slurm", "args": {
        "instance": {"cores": 4, "processes": 1, "memory": "12GB", "queue": "cpu_pipelines",
                     "account": "hpc-pipelines", "job_extra_directives": ["--propagate"]},
        "adapt": {"maximum_jobs": 12}}}
    assert setup.make().matched == 3
