"""The JSON schema of a form: the fields of a request, with what there is to choose from.

Prefect keeps one for each deployment, draws the form from it, and refuses at submission what it
does not allow. It draws by `position`, by `title` and `description`, `enum` as a drop-down and
`anyOf` as tabs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pz_tsm_core.service.choices import CatalogChoice, Choices
from pz_tsm_core.service.requests import CHOICES, LAST, Kind, PhotometryChoice, Request

#: Endings of names by which the unit of a number is told.
UNITS = {"arcsec": "arcsec", "njy": "nJy", "seconds": "s", "deg": "deg"}

#: What a name says to programmers alone.
_ENDING = re.compile(r"(Choice|Policy|Request)$")

_REF = "#/definitions/{model}"

Schema = dict[str, Any]


def form(
    request: type[Request | Any], choices: Choices, *, parameter: str = "request"
) -> Schema:
    """The schema of a flow whose one parameter is a request.

    Parameters
    ----------
    choices : of a kind without any the field takes what is typed, and the run says what is wrong
    parameter : its name
    """
    schema = request.model_json_schema(ref_template=_REF)
    models = {**schema.pop("$defs", {}), request.__name__: schema}
    definitions = {name: _model(model, choices) for name, model in models.items()}
    if choices.catalogs and PhotometryChoice.__name__ in definitions:
        _by_catalog(definitions, choices.catalogs)
    return {
        "title": "Parameters", "type": "object", "required": [parameter],
        "properties": {parameter: {
            "$ref": _REF.format(model=request.__name__),
            "title": spoken(request.__name__.removesuffix("Request")), "position": 0,
        }},
        "definitions": definitions,
    }


def spoken(name: str) -> str:
    """The name of a field or a model for people: words, and the unit.

    >>> spoken("min_radius_arcsec"), spoken("n_neighbors"), spoken("TrainingSet")
    ('Min radius [arcsec]', 'N neighbors', 'Training set')
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
    unit = UNITS.get(words[-1]) if len(words) > 1 else None
    told = " ".join(words[:-1] if unit else words).capitalize()
    return f"{told} [{unit}]" if unit else told


def _model(schema: Schema, choices: Choices) -> Schema:
    """A model with its fields in their order, each with its title and choices."""
    in_order = sorted(schema.get("properties", {}).items(), key=lambda item: LAST in item[1])
    fields = {
        name: {**_chosen(field, choices), "title": _title(name, field), "position": place}
        for place, (name, field) in enumerate(in_order)
    }
    told = {key: value for key, value in schema.items() if key != "properties"}
    told["title"] = _ENDING.sub("", str(told.get("title", "")))
    if "description" in told:  # the first paragraph is for people, what follows for programmers
        told["description"] = " ".join(told["description"].partition("\n\n")[0].split())
    return {**told, **({"properties": fields} if fields else {})}


def _title(name: str, field: Schema) -> str:
    """A title that somebody wrote, else one made of the name."""
    given = str(field.get("title", ""))
    made = name.replace("_", " ").title().strip()  # as pydantic makes it
    return spoken(name) if given in ("", made) else given


def _chosen(field: Any, choices: Choices) -> Any:
    """A field in which every mark of a kind is replaced by the values of it."""
    if isinstance(field, list):
        return [_chosen(each, choices) for each in field]
    if not isinstance(field, Mapping):
        return field
    kind: Kind | None = field.get(CHOICES)
    rest = {key: _chosen(value, choices) for key, value in field.items()
            if key not in (CHOICES, LAST)}
    if kind is None:
        return rest
    values = choices.of(kind)
    # What a value looks like is said by the choices now; two of them would be tabs.
    told = {key: rest[key] for key in ("title", "description", "default") if key in rest}
    if not values:
        return {**told, "type": "string"}
    allowed = list(values) if rest.get("default") != "" else ["", *values]
    if "default" in told and told["default"] not in allowed:
        del told["default"]  # somebody must choose: another default would be another result
    return {**told, "type": "string", "enum": allowed}


def _by_catalog(definitions: dict[str, Schema], catalogs: Mapping[str, CatalogChoice]) -> None:
    """One kind of photometry for every catalogue, each with the fluxes that it has: tabs."""
    general = definitions.pop(PhotometryChoice.__name__)
    names = {}
    for key, catalog in catalogs.items():
        names[key] = f"{PhotometryChoice.__name__}_{key}"
        definitions[names[key]] = _photometry(general, key, catalog)
    for model in definitions.values():
        for field in model.get("properties", {}).values():
            if field.get("$ref") == _REF.format(model=PhotometryChoice.__name__):
                del field["$ref"]
                field["anyOf"] = [{"$ref": _REF.format(model=name)} for name in names.values()]


def _photometry(general: Schema, key: str, catalog: CatalogChoice) -> Schema:
    fields = dict(general["properties"])
    fields["catalog"] = {**fields["catalog"], "enum": [key], "default": key}
    default = [kind for kind in fields["flux"]["default"] if kind in catalog.fluxes]
    fields["flux"] = {
        **fields["flux"], "items": {"type": "string", "enum": list(catalog.fluxes)},
        "uniqueItems": True, "default": default or list(catalog.fluxes)[:1],
    }
    maps = fields["dust_map"]
    if "enum" in maps and not catalog.own_ebv:
        fields["dust_map"] = {**maps, "enum": [each for each in maps["enum"] if each != "catalog"]}
    return {**general, "title": catalog.title, "properties": fields}
