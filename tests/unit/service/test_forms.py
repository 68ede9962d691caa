"""The forms, held against a validator of JSON schemas and against the requests themselves."""

import jsonschema
import pytest
from pydantic import ValidationError

from flows.offering import REQUESTS
from pz_tsm_core.model.artifact import Access, Principal
from pz_tsm_core.products import put
from pz_tsm_core.service import CompilationRequest, TrainingSetRequest, choices_of, form
from pz_tsm_core.service.choices import CatalogChoice, Choices
from pz_tsm_core.store import open_store

TWO = Choices(
    {"maps": ("sfd", "catalog", "none"), "coefficients": ("desc_dc2", "sf11"),
     "tables": ("mine@latest",), "fetched": ("vandels",), "compilations": ("specz@latest",)},
    {"dp1": CatalogChoice("dp1: Data Preview 1", {"cModel": ("g", "r"), "psf": ("g",)}, True),
     "own": CatalogChoice("own: A catalogue", {"auto": ("g", "r")}, False)},
)


def allows(schema, request) -> bool:
    try:
        jsonschema.validate({"request": request}, schema)
    except jsonschema.ValidationError:
        return False
    return True


def fields_of(schema):
    return [(model, name, field) for model, told in schema["definitions"].items()
            for name, field in told.get("properties", {}).items()]


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_every_field_has_a_title_and_a_place_and_its_default_is_allowed(request_) -> None:
    schema = form(request_, TWO)
    for model in {model for model, _, _ in fields_of(schema)}:
        places = [field["position"] for each, _, field in fields_of(schema) if each == model]
        assert places == list(range(len(places)))
    for model, name, field in fields_of(schema):
        assert field["title"], (model, name)
        assert not {"choices", "last"} & set(str(field).replace("'", " ").split())
        if "default" in field:
            told = {**field, "definitions": schema["definitions"]}
            jsonschema.validate(field["default"], told)


def test_a_form_offers_the_fluxes_of_the_catalogue_that_is_chosen() -> None:
    schema = form(TrainingSetRequest, TWO)

    def asked(catalog, flux, dust="sfd"):
        photometry = {"catalog": catalog, "flux": [flux], "dust_map": dust}
        return allows(schema, {"name": "x", "owner": "alice", "photometry": photometry})

    assert all([asked("dp1", "psf"), asked("own", "auto"), asked("dp1", "psf", "catalog")])
    assert not any([asked("dp1", "auto"), asked("own", "psf"), asked("dp2", "cModel")])
    assert not asked("own", "auto", "catalog")  # it brings no E(B-V)


@pytest.mark.parametrize("wrong", [
    {"name": "No"}, {"compilation": "other@latest"}, {"tables": [{"table": "yours@latest"}]},
    {"surveys": ["desi_dr1"]}, {"match": {"radius_arcsec": 61}}, {"formats": ["csv"]},
    {"split": {"parts": []}}, {"owner": "a b"}, {"nothing": 1}, {"more": 3},
])
def test_what_the_schema_can_say_is_refused_at_submission(wrong) -> None:
    sound = {"name": "x", "owner": "alice", "photometry": {"catalog": "dp1"},
             "compilation": "specz@latest"}
    schema = form(TrainingSetRequest, TWO)
    assert allows(schema, sound)
    assert not allows(schema, {**sound, **wrong})
    for needed in ("name", "owner", "photometry"):
        assert not allows(schema, {key: sound[key] for key in sound if key != needed})


def test_what_a_form_allows_by_default_is_a_request() -> None:
    """But for what no schema can say, in which the request itself is stricter."""
    asked = {"name": "x", "owner": "alice", "photometry": {"catalog": "dp1"}}
    schema = form(TrainingSetRequest, TWO)
    assert allows(schema, asked)
    assert TrainingSetRequest.model_validate(asked).photometry.flux == ("cModel",)
    uneven = {**asked, "split": {"parts": [{"name": "a", "fraction": 0.9},
                                           {"name": "b", "fraction": 0.9}]}}
    assert allows(schema, uneven)
    with pytest.raises(ValidationError, match=r"these sum to 1\.8"):
        TrainingSetRequest.model_validate(uneven)


def test_where_there_is_nothing_to_choose_the_field_takes_words() -> None:
    schema = form(CompilationRequest, Choices())
    assert allows(schema, {"name": "x", "owner": "alice", "surveys": ["vandels"]})


def test_choices_are_what_all_may_see_and_can_be_read(site, mock_sky) -> None:
    before = choices_of(site)
    assert before.of("tables") == ("my_redshifts@latest",)
    assert before.of("catalogs") == ("mock",)  # the other one is not there
    assert before.catalogs["mock"].fluxes["cModel"] == ("u", "g", "r", "i", "z", "y")
    assert before.of("maps") == ("sfd", "none", "catalog")
    assert before.of("fetched") == before.of("compilations") == ()
    alice = open_store(site.store, Principal(name="alice"))
    put(mock_sky.root / "my_redshifts.csv", "hers", store=alice,
        access=Access(kind="private", name="alice"))
    put(mock_sky.root / "surveys" / "vandels.parquet", "vandels", store=site.store)
    after = choices_of(site)
    assert after.of("tables") == ("my_redshifts@latest",)
    assert after.of("fetched") == ("vandels",)
