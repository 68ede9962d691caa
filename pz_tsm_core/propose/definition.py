"""A table as a survey of its own: the text of a definition, in the form of the registry's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pz_tsm_core.inspection.column import Column
from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality
from pz_tsm_core.model.survey import USER_ORDINAL
from pz_tsm_core.propose.findings import Finding, by_key
from pz_tsm_core.propose.own import OwnTable
from pz_tsm_core.propose.position import Coordinate
from pz_tsm_core.propose.sentinels import Z_RANGE
from pz_tsm_core.propose.text_numbers import TextNumbers
from pz_tsm_core.propose.weigh import is_velocity
from pz_tsm_core.propose.writing import written

_GUESS = "proposed"


def definition_text(
    own: OwnTable, findings: Iterable[Finding], *, name: str, label: str, rows: int
) -> str:
    """The YAML of the definition, with what was seen as comments."""
    return written(
        "survey.yaml.jinja", name=name, label=label, rows=rows, ordinal=USER_ORDINAL,
        findings=by_key(findings), columns=_columns(own), lists=_lists(own),
    )


def _columns(own: OwnTable) -> dict[str, Any]:
    mapping, columns = own.mapping, dict[str, Any]()
    if mapping.id:
        parts = [mapping.id_part.name] if mapping.id_part else []
        names = [*parts, mapping.id.column.name]
        columns["id"] = {"from": names if parts else names[0]}
    for role, coordinate in (("ra", mapping.ra), ("dec", mapping.dec)):
        columns[role] = {**_origin(coordinate), "unit": coordinate.unit}
    columns["z"] = _number(own, mapping.z.column, sorted(own.sentinels), Z_RANGE)
    if mapping.z_err:
        columns["z_err"] = _number(own, mapping.z_err.column, [0], (0, Z_RANGE[1]))
    if own.flag:
        columns["native_flag"] = {"from": own.flag.column.name}
    others = sorted({column.name for column in _read_by_rules(own)})
    return {**columns, "others": others} if others else columns


def _origin(coordinate: Coordinate) -> dict[str, Any]:
    names = [column.name for column in coordinate.columns]
    return {"from": names[0]} if len(names) == 1 else {"parts": names}


def _number(
    own: OwnTable, column: Column, nulls: list[float], valid: tuple[float, float]
) -> dict[str, Any]:
    """A redshift, or its error; that of a velocity is one, too."""
    said: dict[str, Any] = {"from": column.name}
    if own.mapping.velocity or is_velocity(column):
        said["unit"] = "km/s"
    words: list[str] = []
    if isinstance(column, TextNumbers):
        said["cast"], words = "number", list(column.words)
    if nulls or words:
        said["nulls"] = [*words, *nulls]
    return {**said, "valid": list(valid)}


def _read_by_rules(own: OwnTable) -> Iterable[Column]:
    """Columns that only rules name."""
    mapping = own.mapping
    if own.classes and mapping.object_class:
        yield mapping.object_class.column
    if own.instruments and mapping.instrument_type:
        yield mapping.instrument_type.column


def _lists(own: OwnTable) -> list[dict[str, Any]]:
    """The three lists of rules."""
    flag = own.flag
    quality = [_rule(rule.when, int(rule.then), rule.means)
               for rule in (flag.quality if flag else ())]
    classes = [_rule(rule.when, rule.then.value, rule.means)
               for rule in (flag.object_class if flag else ())]
    classes += [_rule(when, kind.value, "the word itself") for when, kind in own.classes]
    instruments = [_rule(when, kind.value, "the word itself") for when, kind in own.instruments]
    spectra = InstrumentType.PHOTOMETRIC if own.is_photometric else InstrumentType.SPECTROSCOPIC
    return [
        {"name": "quality", "rules": quality,
         "otherwise": int(flag.otherwise) if flag else int(Quality.SECURE),
         "source": f"{_GUESS}: {flag.otherwise_means if flag else 'no flag tells'}"},
        {"name": "object_class", "rules": classes, "otherwise": ObjectClass.UNKNOWN.value,
         "source": f"{_GUESS}: no other word is known"},
        {"name": "instrument_type", "rules": instruments, "otherwise": spectra.value,
         "source": f"{_GUESS}: nothing else is said"},
    ]


def _rule(when: str, then: int | str, means: str) -> dict[str, Any]:
    return {"when": when, "then": then, "source": f"{_GUESS}: {means}"}
