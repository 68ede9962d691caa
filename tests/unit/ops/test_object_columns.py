"""What of a catalogue a recipe reads, and what it is told of columns that are not there."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock.catalog import OBJECT_SCHEMA
from pz_tsm_core.model.photometry import PhotometryPolicy, SelectPolicy
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.ops.object_columns import columns_needed, require_distinct, rows_before_cuts
from pz_tsm_core.recipes import check_recipe, load_recipe
from pz_tsm_core.releases import get_release
from pz_tsm_core.sky.catalog import catalog_schema, open_catalog
from pz_tsm_core.sky.wrap import import_lsdb

I_ONLY = PhotometryPolicy(bands=("i",), flux="psf")
NOTHING = SelectPolicy()


@pytest.fixture
def catalog(tmp_path):
    """All that a plan reads of a catalogue: properties, and columns like the mock's."""
    folder = tmp_path / "objects"
    (folder / "lc" / "dataset").mkdir(parents=True)
    (folder / "collection.properties").write_text(
        "#HATS\nobs_collection=objects\nhats_primary_table_url=lc\n")
    pq.write_metadata(OBJECT_SCHEMA, folder / "lc" / "dataset" / "_common_metadata")
    return folder


@pytest.fixture
def told(catalog):
    """Mistakes of a recipe with these choices."""
    def ask(release="dp1", columns=(), select=None, **photometry):
        content = {
            "schema": 1, "name": "x", "output": {"directory": "x"},
            "redshifts": {"compilation": "0" * 64}, "select": select or {},
            "catalog": {"path": str(catalog), "release": str(release), "columns": columns},
            "photometry": {"dereddening": {"map": "none"}, **photometry}}
        return check_recipe(Recipe.model_validate(content))
    return ask


def test_columns_are_those_that_lsdb_finds_in_the_mock(mock_sky) -> None:
    known = catalog_schema(mock_sky.root / "object_collection")
    theirs = open_catalog(import_lsdb(), mock_sky.root / "object_collection").hc_structure.schema
    assert dict(zip(known.names, known.types, strict=True)) == dict(
        zip(theirs.names, theirs.types, strict=True))
    assert set(OBJECT_SCHEMA.names) <= set(known.names)


def test_without_a_list_of_columns_the_first_partition_tells_them(tmp_path) -> None:
    (tmp_path / "hats.properties").touch()
    table = pa.table({"objectId": [1]})
    for pixel in (4, 5):
        file = tmp_path / "dataset" / "Norder=0" / "Dir=0" / f"Npix={pixel}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)
    assert catalog_schema(tmp_path).equals(table.schema)


@pytest.mark.parametrize("named", ["../elsewhere", "/elsewhere", "gone"])
def test_a_collection_that_leads_out_or_nowhere_is_none(catalog, named) -> None:
    (catalog / "collection.properties").write_text(f"hats_primary_table_url = {named}\n")
    with pytest.raises(TsmError) as refused:
        catalog_schema(catalog)
    assert refused.value.codes == (Code.CATALOG_INVALID,)


def test_what_cuts_read_is_brought_along_and_what_stages_make_is_not() -> None:
    select = SelectPolicy(columns={"c": "mag_i - i_blendedness"}, keep=(
        "refSizeExtendedness == 1", "snr_i > 5", "z < 2", "c > 0", "det_i == 1",
        "n_candidates == 1", "ra_lsst > 1", "survey == 'x'"))
    needed = columns_needed(get_release("dp1"), I_ONLY, select, extra=["tract"])
    assert needed == ["objectId", "coord_ra", "coord_dec", "ebv", "refExtendedness", "i_psfFlux",
                      "i_psfFluxErr", "i_psfFlux_flag", "tract", "i_blendedness", "ra",
                      "refSizeExtendedness"]


def test_flags_that_have_no_say_and_columns_that_are_not_there_are_not_asked_for() -> None:
    policy = PhotometryPolicy(bands=("i",), flux="psf", flagged="keep")
    known = ["objectId", "coord_ra", "coord_dec", "i_psfFlux", "i_psfFluxErr", "i_psfFlux_flag"]
    assert columns_needed(get_release("dp1"), policy, NOTHING, known=known) == known[:-1]


def test_rows_are_foretold_as_the_pipeline_makes_them(mock_run, mock_recipe, mock_sky) -> None:
    made = mock_run.table("correct", "corrected").schema
    columns = columns_needed(get_release("dp1"), mock_recipe.photometry, NOTHING)
    catalog = catalog_schema(mock_sky.root / "object_collection")
    foretold = rows_before_cuts(catalog, columns, mock_recipe.photometry)
    assert {field.name: field.type for field in foretold} == {
        field.name: field.type for field in made}


def test_a_recipe_that_fits_the_catalogue_is_told_nothing(told) -> None:
    assert told(flux=["cModel", "psf"], columns=["tract"], select={
        "columns": {"g_r": "mag_g - mag_r"},
        "keep": ["mag_i_psf < 25.3", "g_r between -1 and 3", "refExtendedness == 1"]}) == ()


def test_a_kind_of_flux_that_is_not_there_is_told_with_those_that_are(told) -> None:
    problem, = told(flux=["psf", "kron"])
    assert problem.code == Code.RECIPE_BAD_VALUE
    assert problem.where == "recipe: photometry.flux"
    assert "u_kronFlux, u_kronFluxErr, u_kronFlux_flag and 15 more" in problem.found
    assert "cModel in ugrizy; psf in ugrizy" in problem.expected


def test_a_kind_of_flux_that_nobody_has_is_told_those_of_the_catalogue(told) -> None:
    problem, = told(flux=["cmodel", "psf"])
    assert problem.where == "recipe: photometry.flux"
    assert problem.expected.endswith("cModel in ugrizy; psf in ugrizy")
    assert problem.remedy == "did you mean `cModel`?"


def test_every_mistake_about_columns_is_told_at_once(told) -> None:
    problems = told(flux="gaap1p0", columns=["tracts"], select={
        "columns": {"mag_i": "1", "c": "mag_g - survey"},
        "keep": ["snr_w > 5", "refExtendednes == 1", "z"]})
    assert [(problem.code, problem.where.split("`")[0]) for problem in problems] == [
        (Code.RECIPE_BAD_VALUE, "recipe: photometry.flux"),
        (Code.CATALOG_COLUMN, "recipe: catalog.columns"),
        (Code.RECIPE_BAD_VALUE, "recipe: select: select.columns.mag_i"),
        (Code.RULE_TYPE, "recipe: select: select.columns.c "),
        (Code.RULE_COLUMN, "recipe: select: select.keep.0 "),
        (Code.RULE_COLUMN, "recipe: select: select.keep.1 "),
        (Code.RULE_TYPE, "recipe: select: select.keep.2 ")]
    assert "`tract`" in problems[1].remedy
    assert "`refExtendedness`" in problems[5].remedy


def test_a_release_that_lists_more_than_primary_objects_needs_to_tell_them(told) -> None:
    problem, = told("dp02")
    assert problem.code == Code.CATALOG_COLUMN
    assert problem.where == "recipe: catalog.path"


def test_two_columns_of_one_name_are_refused_before_they_are_made(tmp_path) -> None:
    """What is set aside for `mag_i` takes the name of another column of the catalogue."""
    catalog = pa.schema([(name, pa.float64()) for name in (
        "id", "ra", "dec", "mag_i", "mag_err_i", "mag_i_lsst", "mag_err_i_lsst")])
    policy = PhotometryPolicy(bands=("i",), flux=["mag", "mag_lsst"])
    columns = columns_needed(get_release("generic"), policy, NOTHING, known=catalog.names)
    with pytest.raises(TsmError) as refused:
        require_distinct(rows_before_cuts(catalog, columns, policy))
    assert refused.value.codes == (Code.TABLE_DUPLICATE_COLUMN,) * 2
    alone = PhotometryPolicy(bands=("i",), flux="mag")
    columns = columns_needed(get_release("generic"), alone, NOTHING, known=catalog.names)
    require_distinct(rows_before_cuts(catalog, columns, alone))


def test_dereddened_fluxes_and_a_map_do_not_go_together(told, tmp_path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("""{schema: 1, id: objectId, ra: coord_ra, dec: coord_dec, bands: [i],
        flux_unit: nJy, dereddened: true,
        flux_types: {psf: {flux: "{b}_psfFlux", err: "{b}_psfFluxErr"}}}""")
    assert told(own, flux="psf", bands=["i"]) == ()
    problems = told(own, flux="psf", bands=["i"],
                    dereddening={"map": "sfd", "directory": str(tmp_path)})
    assert [problem.code for problem in problems] == [Code.DUST_TWICE, Code.DUST_MAP]


def test_a_mistake_in_a_release_of_ones_own_is_told_with_its_line(mock_sky, tmp_path) -> None:
    (tmp_path / "own.yaml").write_text("schema: 1\nid: objectId\nband: [i]\n")
    text = (mock_sky.root / "recipe.yaml").read_text().replace("dp1", "own.yaml")
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(TsmError) as refused:
        load_recipe(tmp_path / "recipe.yaml")
    assert any("release: own.yaml line 3: band" in problem.where
               for problem in refused.value.problems)


def test_a_column_of_the_catalogue_that_ends_as_ours_do_is_asked_for_by_its_name() -> None:
    policy = PhotometryPolicy(flux="mag_lsst", bands=("g",))
    cuts = SelectPolicy(keep=("mag_g_lsst < 25",))
    known = {"mag_g_lsst", "mag_err_g_lsst"}
    needed = columns_needed(get_release("generic"), policy, cuts, known=known)
    assert "mag_g_lsst" in needed
    assert "mag_g" not in needed


def test_the_reddening_of_a_catalogue_is_asked_for_where_it_is_to_be_used(told) -> None:
    policy = PhotometryPolicy(bands=("i",), dereddening={"map": "catalog"})
    assert "ebv" in columns_needed(get_release("dp1"), policy, SelectPolicy(), known={"objectId"})
    other = PhotometryPolicy(bands=("i",))
    assert "ebv" not in columns_needed(get_release("dp1"), other, SelectPolicy(), known={"id"})
