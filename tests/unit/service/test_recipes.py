import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Access
from pz_tsm_core.service import FetchRequest, RefreshRequest, TrainingSetRequest
from pz_tsm_core.service.recipes import access_of, folder_of, recipe_of
from pz_tsm_core.service.site import Refresh

MINE = {"name": "mine", "tables": [{"table": "my_redshifts@latest"}],
        "photometry": {"catalog": "mock"}, "owner": "alice"}


def asked(**more):
    return TrainingSetRequest.model_validate(MINE | more)


def test_a_form_left_as_it_is_gives_the_recipe_of_the_defaults(site, store, mock_recipe) -> None:
    recipe = recipe_of(asked(), site, store)
    assert recipe.redshifts.tables[0].columns == {
        "id": "Object", "ra": "RAJ2000", "dec": "DEJ2000", "z": "zbest", "z_err": "e_zbest",
        "quality": "Conf"}
    assert recipe.combine == mock_recipe.combine
    assert recipe.match == mock_recipe.match
    assert recipe.split == mock_recipe.split
    assert recipe.photometry == mock_recipe.photometry
    assert recipe.output.directory == f"{site.results.directory}/alice/mine"


def test_what_is_chosen_stands_in_the_recipe(site, store) -> None:
    recipe = recipe_of(asked(
        combine={"preset": "des", "min_quality": 4}, match={"radius_arcsec": 0.5},
        split={"parts": [{"name": "a", "fraction": 0.25}, {"name": "b", "fraction": 0.75}],
               "seed": 7},
        keep=["mag_i < 24"], formats=["hdf5"],
        photometry={"catalog": "mock", "flux": ["psf", "cModel"], "dust_map": "none",
                    "not_detected": "limit"},
    ), site, store)
    assert (recipe.combine.radius_arcsec, recipe.combine.min_quality) == (1.0, 4)
    assert recipe.match.radius_arcsec == 0.5
    assert list(recipe.split.fractions.items()) == [("a", 0.25), ("b", 0.75)]
    assert recipe.split.seed == 7
    assert recipe.select.keep == ("mag_i < 24",)
    assert recipe.output.formats == ("hdf5",)
    assert recipe.photometry.flux == ("psf", "cModel")
    assert recipe.photometry.dereddening.map == "none"


def test_what_stands_in_more_is_laid_over_the_form(site, store) -> None:
    recipe = recipe_of(asked(more="match: {offsets: fit}\nselect: {columns: {g_r: mag_g - mag_r}}",
                             keep=["mag_i < 24"]), site, store)
    assert (recipe.match.offsets, recipe.match.radius_arcsec) == ("fit", 1.0)
    assert recipe.select.keep == ("mag_i < 24",)
    assert recipe.select.columns == {"g_r": "mag_g - mag_r"}


def test_all_mistakes_are_told_at_once(site, store) -> None:
    with pytest.raises(TsmError) as told:
        recipe_of(asked(more="match: {radius_arcsec: 99}\nsplt: 3", keep=["mag_q <"]), site, store)
    assert set(told.value.codes) >= {Code.RECIPE_BAD_VALUE, Code.RECIPE_UNKNOWN_KEY}
    assert "request line 2: splt" in [problem.where for problem in told.value.problems]
    with pytest.raises(TsmError) as told:
        recipe_of(asked(tables=[{"table": "nothing@latest"}, {"table": "my_redshifts@9"}],
                        photometry={"catalog": "absent"}, more="name: other"), site, store)
    assert [problem.code for problem in told.value.problems] == [
        Code.PRODUCT_UNKNOWN, Code.PRODUCT_UNKNOWN, Code.CATALOG_INVALID, Code.RECIPE_BAD_VALUE]


@pytest.mark.parametrize("said", [
    "schema: 1", "name: x", "output: {formats: [hdf5]}", "cluster: {workers: 64}",
    "catalog: {access: {kind: public}}", "redshifts: {survey_path: /srv}",
    "redshifts: {fetch: always, surveys: [{survey: desi_dr1}]}",
    "redshifts: {tables: [{name: x, file: /etc/passwd, columns: {ra: a, dec: b, z: c}}]}",
    "redshifts: {surveys: [{survey: vandels, product: vandels, access: {kind: public}}]}",
    "redshifts: {surveys: [{definition: /srv/private/x.yaml}]}",
    "redshifts: {surveys: [{survey: vandels, region: /etc/passwd}]}",
    "photometry: {dereddening: {directory: /srv}}",
])
def test_nothing_in_more_reaches_files_or_past_rights(said, site, store) -> None:
    with pytest.raises(TsmError) as told:
        recipe_of(asked(more=said), site, store)
    assert {problem.code for problem in told.value.problems} == {Code.RECIPE_BAD_VALUE}
    assert all(problem.where.startswith("request.more line 1") for problem in told.value.problems)


@pytest.mark.parametrize(("region", "sound"), [
    ("ecdfs", True), ("cone 53.16 -28.1 0.5", True), ("box 10 20 -5 5", True),
    ("/etc/passwd", False), ("../moc.fits", False), ("cone 1 2", False), ("", False),
])
def test_a_region_is_words_and_no_file(region, sound) -> None:
    try:
        FetchRequest(surveys=("vandels",), region=region)
    except ValueError:
        assert not sound
    else:
        assert sound


def test_what_is_private_goes_where_no_server_shows_it(site, store) -> None:
    alone = asked(private=True)
    private = f"{site.results.directory}/private/alice/mine"
    assert recipe_of(alone, site, store).output.directory == private
    assert access_of(alone) == Access(kind="private", name="alice")
    assert access_of(asked()) is None
    folder = folder_of(asked(), site)
    assert folder(Access(kind="private", name="alice")) == private
    assert site.shown_at(private) is None
    for access in (Access(), Access(kind="rights", name="rubin")):  # all here hold the right
        assert folder(access) == f"{site.results.directory}/alice/mine"


def test_columns_are_named_all_or_none() -> None:
    named = {"table": "my_redshifts@latest", "ra": "RA", "dec": "DEC", "z": "Z", "quality": "Q"}
    assert asked(tables=[named]).tables[0].columns == {
        "ra": "RA", "dec": "DEC", "z": "Z", "quality": "Q"}
    with pytest.raises(ValueError, match="all of `ra`, `dec` and `z`"):
        asked(tables=[{**named, "z": ""}])


def test_nobody_but_the_refresh_makes_the_compilation_of_the_service(site, store) -> None:
    refreshed = site.model_copy(update={"refresh": Refresh(name="mine", surveys=("vandels",))})
    with pytest.raises(TsmError) as told:
        recipe_of(asked(), refreshed, store)
    assert told.value.codes == (Code.PRODUCT_NAME,)
    with pytest.raises(TsmError) as told:
        recipe_of(asked(more="splt: {seed: 1}"), refreshed, store)
    assert told.value.codes == (Code.PRODUCT_NAME, Code.RECIPE_UNKNOWN_KEY), "both at once"
    assert recipe_of(asked(private=True), refreshed, store).name == "mine"


@pytest.mark.parametrize("owner", ["private", "service", "", "a/b", "..", ".hidden"])
def test_nobody_is_called_like_a_folder_of_the_service(owner) -> None:
    with pytest.raises(ValueError, match="owner"):
        asked(owner=owner)


def test_a_refresh_takes_the_surveys_from_the_store(site, store) -> None:
    recipe = recipe_of(RefreshRequest(surveys=("vandels", "2dfgrs", "vandels")), site, store)
    assert [entry.survey for entry in recipe.redshifts.surveys] == ["vandels", "2dfgrs"]
    assert (recipe.name, recipe.catalog) == ("specz-compilation", None)
