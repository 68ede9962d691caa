from pathlib import Path

import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.units import Unit

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.release import FluxColumns, Release
from pz_tsm_core.releases import get_release, release_keys

SCHEMAS = Path(__file__).resolve().parents[4] / "shared" / "reference" / "schemas"


@pytest.fixture(scope="module")
def dp1_columns() -> set[str]:
    """Columns of the published DP1 Object table, bands unfolded."""
    listed = SCHEMAS / "cols_dp1.txt"
    if not listed.exists():
        pytest.skip(f"the DP1 column list is not at {listed}")
    columns = set()
    for line in listed.read_text().splitlines():
        if not line.startswith("#"):
            name, bands = line.split("\t")[:2]
            columns |= {name.replace("{b}", band) for band in bands} if bands else {name}
    return columns


def test_every_column_that_the_profile_names_is_in_the_published_table(dp1_columns):
    release = get_release("dp1")
    named = {name for kind in release.flux_types for name in release.columns_for(kind)}
    assert named - dp1_columns == set()
    assert len(named) > 100


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
