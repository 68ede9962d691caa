"""Which rule of which survey decided how many rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pz_tsm_core.model.artifact import Manifest

OTHERWISE = "otherwise"


class Hit(NamedTuple):
    """One rule for one quantity, and the rows that it decided."""

    quantity: str
    rule: str
    rows: int


@dataclass(frozen=True)
class SurveyRules:
    """The rules of a survey as they met its rows.

    Parameters
    ----------
    taken, given : native rows, and those that became measurements
    hits : by quantity, the busiest rule first and `otherwise` last
    """

    key: str
    taken: int
    given: int
    hits: tuple[Hit, ...]

    @property
    def silent(self) -> int:
        """Rules that decided no row."""
        return sum(hit.rows == 0 for hit in self.hits if hit.rule != OTHERWISE)

    @property
    def unforeseen(self) -> float | None:
        """Share of rows whose quality no rule gave; None where there is no rule, or no row."""
        quality = [hit for hit in self.hits if hit.quantity == "quality"]
        if len(quality) < 2 or not self.given:
            return None
        return sum(hit.rows for hit in quality if hit.rule == OTHERWISE) / self.given


def survey_rules(manifests: Iterable[Manifest]) -> list[SurveyRules]:
    """Rule hits of every survey that was standardized, its files taken together, by key."""
    taken, given, hits = Counter[str](), Counter[str](), dict[str, Counter[str]]()
    for manifest in manifests:
        if manifest.request.stage == "standardize" and manifest.rows:
            key = manifest.notes["survey"]["key"]
            taken[key] += manifest.rows.taken
            given[key] += manifest.rows.given
            hits.setdefault(key, Counter()).update(manifest.counts["rules"])
    return [SurveyRules(key, taken[key], given[key], _sorted(hits[key])) for key in sorted(hits)]


def _sorted(counts: Counter[str]) -> tuple[Hit, ...]:
    split = ((name.partition(": "), rows) for name, rows in counts.items())
    hits = (Hit(quantity, rule, rows) for (quantity, _, rule), rows in split)
    return tuple(sorted(hits, key=lambda hit: (
        hit.quantity != "quality", hit.quantity, hit.rule == OTHERWISE, -hit.rows, hit.rule)))
