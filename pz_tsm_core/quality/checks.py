"""Measurements held against what they should be, and the verdict on a result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from pz_tsm_core.quality.definitions import Bounds, Definition, definitions
from pz_tsm_core.quality.metrics import Measurement


class Status(StrEnum):
    """How a measurement stands, from the least to the most troubling."""

    TOLD = "told"  # there is no right or wrong
    PASS = "pass"  # noqa: S105 - no password
    LOOK = "look"  # a person should look
    FAIL = "fail"  # the result must not be used


@dataclass(frozen=True)
class Check:
    """A measurement, what it means, and how it stands."""

    measurement: Measurement
    definition: Definition
    status: Status


def check(measurements: Iterable[Measurement]) -> list[Check]:
    """Hold every measurement against the bounds of its metric; in the order of definitions."""
    known = definitions()
    place = {name: number for number, name in enumerate(known)}
    return [Check(measured, known[measured.name], _status(measured.value, known[measured.name]))
            for measured in sorted(measurements, key=lambda each: place[each.name])]


def _status(value: float, definition: Definition) -> Status:
    if not _within(value, definition.hold):
        return Status.FAIL
    if not _within(value, definition.pass_):
        return Status.LOOK
    return Status.PASS if definition.remedy else Status.TOLD


def _within(value: float, bounds: Bounds | None) -> bool:
    low, high = bounds or (None, None)
    return (low is None or value >= low) and (high is None or value <= high)


def verdict(checks: Iterable[Check]) -> Status:
    """The worst that was found."""
    severity = list(Status)
    return max((each.status for each in checks), key=severity.index, default=Status.PASS)


def as_table(checks: Iterable[Check]) -> pa.Table:
    """The checks as a table for programs: name, of, value, unit, status."""
    rows = [{
        "name": each.measurement.name, "of": each.measurement.of,
        "value": float(each.measurement.value), "unit": each.definition.unit,
        "status": each.status.value,
    } for each in checks]
    kinds = {"name": pa.string(), "of": pa.string(), "value": pa.float64(), "unit": pa.string(),
             "status": pa.string()}
    return pa.Table.from_pylist(rows, pa.schema([
        pa.field(name, kind, nullable=False) for name, kind in kinds.items()]))
