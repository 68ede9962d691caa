"""The order of the work, written once: a flow submits by it and a plan reads it.

An order is a plain function that calls `do(stage, **parameters)` for every stage and hands on what
comes back. In a flow that is the future of an `ArtifactRef`; in a plan the reference itself, or
what stands for one that is not made yet. So an order never looks into what it hands on.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, count
from typing import Any, Protocol

from flows.pins import Pins
from pz_tsm_core.model.pins import FilePin
from pz_tsm_core.model.recipe import Recipe
from tasks.combine import combine
from tasks.correct import correct
from tasks.crossmatch import crossmatch
from tasks.export import export
from tasks.neighbors import neighbors
from tasks.partition import partition
from tasks.report import report
from tasks.retrieve import retrieve
from tasks.select import select
from tasks.split import split
from tasks.stage import StageTask
from tasks.standardize import standardize


class Do(Protocol):
    """Have a stage done, or its doing noted; give what stands for its artifact."""

    def __call__(self, stage: StageTask[...], /, **parameters: Any) -> Any:
        """Do `stage` with these parameters."""


class Order(Protocol):
    """Which stages follow which, for a recipe whose outside is pinned; gives the result."""

    def __call__(self, recipe: Recipe, pins: Pins, do: Do) -> Any:
        """Call `do` for every stage, inputs first."""


class Noted:
    """A `do` that remembers what stands for each artifact, by the label of its stage."""

    def __init__(self, do: Do) -> None:
        self.made: dict[str, Any] = {}
        self._do = do

    def __call__(self, stage: StageTask[...], /, **parameters: Any) -> Any:
        """Have the stage done, and note it."""
        made = self._do(stage, **parameters)
        self.made[distinct(stage.label(**parameters), self.made)] = made
        return made


def distinct(label: str, taken: Container[str]) -> str:
    """The label, numbered when a survey comes in several files."""
    numbered = (f"{label} ({number})" for number in count(2))
    return next(name for name in chain([label], numbered) if name not in taken)


def compilation(recipe: Recipe, pins: Pins, do: Do) -> Any:
    """One row a galaxy, laid out on the sky, and a report of it."""
    done = Noted(do)
    _compile(recipe, pins, done)
    do(report, stages=done.made, recipe=recipe, release=None, dust=None)
    return done.made[combine.name]  # all measurements; HATS holds the winners alone


def training_set(recipe: Recipe, pins: Pins, do: Do) -> Any:
    """The compilation with LSST photometry, split and written for photo-z codes, and a report."""
    done = Noted(do)
    files = _make_training_set(recipe, pins, done)
    do(report, stages=done.made, recipe=recipe, release=pins.release, dust=pins.dust)
    return files


def _compile(recipe: Recipe, pins: Pins, do: Do) -> Any:
    """Redshifts of all sources, one row a galaxy, laid out on the sky."""
    measurements = []
    for source in pins.sources:
        native = source.native
        if isinstance(native, FilePin):  # else a product: the store has it already
            native = do(retrieve, file=native, survey=source.survey)
        measurements.append(
            do(standardize, native=native, survey=source.survey, policy=recipe.standardize)
        )
    combined = do(
        combine,
        measurements=measurements, compilation=pins.compilation, policy=recipe.combine,
        cluster=recipe.cluster,
    )
    return do(partition, combined=combined, policy=recipe.partition, cluster=recipe.cluster)


def _make_training_set(recipe: Recipe, pins: Pins, do: Do) -> Any:
    """The compilation with LSST photometry, split and written for photo-z codes."""
    galaxies = _compile(recipe, pins, do)
    near = do(
        neighbors,
        galaxies=galaxies, catalog=pins.catalog, release=pins.release, policy=recipe.match,
        cluster=recipe.cluster,
    )
    matches = do(
        crossmatch,
        galaxies=galaxies, near=near, catalog=pins.catalog, release=pins.release,
        policy=recipe.match, cluster=recipe.cluster,
    )
    corrected = do(
        correct,
        matches=matches, release=pins.release, policy=recipe.photometry, dust=pins.dust,
    )
    if not recipe.select.does_nothing:
        corrected = do(select, corrected=corrected, policy=recipe.select)
    divided = do(split, corrected=corrected, policy=recipe.split)
    return do(
        export,
        training_set=divided, output=recipe.output, split=recipe.split, release=pins.release,
    )


def order_for(recipe: Recipe) -> Order:
    """Without a catalogue to match with, the work ends with the compilation."""
    return training_set if recipe.catalog else compilation
