"""What the summary of a run measures, as a list of numbers with names and units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pz_tsm_core.model.chance import Chance
from pz_tsm_core.quality.balance import Step
from pz_tsm_core.quality.rules import SurveyRules
from pz_tsm_core.quality.summary import Compilation, TrainingSet
from pz_tsm_core.quality.tally import Tally

#: Fewer matches than these tell nothing of a survey's positions, nor of the catalogue's.
FEW = 20
#: Order of the cells by which the area is told.
AREA_ORDER = 8

MAS = 1000.0  # in an arcsec
MMAG = 1000.0  # in a mag


class Measurement(NamedTuple):
    """A value of a metric.

    Parameters
    ----------
    of : the survey, part or band that it is of; empty for the whole result
    """

    name: str
    of: str
    value: float


@dataclass(frozen=True)
class Found:
    """Everything that metrics are taken from.

    Parameters
    ----------
    fractions : the parts that the recipe asks for
    training_set : None where the work ends with the compilation
    chance : what the match finds where no counterpart is
    """

    balance: Sequence[Step]
    rules: Sequence[SurveyRules]
    compilation: Compilation
    fractions: Mapping[str, float]
    training_set: TrainingSet | None = None
    chance: Chance | None = None

    @property
    def redshifts(self) -> Tally:
        """Redshifts of the result by survey."""
        return (self.training_set.by_survey if self.training_set else self.compilation.redshifts)

    @property
    def rows(self) -> int:
        """Rows of the result."""
        return self.training_set.rows if self.training_set else self.compilation.galaxies


def measure(found: Found) -> list[Measurement]:
    """Every metric of a run; what cannot be told (the median of nothing) is left out."""
    named = [*_rows(found), *_rules(found.rules), *_redshifts(found)]
    if found.training_set:
        named += [*_match(found.training_set, found.compilation.galaxies),
                  *_chance(found.chance), *_magnitudes(found.training_set),
                  *_dust(found.training_set), *_split(found.training_set, found.fractions)]
    return [Measurement(*each) for each in named if math.isfinite(each[2])]


Named = Iterator[tuple[str, str, float]]


def _rows(found: Found) -> Named:
    yield "rows.unaccounted", "", sum(step.unaccounted for step in found.balance)
    yield "rows.result", "", found.rows
    sky = (found.training_set or found.compilation).sky
    yield "sky.area", "", sky.cells.coarser(AREA_ORDER).area


def _rules(surveys: Sequence[SurveyRules]) -> Named:
    for survey in surveys:
        yield "rows.kept", survey.key, _share(survey.given, survey.taken)
        if survey.unforeseen is not None:
            yield "rules.unforeseen", survey.key, survey.unforeseen


def _redshifts(found: Found) -> Named:
    tally, compilation = found.redshifts, found.compilation
    yield "redshift.lowest", "", tally.lowest
    yield "redshift.median", "", tally.median()
    yield "redshift.highest", "", tally.highest
    yield "redshift.discordant", "", _share(compilation.discordant, compilation.repeated)
    yield "redshift.conflict", "", _share(compilation.z_conflicts, compilation.galaxies)
    yield "class.conflict", "", _share(compilation.class_conflicts, compilation.galaxies)


def _match(told: TrainingSet, galaxies: int) -> Named:
    yield "match.fraction", "", _share(told.matched, galaxies)
    yield "match.ambiguous", "", _share(told.ambiguous, told.matched)
    offsets = (("match.separation", told.separation, 1.0), ("match.east", told.east, MAS),
               ("match.north", told.north, MAS))
    for name, tally, unit in offsets:
        if told.matched >= FEW or name == "match.separation":
            yield name, "", tally.median() * unit
        for survey in sorted(tally.counts):
            if tally.rows(survey) >= FEW:
                yield name, survey, tally.median(survey) * unit


def _chance(chance: Chance | None) -> Named:
    if chance:
        yield "match.random", "", chance.random
        yield "match.wrong", "", chance.wrong_share


def _magnitudes(told: TrainingSet) -> Named:
    for band in told.bands:
        yield "magnitude.missing", band, _share(told.missing[band], told.matched)


def _dust(told: TrainingSet) -> Named:
    reddened = told.reddened
    if not reddened.rows:
        return
    yield "ebv.missing", "", _share(reddened.unknown, reddened.rows)
    yield "ebv.median", "", reddened.applied.median()
    yield "ebv.highest", "", reddened.applied.highest
    yield "ebv.catalog_minus_map", "", reddened.beyond_map.median() * MMAG
    for band, beyond in reddened.beyond_sf11(told.bands):
        yield "magnitude.beyond_sf11", band, beyond * MMAG


def _split(told: TrainingSet, fractions: Mapping[str, float]) -> Named:
    for part, asked in fractions.items():
        share = _share(told.by_part.rows(part), told.galaxies)
        # Of n galaxies, each falling by itself to the part with probability p: binomial.
        sigma = math.sqrt(asked * (1 - asked) / told.galaxies) if told.galaxies else math.nan
        yield "split.fraction", part, share
        yield "split.deviation", part, (share - asked) / sigma if sigma else 0.0
    yield "split.shared_galaxies", "", told.galaxy_sides.shared
    yield "split.shared_objects", "", told.object_sides.shared


def _share(some: int, of: int) -> float:
    return some / of if of else math.nan
