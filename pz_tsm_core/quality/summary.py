"""What a report knows of the rows: histograms and counts from one pass over each table.

Memory holds one batch, the histograms, a million cells of the sky, and 20 bytes for every row of a
training set: the ids by which its parts are proved disjoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import object_column
from pz_tsm_core.ops.runs import run_starts
from pz_tsm_core.quality.cells import SkyTally
from pz_tsm_core.quality.reddening import Reddened
from pz_tsm_core.quality.tally import Axis, Grid, Ints, Labels, Tally, floats
from pz_tsm_core.sky.offsets import Offset
from pz_tsm_core.sphere import offset_arcsec

#: Beyond these a redshift is counted, and drawn nowhere; galaxies are known up to 14.
REDSHIFT = Axis(-0.5, 0.005, 3100)
#: The same axis for the plane of magnitude and redshift, and that of AB magnitudes.
REDSHIFT_COARSE = Axis(-0.5, 0.01, 1550)
MAGNITUDE = Axis(8.0, 0.1, 240)
#: Bins from zero to the match radius.
SEPARATION_BINS = 1000

#: Redshifts of one galaxy that differ by more, over 1 + z, are not of one galaxy, or one is wrong:
#: six times the error of a prism (PRIMUS: 0.005; Cool et al. 2013, ApJ 767, 118).
DISCORDANT = 0.03

_NOT_MOVED = Offset(0.0, 0.0, 0)

#: Most galaxies are seen in i; the others in order of how many.
_BY_USE = ("i", "r", "z", "g", "y", "u")

MEASUREMENT_COLUMNS = ["survey", "quality", "object_class", "instrument_type", "reason"]
GALAXY_COLUMNS = ["survey", "ra", "dec", "z", "n_eligible", "z_spread", "z_conflict",
                  "class_conflict"]


class Kind(NamedTuple):
    """What a compilation counts measurements by."""

    survey: str
    quality: int
    object_class: str
    instrument_type: str
    reason: int


@dataclass
class Compilation:
    """Measurements by kind, and the galaxies that they made.

    Parameters
    ----------
    repeated : galaxies with several redshifts that are good enough
    discordant : those among them whose redshifts differ by more than `DISCORDANT`
    z_conflicts : those whose best redshifts disagree, as the policy has it
    class_conflicts : those in whose place something of an excluded class was seen
    """

    measurements: Counter[Kind] = field(default_factory=Counter)
    redshifts: Tally = field(default_factory=lambda: Tally(REDSHIFT))
    sky: SkyTally = field(default_factory=SkyTally)
    galaxies: int = 0
    repeated: int = 0
    discordant: int = 0
    z_conflicts: int = 0
    class_conflicts: int = 0

    def add_measurements(self, batch: pa.RecordBatch) -> None:
        """Count measurements by survey, flags and fate."""
        grouped = pa.Table.from_batches([batch]).group_by(MEASUREMENT_COLUMNS)
        counted = grouped.aggregate([([], "count_all")])
        kinds = zip(*(counted[name].to_pylist() for name in MEASUREMENT_COLUMNS), strict=True)
        for kind, rows in zip(kinds, counted["count_all"].to_pylist(), strict=True):
            self.measurements[Kind(*kind)] += rows

    def add_galaxies(self, batch: pa.RecordBatch) -> None:
        """Count galaxies by redshift and place."""
        self.galaxies += len(batch)
        self.redshifts.add(floats(batch, "z"), Labels.of(batch["survey"]))
        self.sky.add(floats(batch, "ra"), floats(batch, "dec"))
        several = batch["n_eligible"].to_numpy() > 1
        self.repeated += int(several.sum())
        self.z_conflicts += pc.sum(batch["z_conflict"]).as_py() or 0
        self.class_conflicts += pc.sum(batch["class_conflict"]).as_py() or 0
        self.discordant += int((several & (floats(batch, "z_spread") > DISCORDANT)).sum())


def summarise_compilation(
    measurements: Iterable[pa.RecordBatch], galaxies: Iterable[pa.RecordBatch]
) -> Compilation:
    """Take in the tables `measurements` and `galaxies` that `combine` leaves."""
    told = Compilation()
    for batch in measurements:
        told.add_measurements(batch)
    for batch in galaxies:
        told.add_galaxies(batch)
    return told


class Sides:
    """On which parts each id was seen."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._ids: list[Ints] = []
        self._parts: list[npt.NDArray[np.int16]] = []

    def add(self, ids: Ints, parts: Labels) -> None:
        """Note ids and the part of each, shape (n,)."""
        codes = [self._codes.setdefault(name, len(self._codes)) for name in parts.names]
        self._ids.append(ids)
        self._parts.append(np.asarray(codes, dtype=np.int16)[parts.codes])

    @property
    def shared(self) -> int:
        """How many ids are on more than one part."""
        if not self._ids:
            return 0
        ids, parts = np.concatenate(self._ids), np.concatenate(self._parts)
        order = np.argsort(ids)
        starts = run_starts(ids[order])
        if not len(starts):
            return 0
        first, last = (reduce.reduceat(parts[order], starts)
                       for reduce in (np.minimum, np.maximum))
        return int(np.count_nonzero(first != last))


@dataclass
class TrainingSet:
    """Galaxies of a training set by redshift, magnitude, separation and place.

    Of a galaxy with several objects the row of the nearest one speaks; the others are counted in
    `rows`, and in what is told of parts. Galaxies without an object have no part in what is told
    of objects.

    Parameters
    ----------
    release : tells which columns are the object's
    bands : that have a magnitude
    radius_arcsec : within which objects were looked for
    dereddening : by which its magnitudes were corrected
    moved : offsets by which positions were moved before the match, by survey
    matched : galaxies with an object
    ambiguous : those of them with more than one object within the radius
    missing : by band, those of them without a magnitude
    """

    release: Release
    bands: Sequence[str]
    radius_arcsec: float
    dereddening: Dereddening = field(default_factory=lambda: Dereddening(map="none"))
    moved: Mapping[str, Offset] = field(default_factory=dict)
    rows: int = 0
    galaxies: int = 0
    matched: int = 0
    ambiguous: int = 0
    by_survey: Tally = field(default_factory=lambda: Tally(REDSHIFT))
    by_part: Tally = field(default_factory=lambda: Tally(REDSHIFT))
    magnitudes: Grid = field(default_factory=lambda: Grid(REDSHIFT_COARSE, MAGNITUDE))
    missing: Counter[str] = field(default_factory=Counter)
    sky: SkyTally = field(default_factory=SkyTally)
    galaxy_sides: Sides = field(default_factory=Sides)
    object_sides: Sides = field(default_factory=Sides)
    reddened: Reddened = field(init=False)
    separation: Tally = field(init=False)
    east: Tally = field(init=False)
    north: Tally = field(init=False)
    _last: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.reddened = Reddened(self.dereddening, self.release)
        step = self.radius_arcsec / SEPARATION_BINS
        offset = Axis(-self.radius_arcsec, step, 2 * SEPARATION_BINS)
        self.separation = Tally(Axis(0.0, step, SEPARATION_BINS))
        self.east, self.north = Tally(offset), Tally(offset)

    @property
    def band(self) -> str:
        """The band in which galaxies are shown."""
        return next(band for band in _BY_USE if band in self.bands)

    @property
    def columns(self) -> list[str]:
        """Columns that `add` reads."""
        own = ["row_id", "galaxy_id", "survey", "split", "ra", "dec", "z", "separation",
               "n_candidates"]
        objects = (self.release.id, self.release.ra, self.release.dec)
        return [*own, *map(object_column, objects), *self.reddened.columns,
                *(f"mag_{band}" for band in self.bands)]

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch; those of one galaxy follow each other, the nearest first."""
        object_id = object_column(self.release.id)
        with_object = batch.filter(batch[object_id].is_valid())
        self.rows += len(batch)
        self.galaxy_sides.add(batch["galaxy_id"].to_numpy(), Labels.of(batch["split"]))
        self.object_sides.add(with_object[object_id].cast(pa.int64()).to_numpy(),
                              Labels.of(with_object["split"]))
        galaxies = batch.filter(pa.array(self._first(batch["row_id"].to_numpy())))
        self._add_galaxies(galaxies)
        self._add_objects(galaxies.filter(galaxies[object_id].is_valid()))

    def _first(self, row_id: Ints) -> npt.NDArray[np.bool_]:
        """Whether a row is the first of its galaxy, of which rows may have come before."""
        first = np.append(True, row_id[1:] != row_id[:-1])[:len(row_id)]
        if len(row_id):
            first[0] = row_id[0] != self._last
            self._last = int(row_id[-1])
        return first

    def _add_galaxies(self, batch: pa.RecordBatch) -> None:
        """Count galaxies by redshift and place."""
        z = floats(batch, "z")
        self.galaxies += len(batch)
        self.by_survey.add(z, Labels.of(batch["survey"]))
        self.by_part.add(z, Labels.of(batch["split"]))
        self.sky.add(floats(batch, "ra"), floats(batch, "dec"))

    def _add_objects(self, batch: pa.RecordBatch) -> None:
        """Count galaxies by what their object is like, and where."""
        self.matched += len(batch)
        self.magnitudes.add(floats(batch, "z"), floats(batch, f"mag_{self.band}"))
        self.missing.update({band: batch[f"mag_{band}"].null_count for band in self.bands})
        self.reddened.add(batch)
        self.ambiguous += int((batch["n_candidates"].to_numpy() > 1).sum())
        self._add_offsets(batch, Labels.of(batch["survey"]))

    def _add_offsets(self, batch: pa.RecordBatch, surveys: Labels) -> None:
        """Count separations, and offsets of the object from where the redshift was looked for."""
        self.separation.add(floats(batch, "separation"), surveys)
        objects = (object_column(name) for name in (self.release.ra, self.release.dec))
        east, north = offset_arcsec(*(floats(batch, name) for name in ("ra", "dec", *objects)))
        moved = [self.moved.get(name, _NOT_MOVED) for name in surveys.names]
        for tally, offset, by in ((self.east, east, [each.east for each in moved]),
                                  (self.north, north, [each.north for each in moved])):
            tally.add(offset - np.asarray(by, dtype=np.float64)[surveys.codes], surveys)
