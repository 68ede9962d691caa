"""What became of every measurement: of which survey, with which flags, kept or lost for what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pz_tsm_core.model.quality import InstrumentType, ObjectClass, Quality
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.quality.summary import Compilation, TrainingSet


@dataclass(frozen=True)
class Contribution:
    """What a survey brought, and what of it the result holds.

    Parameters
    ----------
    reasons : measurements by why they won or lost
    kept : rows of the compilation
    rows : of the result
    """

    key: str
    reasons: Mapping[Reason, int]
    kept: int
    rows: int

    @property
    def measurements(self) -> int:
        """All measurements of the survey."""
        return sum(self.reasons.values())

    @property
    def fates(self) -> dict[str, int]:
        """Measurements by what became of them, in the words of the plot."""
        eligible = sum(rows for reason, rows in self.reasons.items() if reason.eligible)
        return {
            "in the result": self.rows,
            "without an object": self.kept - self.rows,
            "another was better": eligible - self.kept,
            "low quality": self.reasons[Reason.LOW_QUALITY],
            "excluded class": self.reasons[Reason.EXCLUDED_CLASS],
        }


def contributions(
    compilation: Compilation, training_set: TrainingSet | None
) -> list[Contribution]:
    """What each survey brought, the one with the most measurements first."""
    reasons: defaultdict[str, Counter[Reason]] = defaultdict(Counter)
    for kind, rows in compilation.measurements.items():
        reasons[kind.survey][Reason(kind.reason)] += rows
    result = training_set.by_survey if training_set else compilation.redshifts
    found = [Contribution(key, {reason: counts[reason] for reason in Reason},
                          compilation.redshifts.rows(key), result.rows(key))
             for key, counts in reasons.items()]
    return sorted(found, key=lambda each: (-each.measurements, each.key))


@dataclass(frozen=True)
class FlagLine:
    """Measurements of one survey, kind of instrument and class of object, by quality."""

    survey: str
    instrument_type: InstrumentType
    object_class: ObjectClass
    by_quality: Mapping[Quality, int]
    share: Mapping[Quality, float]  # of the survey's measurements


def flags(compilation: Compilation) -> list[FlagLine]:
    """Every combination of survey, instrument and class that occurs, surveys by their key."""
    lines: defaultdict[tuple[str, str, str], Counter[Quality]] = defaultdict(Counter)
    totals = Counter[str]()
    for kind, rows in compilation.measurements.items():
        line = lines[kind.survey, kind.instrument_type, kind.object_class]
        line[Quality(kind.quality)] += rows
        totals[kind.survey] += rows
    place = {word.value: number for words in (InstrumentType, ObjectClass)
             for number, word in enumerate(words)}
    ordered = sorted(lines, key=lambda line: (line[0], place[line[1]], place[line[2]]))
    return [FlagLine(
        survey, InstrumentType(instrument), ObjectClass(object_class),
        {quality: lines[survey, instrument, object_class][quality] for quality in Quality},
        {quality: lines[survey, instrument, object_class][quality] / totals[survey]
         for quality in Quality},
    ) for survey, instrument, object_class in ordered]
