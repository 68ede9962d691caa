"""Recipes for real tables, for those of the mock sky in every format, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.table import Table

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock import write_own_table
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.products import put
from pz_tsm_core.propose import propose_recipe
from pz_tsm_core.recipes import load_recipe, survey_of_entry
from pz_tsm_core.sky.write import write_table_as_collection
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys import get_survey, survey_of_table
from pz_tsm_core.tables import read

SPECZ = Path(__file__).parents[4] / "shared" / "data" / "specz"
LINEA = SPECZ.parent / "linea" / "config_13_catalogues.yaml"
real = pytest.mark.skipif(not SPECZ.is_dir(), reason="no real samples in ../shared/data")
KEYS = {"2dfgrs": "2dfgrs", "2dflens": "2dflens", "2mrs": "2mrs", "3dhst": "3dhst",
        "6dfgs": "6dfgs", "astrodeep": "astrodeep_gs43", "desi": "desi_dr1", "mosdef": "mosdef",
        "primus": "primus", "vandels": "vandels", "vlt": "vimos_goods", "vuds": "vuds_dr1",
        "z": "candels"}


def written(table, tmp_path, **options):
    """What is proposed and written, read back: the proposal, its recipe, its survey and rows."""
    proposal = propose_recipe(table, output=tmp_path / "recipe.yaml", **options)
    proposal.write()
    recipe = load_recipe(tmp_path / "recipe.yaml")
    inputs = recipe.redshifts
    survey = (survey_of_entry(inputs.surveys[0]) if inputs.surveys
              else survey_of_table(inputs.tables[0]))
    [entry] = [*inputs.surveys, *inputs.tables]
    rows = read(Path(entry.file), sorted(survey.native_columns))
    done = standardize(rows, survey, bad_positions=recipe.standardize.bad_positions)
    assert done.rows == proposal.rows
    return proposal, recipe, survey, done.table


def catalogues():
    """Every catalogue of an existing pipeline's configuration: file, and which column is what."""
    if not LINEA.is_file():
        return []
    entries = yaml.safe_load(LINEA.read_text())["inputs"]["specz"]
    return [pytest.param(LINEA.parent / entry["path"], entry["columns"],
                         id=Path(entry["path"]).name.split("_")[0]) for entry in entries]


@real
@pytest.mark.parametrize(("file", "columns"), catalogues())
def test_real_catalogues_are_recognised(file, columns, tmp_path):
    proposal, recipe, survey, _ = written(file, tmp_path)
    key = KEYS[file.name.replace("-", "_").split("_")[0]]
    assert (proposal.survey, survey) == (key, get_survey(key))
    assert [entry.survey for entry in recipe.redshifts.surveys] == [key]


@real
@pytest.mark.parametrize(("file", "columns"), catalogues())
def test_the_columns_of_real_catalogues_are_told_without_the_registry(file, columns, tmp_path):
    """By the columns that people wrote into the configuration of an existing pipeline."""
    _, _, survey, rows = written(file, tmp_path, own=True, name="mine")
    found = survey.columns
    assert (found.ra.from_, found.dec.from_, found.z.from_) == (
        columns["ra"], columns["dec"], columns["z"])
    if columns["z_err"]:
        assert found.z_err.from_ == columns["z_err"]
    if columns["id"]:
        assert columns["id"] in found.id.from_
    curated = standardize(read(file), get_survey(KEYS[file.name.replace("-", "_").split("_")[0]]))
    np.testing.assert_allclose(np.sort(rows["z"]), np.sort(curated.table["z"]), atol=1e-9)


@real
@pytest.mark.parametrize(("file", "columns"), catalogues())
def test_a_survey_is_recognised_by_its_columns_and_else_named_as_possible(file, columns, tmp_path):
    """Without the names of file and survey; common names alone are no evidence."""
    rows = pq.read_table(file)
    said = [name for name in ("survey_name", "source") if name in rows.column_names]
    pq.write_table(rows.drop_columns(said), tmp_path / "table.parquet")
    key = KEYS[file.name.replace("-", "_").split("_")[0]]
    proposal, _, _, _ = written(tmp_path / "table.parquet", tmp_path)
    told = " ".join(finding.text for finding in proposal.findings if finding.about == "survey")
    assert proposal.survey in (key, None)
    assert proposal.survey == key or f"`survey: {key}`" in told


@real
def test_a_compilation_of_the_pz_server_keeps_its_grades(tmp_path):
    file = SPECZ.parent / "linea" / "crd_13_catalogues.parquet"
    _, _, survey, rows = written(file, tmp_path)
    assert survey.columns.id.from_ == ("CRD_ID",)
    theirs = pq.read_table(file).to_pandas().set_index("CRD_ID")
    ours = rows.to_pandas().set_index("native_id")
    there = theirs.loc[ours.index]
    assert (ours["quality"] == there["z_flag_homogenized"].replace(6, 4)).all()
    assert (ours["instrument_type"] == there["instrument_type_homogenized"]).all()
    assert ((ours["object_class"] == "star") == (there["z_flag_homogenized"] == 6)).all()


FORMATS = ("csv", "tsv", "csv.gz", "fits", "vot", "ecsv", "hdf5", "parquet", "hats")


def save(rows: pa.Table, file: Path):
    """Write a table in the format that a name asks for."""
    columns = {name: np.ma.array(rows[name].fill_null("" if pa.types.is_string(
        rows[name].type) else 0).to_numpy(), mask=rows[name].is_null().to_numpy())
        for name in rows.column_names}
    table = Table({name: values.astype(str) if values.dtype == object else values
                   for name, values in columns.items()})
    match file.name.partition(".")[2]:
        case "csv":
            pyarrow.csv.write_csv(rows, file)
        case "tsv":
            pyarrow.csv.write_csv(rows, file, pyarrow.csv.WriteOptions(delimiter="\t"))
        case "csv.gz":
            with gzip.open(file, "wb") as stream:
                pyarrow.csv.write_csv(rows, stream)
        case "fits":
            table.write(file)
        case "vot":
            table.write(file, format="votable")
        case "ecsv":
            table.write(file, format="ascii.ecsv")
        case "hdf5":
            table.filled().write(file, format="hdf5", path="data", serialize_meta=False)
        case "parquet":
            pq.write_table(rows, file)
        case _:
            write_table_as_collection(rows, file, file.name)


@pytest.fixture(scope="module")
def own_table(mock_sky) -> pa.Table:
    write_own_table(mock_sky)
    return pyarrow.csv.read_csv(mock_sky.root / "my_redshifts.csv")


@pytest.mark.parametrize("format_", FORMATS)
def test_an_own_table_is_understood_in_every_format(format_, own_table, tmp_path):
    """What the mock wrote as its truth comes back from all of them."""
    rows = own_table
    if format_ == "hats":  # the writer wants its own names of the coordinates
        rows = rows.append_column("ra", rows["RAJ2000"]).append_column("dec", rows["DEJ2000"])
        rows = rows.drop_columns(["RAJ2000", "DEJ2000"])
    file = tmp_path / f"mine.{format_}"
    save(rows, file)
    proposal, recipe, _, standard = written(file, tmp_path)
    assert proposal.columns == {
        "id": "Object", "ra": "ra" if format_ == "hats" else "RAJ2000",
        "dec": "dec" if format_ == "hats" else "DEJ2000", "z": "zbest", "z_err": "e_zbest",
        "quality": "Conf"}
    assert recipe.name == "mine_compilation"
    found = dict(zip(standard["native_id"].to_pylist(), standard["z"].to_pylist(), strict=True))
    assert found == dict(zip(own_table["Object"].to_pylist(), own_table["zbest"].to_pylist(),
                             strict=True))


@pytest.mark.parametrize("key", ["desi_dr1", "2dfgrs", "6dfgs", "primus", "vandels", "3dhst"])
def test_the_surveys_of_the_mock_are_recognised_and_their_redshifts_are_the_true_ones(
    key, mock_sky, tmp_path
):
    file = mock_sky.surveys[key]
    assert written(file, tmp_path)[0].survey == key
    (tmp_path / "recipe.yaml").unlink()
    rows = written(file, tmp_path, own=True, name="mine")[3]
    truth = pq.read_table(mock_sky.truth_measurements, filters=[("survey", "=", key)])
    expected, found = truth["z"].drop_null().to_numpy(), rows["z"].to_numpy()
    assert abs(expected[:, None] - found).min(axis=1).max() < 1e-6


def test_equal_tables_give_equal_bytes_whatever_the_order_of_their_rows(own_table, tmp_path):
    texts = set()
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(own_table))
        pq.write_table(own_table.take(order), tmp_path / "mine.parquet")
        texts.add(propose_recipe(tmp_path / "mine.parquet", output=tmp_path / "r.yaml").recipe)
    assert len(texts) == 1


def test_a_catalogue_fills_its_part_of_the_recipe(mock_sky, own_table, tmp_path):
    pq.write_table(own_table, tmp_path / "mine.parquet")
    proposal, recipe, _, _ = written(tmp_path / "mine.parquet", tmp_path,
                                     catalog=mock_sky.objects)
    assert recipe.catalog.release == "dp1"
    assert mock_sky.objects.samefile(recipe.catalog.path)
    assert mock_sky.dust.samefile(recipe.photometry.dereddening.directory)
    assert (recipe.photometry.flux, recipe.photometry.bands) == (("cModel",), tuple("ugrizy"))
    assert proposal.right is None  # a mock sky is everybody's


def test_a_catalogue_of_a_release_with_rights_says_so(mock_sky, own_table, tmp_path, monkeypatch):
    monkeypatch.setenv("PZ_TSM_DUSTMAPS", str(tmp_path / "none"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "objects").symlink_to(mock_sky.objects)
    pq.write_table(own_table, tmp_path / "mine.parquet")
    proposal, recipe, _, _ = written(tmp_path / "mine.parquet", tmp_path,
                                     catalog=tmp_path / "elsewhere" / "objects")
    assert (proposal.right, recipe.catalog.access) == ("rubin", None)
    assert recipe.photometry.dereddening.map == "none"  # no maps beside it
    assert {finding.about for finding in proposal.findings if finding.check} >= {
        "catalog", "dereddening"}
    monkeypatch.setenv("PZ_TSM_DUSTMAPS", str(mock_sky.dust))  # as if they had been fetched
    (tmp_path / "again").mkdir()
    _, recipe, _, _ = written(tmp_path / "mine.parquet", tmp_path / "again",
                              catalog=tmp_path / "elsewhere" / "objects")
    assert mock_sky.dust.samefile(recipe.photometry.dereddening.directory)


def test_every_file_stays_as_it_is_and_both_or_none_are_written(own_table, tmp_path):
    pq.write_table(own_table.append_column("SPECTYPE", pa.array(["GALAXY"] * len(own_table))),
                   tmp_path / "mine.parquet")
    taken = tmp_path / "mine.survey.yaml"
    taken.write_text("mine")
    with pytest.raises(TsmError) as refused:
        propose_recipe(tmp_path / "mine.parquet", output=tmp_path / "recipe.yaml").write()
    assert refused.value.codes == (Code.OUTPUT_EXISTS,)
    assert taken.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.parquet", "mine.survey.yaml"]


def test_paths_in_a_recipe_start_at_its_own_folder(own_table, tmp_path):
    for folder in ("data", "recipes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "recipes")
    pq.write_table(own_table, tmp_path / "data" / "mine.parquet")
    proposal = propose_recipe(tmp_path / "data" / "mine.parquet",
                              output=tmp_path / "link" / "recipe.yaml")
    proposal.write()
    assert "file: ../data/mine.parquet\n" in proposal.recipe
    recipe = load_recipe(tmp_path / "recipes" / "recipe.yaml")
    assert Path(recipe.redshifts.tables[0].file).samefile(tmp_path / "data" / "mine.parquet")


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    pyarrow.csv.write_csv(pa.table({"a": [1.5], "b": [2.5]}), tmp_path / "mine.csv")
    with pytest.raises(TsmError) as refused:
        propose_recipe(tmp_path / "mine.csv", catalog=tmp_path, name="Not So")
    assert refused.value.codes == (Code.RECIPE_BAD_VALUE, Code.TABLE_MISSING_COLUMN,
                                   Code.TABLE_MISSING_COLUMN, Code.CATALOG_INVALID)


def test_a_name_that_is_none_is_refused_by_itself(own_table, tmp_path):
    pyarrow.csv.write_csv(own_table, tmp_path / "mine.csv")
    with pytest.raises(TsmError) as refused:
        propose_recipe(tmp_path / "mine.csv", name="Not So")
    assert refused.value.codes == (Code.RECIPE_BAD_VALUE,)


def test_rows_without_a_position_are_dropped_and_told(own_table, tmp_path):
    ra = own_table["RAJ2000"].to_pylist()
    ra[:3] = [None, -999.0, 361.0]
    rows = own_table.set_column(1, "RAJ2000", pa.array(ra))
    pq.write_table(rows, tmp_path / "mine.parquet")
    proposal, recipe, _, _ = written(tmp_path / "mine.parquet", tmp_path)
    assert recipe.standardize.bad_positions == "drop"
    assert proposal.rows.dropped == {"no_position": 1, "position_out_of_range": 2}
    assert "bad_positions" in {finding.about for finding in proposal.findings if finding.check}


def test_a_product_of_the_store_is_proposed_by_its_name_to_those_who_see_it(own_table, tmp_path):
    pq.write_table(own_table, tmp_path / "hidden.parquet")
    alice, bob = (open_store(tmp_path / "store", Principal(name=name)) for name in ("alice", "bob"))
    private = Access(kind="private", name="alice")
    put(tmp_path / "hidden.parquet", "mine", access=private, store=alice)
    proposal = propose_recipe("mine", store=alice, output=tmp_path / "recipe.yaml")
    proposal.write()
    [entry] = load_recipe(tmp_path / "recipe.yaml").redshifts.tables
    assert (entry.product, entry.file, entry.name) == ("mine@1", None, "mine")
    assert proposal.columns["z"] == "zbest"
    with pytest.raises(TsmError) as refused:
        propose_recipe("mine", store=bob, output=tmp_path / "other.yaml")
    assert refused.value.codes == (Code.PRODUCT_UNKNOWN,)


INGEST = SPECZ.parent / "ingest" / "test_formats"


@pytest.mark.skipif(not INGEST.is_dir(), reason="no ../shared/data/ingest")
@pytest.mark.parametrize("file", sorted(INGEST.iterdir()) if INGEST.is_dir() else [],
                         ids=lambda file: file.name)
def test_tables_without_redshifts_are_refused_and_never_break_it(file, tmp_path):
    if file.name == "zall-pix-iron_10rows.fits":  # the one that has them
        assert written(file, tmp_path)[0].survey == "desi_dr1"
        return
    with pytest.raises(TsmError) as refused:
        propose_recipe(file, output=tmp_path / "recipe.yaml")
    assert set(refused.value.codes) <= {
        Code.TABLE_MISSING_COLUMN, Code.FILE_FORMAT, Code.TABLE_EMPTY, Code.FILE_DAMAGED}
