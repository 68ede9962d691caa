"""What a guard looks at in a version: a few figures, from its tables, manifests and report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.model.stages import COMBINE, REPORT, STANDARDIZE
from pz_tsm_core.quality.checks import Status
from pz_tsm_core.quality.diff import counted
from pz_tsm_core.quality.repeats import REPEAT_COLUMNS, Repeats
from pz_tsm_core.quality.rules import survey_rules
from pz_tsm_core.store import Store


@dataclass(frozen=True)
class Figures:
    """The figures of a version.

    Parameters
    ----------
    rows : measurements by survey
    dropped : share of the native rows that were no redshift; None where no survey was read
    repeats : sigma_NMAD of dz / (1 + z) between measurements of a galaxy, NaN without pairs
    pairs : of measurements, by which that was found
    matched : share of the galaxies with an object; None for a compilation
    failed : checks of the report that say that the result must not be used
    """

    rows: Mapping[str, int]
    dropped: float | None
    repeats: float
    pairs: int
    matched: float | None
    failed: tuple[str, ...]


def figures(store: Store, artifacts: Mapping[str, ArtifactRef]) -> Figures:
    """Figures of what a version rests on, from one pass over its measurements.

    Memory holds one batch and a histogram.

    Parameters
    ----------
    artifacts : by the label of their stage, as versions name them; a compilation among them

    Raises
    ------
    TsmError
        As `Store.batches`.
    """
    rows, repeats = _measurements(store, artifacts[COMBINE.name])
    told = _checks(store, artifacts)
    return Figures(
        rows, _dropped(store, artifacts), repeats.sigma, repeats.pairs,
        matched=next((value for name, value, _ in told if name == "match.fraction"), None),
        failed=tuple(name for name, _, status in told if status == Status.FAIL))


def _measurements(store: Store, combined: ArtifactRef) -> tuple[Counter[str], Repeats]:
    rows, repeats = Counter[str](), Repeats()
    for batch in store.batches(combined, "measurements", ["survey", *REPEAT_COLUMNS]):
        rows.update(counted(batch["survey"]))
        repeats.add(batch)
    return rows, repeats


def _dropped(store: Store, artifacts: Mapping[str, ArtifactRef]) -> float | None:
    """From the row balance of every survey that was read for the version."""
    read = survey_rules(store.manifest(ref) for ref in artifacts.values()
                        if ref.stage == STANDARDIZE.name)
    taken = sum(each.taken for each in read)
    return 1 - sum(each.given for each in read) / taken if taken else None


def _checks(
    store: Store, artifacts: Mapping[str, ArtifactRef]
) -> list[tuple[str, float, str]]:
    """Name, value and status of everything that the version's report measured."""
    if REPORT.name not in artifacts:
        return []
    table = store.read_table(artifacts[REPORT.name], "metrics", ["name", "of", "value", "status"])
    names = pc.binary_join_element_wise(table["name"], table["of"], " ")
    return list(zip((name.rstrip() for name in names.to_pylist()), table["value"].to_pylist(),
                    table["status"].to_pylist(), strict=True))
