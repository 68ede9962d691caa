"""Which maps go with which coefficients: each pair by hand, and what a recipe is told."""

from __future__ import annotations

import itertools

import pytest
import yaml
from pydantic import ValidationError

from pz_tsm_core.dust import check_dust, dust_digests, get_coefficients, get_map, map_keys
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock.dust import write_healpix_map
from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.releases import get_release

SETS = ("desc_dc2", "lsst_dm", "sf11")


def refusals(**choice):
    """Keys that a choice is refused at, with what is said there."""
    try:
        check_dust(PhotometryPolicy(dereddening=Dereddening(**choice)), get_release("dp1"))
    except TsmError as error:
        return {each.where.rpartition(".")[2]: str(each) for each in error.problems}
    return {}


def test_coefficients_of_ccm_go_with_every_map():
    """By convention also with SFD: so do RAIL, and the catalogues that are made for it."""
    for name, coefficients, scale in itertools.product(
            (*map_keys(), "catalog", "none"), ("desc_dc2", "lsst_dm"), (1, 0.86, 1 / 0.86, 2)):
        assert refusals(map=name, coefficients=coefficients, scale=scale) == {}


@pytest.mark.parametrize(("name", "scale", "allowed"), [
    ("sfd", 1, True), ("csfd", 1, True), ("catalog", 1, True), ("none", 1, True),
    ("planck", 1, False), ("gnilc", 1, False),
    # The 0.86 of Schlafly & Finkbeiner is in their table: once more, it would count twice.
    ("sfd", 0.86, False), ("csfd", 0.86, False), ("catalog", 0.86, False), ("sfd", 0.858, False),
    # Divided by it, true E(B-V) is as large as SFD's.
    ("planck", 1 / 0.86, True), ("gnilc", 1.163, True), ("planck", 0.86, False),
    # A factor of one's own, for a trial, changes no scale.
    ("sfd", 1.1, True), ("sfd", 0.9, True), ("sfd", 0.8, True), ("planck", 1.1, False),
    ("none", 0.86, True),
])
def test_sf11_goes_with_the_scale_of_sfd_alone(name, scale, allowed):
    assert (refusals(map=name, coefficients="sf11", scale=scale) == {}) is allowed


def test_a_refusal_names_what_would_be_right():
    told = refusals(map="gnilc", coefficients="sf11")
    assert list(told) == ["coefficients"]
    for word in ("lsst_dm", "csfd", "1.163", "0.86"):
        assert word in told["coefficients"]
    told = refusals(map="sfd", coefficients="sf11", scale=0.86)
    assert list(told) == ["scale"]
    assert "0.86" in told["scale"]


def test_what_is_proposed_instead_passes():
    assert refusals(map="gnilc", coefficients="lsst_dm") == {}
    assert refusals(map="csfd", coefficients="sf11") == {}
    assert refusals(map="gnilc", coefficients="sf11", scale=1.163) == {}


@pytest.mark.parametrize("name", [
    "bayestar", "bh", "chen2014", "chen2018", "decaps", "edenhofer2023", "gaia_tge", "iphas",
    "leike2020", "leike_ensslin_2019", "lenz2017", "marshall", "pg2010"])
def test_a_map_that_serves_nobody_here_is_refused_with_the_reason(name):
    """Every other module of maps in dustmaps."""
    told = refusals(map=name)["map"]
    assert f"`{name}`: " in told
    assert "sfd" in told


def test_an_unknown_name_is_told_the_nearest():
    told = refusals(map="csdf", coefficients="sf12")
    assert "did you mean `csfd`" in told["map"]
    assert "did you mean `sf11`" in told["coefficients"]
    assert "did you mean `custom`" in refusals(coefficients="costum")["coefficients"]


def test_a_release_without_reddening_gives_none():
    bare = get_release("dp1").model_copy(update={"ebv": None})
    policy = PhotometryPolicy(dereddening=Dereddening(map="catalog"))
    check_dust(policy, get_release("dp1"))
    with pytest.raises(TsmError, match="no E") as refused:
        check_dust(policy, bare)
    assert refused.value.codes == (Code.RECIPE_BAD_VALUE,)


def test_coefficients_of_ones_own_cover_the_bands():
    policy = {"bands": ("g", "i"), "dereddening": {
        "map": "planck", "coefficients": "custom", "values": {"g": 3.0, "y": 1.0}}}
    with pytest.raises(TsmError, match="none for i"):
        check_dust(PhotometryPolicy.model_validate(policy), get_release("dp1"))
    policy["dereddening"]["values"]["i"] = 2.0
    check_dust(PhotometryPolicy.model_validate(policy), get_release("dp1"))


@pytest.mark.parametrize("wrong", [
    {"coefficients": "custom"}, {"values": {"g": 3.0}}, {"scale": 0.0}, {"scale": float("nan")},
    {"coefficients": "custom", "values": {"g": 0.0}}, {"scale": float("inf")},
    {"coefficients": "custom", "values": {"k": 1.0}},
    {"coefficients": "custom", "values": {"g": float("inf")}},
])
def test_values_and_factors_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        Dereddening(**wrong)


def test_every_set_says_for_which_scale_and_why():
    for name in SETS:
        coefficients = get_coefficients(name)
        assert set(coefficients.values) == set("ugrizy")
        assert coefficients.why
        assert coefficients.source
    assert [get_map(name).ebv_scale for name in map_keys()] == ["sfd", "sfd", "true", "true"]


def test_the_recipe_is_told_all_at_once_each_at_its_key(mock_sky, tmp_path):
    recipe = yaml.safe_load((mock_sky.root / "recipe.yaml").read_text("utf-8"))
    recipe["catalog"]["path"] = str(mock_sky.objects)
    for survey in recipe["redshifts"]["surveys"]:
        survey["file"] = str(mock_sky.root / survey["file"])
    recipe["combine"]["radius_arcsec"] = -1
    recipe["match"]["radius_arcsec"] = 1e9
    recipe["photometry"]["dereddening"] = {
        "map": "planck", "coefficients": "sf11", "directory": str(tmp_path)}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    lines = path.read_text().splitlines()
    with pytest.raises(TsmError) as refused:
        load_recipe(path)
    told = {each.where.rpartition(" ")[2]: each for each in refused.value.problems}
    assert set(told) == {
        "combine.radius_arcsec", "match.radius_arcsec", "photometry.dereddening.coefficients",
        "photometry.dereddening.directory"}
    at = told["photometry.dereddening.coefficients"].where
    assert f"line {lines.index('    coefficients: sf11') + 1}:" in at
    assert told["photometry.dereddening.directory"].code == Code.DUST_MAP


def test_digests_are_of_bytes_and_numbers_and_not_of_places(tmp_path):
    for folder in ("a", "b"):
        write_healpix_map(tmp_path / folder, "planck")

    def digests(folder="a", **choice):
        return dust_digests(Dereddening(map="planck", directory=str(tmp_path / folder), **choice))

    first = digests()
    assert set(first) == {"dust_map", "dust_coefficients"}
    assert digests("b") == first
    own = get_coefficients("desc_dc2").values
    assert digests(coefficients="custom", values=own) == first
    assert digests(coefficients="custom", values={**own, "u": 4.8}) != first
    path, = get_map("planck").paths(tmp_path / "b")
    data = bytearray(path.read_bytes())
    data[-3000] ^= 1
    path.write_bytes(data)
    assert digests("b")["dust_map"] != first["dust_map"]
    assert dust_digests(Dereddening(map="none")) == {}
    assert dust_digests(Dereddening(map="catalog")) == {
        "dust_coefficients": first["dust_coefficients"]}
