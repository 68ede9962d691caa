import re
from pathlib import Path

import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.units import Unit

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.release import FluxColumns, Release
from pz_tsm_core.releases import find_release, get_release, release_keys

SCHEMAS = Path(__file__).resolve().parents[4] / "shared" / "reference" / "schemas"


@pytest.fixture(params=["dp02", "dp1", "dp2"])
def release(request) -> Release:
    return get_release(request.param)


def published(release: Release) -> dict[str, str]:
    """Type of every column of the published Object table, bands unfolded."""
    name = {"dp02": "dp02_dc2"}.get(release.key, release.key)
    listed = SCHEMAS / f"cols_{name}.txt"
    if not listed.exists():
        pytest.skip(f"the column list of {release.name} is not at {listed}")
    columns = {}
    for line in listed.read_text().splitlines():
        if not line.startswith("#"):
            name, bands, kind = line.split("\t")[:3]
            unfolded = [name.replace("{b}", band) for band in bands] if bands else [name]
            columns |= dict.fromkeys(unfolded, kind)
    return columns


def test_every_column_that_a_profile_names_is_in_the_published_table(release):
    columns = published(release)
    named = set(release.columns_for(release.flux_types))
    assert named - set(columns) == set()
    assert len(named) > 200


def test_a_profile_has_every_flux_with_an_error_that_the_table_has(release):
    """But parts of models (bd, cModel_dev, cModel_exp), which are no flux of an object."""
    columns = published(release)
    fluxes = {name.removeprefix("i_") for name in columns
              if name.startswith("i_") and name.endswith("Flux") and f"{name}Err" in columns}
    parts = {name for name in fluxes if re.search("_(dev|exp)Flux", name)}
    told = {each.value.removeprefix("{b}_") for each in release.flux_types.values()}
    assert told == fluxes - parts


def test_fluxes_are_numbers_and_flags_are_truth_values(release):
    columns = published(release)
    expected = "double" if release.key == "dp02" else "float"
    for kind in release.flux_types.values():
        value, err, *flag = kind.of("i")
        assert columns[value] == columns[err] == expected
        assert [columns[name] for name in flag] == ["boolean"] * len(flag)


def test_only_dp02_lists_more_than_primary_objects_and_has_no_reddening():
    asked = {key: (get_release(key).primary_filter, get_release(key).ebv)
             for key in ("dp02", "dp1", "dp2")}
    assert asked == {"dp02": ("detect_isPrimary", None), "dp1": (None, "ebv"), "dp2": (None, "ebv")}
    assert {get_release(key).data_rights for key in asked} == {"rubin"}


def test_dp2_offers_three_gaap_fluxes_and_dp02_eight():
    def gaap(key):
        return [kind for kind in get_release(key).flux_types if kind.startswith("gaap")]
    assert gaap("dp2") == ["gaap0p7", "gaap1p0", "gaapPsf"]
    assert len(gaap("dp02")) == 8


def test_columns_of_cmodel_in_two_bands_are_these():
    assert get_release("dp1").columns_for("cModel", ("r", "i")) == [
        "objectId", "coord_ra", "coord_dec", "ebv", "refExtendedness",
        "r_cModelFlux", "r_cModelFluxErr", "r_cModel_flag",
        "i_cModelFlux", "i_cModelFluxErr", "i_cModel_flag",
    ]


def test_a_shared_gaap_flag_is_asked_for_once():
    columns = get_release("dp1").columns_for("gaap1p0")
    assert len(columns) == len(set(columns))
    assert "g_gaapFlux_flag" in columns


def test_without_flags_only_values_and_errors_are_asked_for():
    columns = get_release("dp1").columns_for(("psf", "kron"), "i", flags=False)
    assert columns[-4:] == ["i_psfFlux", "i_psfFluxErr", "i_kronFlux", "i_kronFluxErr"]


def test_kinds_of_flux_are_those_whose_columns_are_there():
    names = {"i_psfFlux", "i_psfFluxErr", "i_psfFlux_flag", "r_psfFlux", "r_psfFluxErr",
             "i_kronFlux"}
    assert get_release("dp1").flux_kinds(names) == {"psf": ("i",)}
    assert get_release("dp1").flux_kinds(names, flags=False) == {"psf": ("r", "i")}


def test_an_unknown_release_is_refused_with_the_nearest_key():
    with pytest.raises(TsmError) as refusal:
        get_release("dp11")
    assert refusal.value.codes == (Code.RELEASE_UNKNOWN,)
    assert "`dp1`" in str(refusal.value)


@pytest.mark.parametrize(("kind", "bands", "told"), [
    ("cmodel", None, "`cModel`"),
    ("cModel", ("r", "w"), "`u`"),
])
def test_an_absent_flux_type_or_band_is_refused_with_what_there_is(kind, bands, told):
    with pytest.raises(TsmError) as refusal:
        get_release("dp1").columns_for(kind, bands)
    assert refusal.value.codes == (Code.RECIPE_BAD_VALUE,)
    assert told in str(refusal.value)


def test_a_flux_column_without_a_band_is_no_profile():
    with pytest.raises(ValueError, match="names no band"):
        FluxColumns(flux="r_psfFlux", err="{b}_psfFluxErr")


OWN = """schema: 1
id: ID
ra: RA
dec: DEC
bands: [g, r, i]
flux_unit: uJy
flux_types:
  auto: {flux: "FLUX_AUTO_{B}", err: "FLUXERR_AUTO_{B}"}
"""


def test_ten_lines_are_a_profile_of_ones_own(tmp_path):
    file = tmp_path / "deep_field.yaml"
    file.write_text(OWN)
    release = find_release(str(file))
    assert release.key == release.name == "deep_field"
    assert release.nanojansky == pytest.approx(1000)
    assert release.columns_for("auto", ["i"]) == ["ID", "RA", "DEC", "FLUX_AUTO_I",
                                                  "FLUXERR_AUTO_I"]
    assert release.ebv is release.data_rights is release.primary_filter is None
    assert not release.dereddened


@pytest.mark.parametrize(("old", "new", "told"), [
    ("uJy", "m / s", "line 6: flux_unit"), ("uJy", "10**(10**9)", "line 6: flux_unit"),
    ("flux_unit: uJy\n", "", "flux_unit: nJy"), ("flux:", "flxu:", "did you mean `flux`"),
    ("ra: RA", "ra_column: RA", "line 3: ra_column"), ("{B}", "I", "names no band"),
    ("auto:", "a b:", "letters and digits"), ("bands: [g, r, i]", "bands: []", "line 5: bands"),
    ("schema: 1", "schema: 1\nkey: dp1", "line 2: key"),
    ("schema: 1", "schema: 1\nprimary_filter: '@x.y() or z'", "line 2: primary_filter"),
])
def test_a_mistake_in_a_profile_of_ones_own_is_told_with_its_line(tmp_path, old, new, told):
    file = tmp_path / "deep_field.yaml"
    assert old in OWN
    file.write_text(OWN.replace(old, new))
    with pytest.raises(TsmError) as refusal:
        find_release(file)
    assert set(refusal.value.codes) == {Code.RELEASE_INVALID}
    assert told in str(refusal.value)


def test_a_kind_is_a_flux_or_a_magnitude_and_not_both():
    for names in ({}, {"flux": "{b}f", "mag": "{b}m"}):
        with pytest.raises(ValueError, match="exactly one of"):
            FluxColumns(err="{b}e", **names)

def test_the_digest_follows_the_content():
    release = get_release("dp1")
    again = Release.model_validate(release.model_dump(by_alias=True))
    assert again.digest == release.digest
    assert release.model_copy(update={"ebv": None}).digest != release.digest


@pytest.mark.parametrize("key", release_keys())
def test_every_profile_is_named_as_its_file(key):
    assert get_release(key).key == key


def test_every_column_of_a_training_set_has_a_unit_or_needs_none() -> None:
    release = get_release("dp1")
    for name in release.columns_for("cModel"):
        told = release.describe(name)
        assert told["description"], name
        Unit(told.get("unit", ""))
        assert check_ucd(told["ucd"], check_controlled_vocabulary=True, has_colon=True), name
    assert release.describe("u_cModelFlux")["unit"] == "nJy"
    assert release.describe("tract") == {}
