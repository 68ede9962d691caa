"""Redshifts with the objects nearest to each, of which some may be left out first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core import tables
from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.ops.runs import run_lengths, run_starts
from pz_tsm_core.sphere import chord_of, unit_vectors
from pz_tsm_core.training_set_maker.catalog import Catalog
from pz_tsm_core.training_set_maker.config import Crossmatch

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: Which of some objects take part, shape (n,).
Choice = Callable[[pa.Table], Bools]

#: Place of a redshift in its table, while objects are looked for.
_PLACE = "__place__"
#: So many objects a redshift are looked at first where some of them may be left out.
_CANDIDATES = 16
#: Files are taken in wider than pairs are, so that rounding loses none.
_SLACK = 1.001

# What brings hats is imported where it is needed: two seconds that a notebook need not wait.


@dataclass(frozen=True)
class Pairs:
    """Rows of redshifts and of objects that belong together, and how far apart they are.

    Parameters
    ----------
    place : of each redshift in its table, shape (n,)
    separation : arcsec, shape (n,)
    """

    specz: pa.Table
    objects: pa.Table
    place: Int64s
    separation: Floats

    def take(self, rows: Int64s) -> Pairs:
        """Some of the pairs."""
        taken = pa.array(rows)
        return Pairs(self.specz.take(taken), self.objects.take(taken), self.place[rows],
                     self.separation[rows])


def match(
    specz: pa.Table, position: tuple[str, str], catalog: Catalog, columns: Sequence[str],
    *, told: Crossmatch, choice: Choice | None,
) -> Pairs:
    """Give every redshift its nearest objects, in the order of the sky, the nearest first.

    Parameters
    ----------
    position : columns of `specz` with ICRS positions in degrees
    columns : of the objects
    choice : which objects take part; None for all

    Raises
    ------
    TsmError
        `match.empty` when no redshift has an object.
    """
    placed = specz.append_column(_PLACE, pa.array(np.arange(len(specz))))
    with _as_hats(catalog, specz, position, columns, radius_arcsec=told.radius_arcsec) as path:
        if choice is None:
            pairs = _nearest(placed, position, path, columns, told=told, upto=told.n_neighbors)
        else:
            pairs = _nearest_chosen(placed, position, path, columns, told=told, choice=choice)
    if not len(pairs.separation):
        raise _no_match(catalog, told.radius_arcsec)
    return pairs


def _nearest_chosen(
    placed: pa.Table, position: tuple[str, str], path: Path, columns: Sequence[str],
    *, told: Crossmatch, choice: Choice,
) -> Pairs:
    """The nearest objects among those that take part, however many are nearer and do not."""
    upto = max(told.n_neighbors, _CANDIDATES)
    while True:
        pairs = _nearest(placed, position, path, columns, told=told, upto=upto)
        if not (_counts(pairs.place) == upto).any():
            break
        upto *= 8  # there may be more, and those that were found may all be left out
    pairs = pairs.take(np.flatnonzero(choice(pairs.objects)))
    counts = _counts(pairs.place)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    return pairs.take(np.flatnonzero(np.arange(len(pairs.place)) - first < told.n_neighbors))


def _counts(place: Int64s) -> npt.NDArray[np.intp]:
    """How many pairs there are of each redshift, one after the other."""
    return run_lengths(run_starts(place), len(place))


def _nearest(
    placed: pa.Table, position: tuple[str, str], path: Path, columns: Sequence[str],
    *, told: Crossmatch, upto: int,
) -> Pairs:
    """Ask the matching engine; nothing else here does."""
    from pz_tsm_core.sky.nearest import match_tables
    from pz_tsm_core.sky.objects import open_objects

    ra, dec = position
    objects = open_objects(path)
    parts = list(match_tables(
        placed, objects, ra=ra, dec=dec, columns=columns, radius_arcsec=told.radius_arcsec,
        min_radius_arcsec=told.min_radius_arcsec, n_neighbors=upto, how="inner"))
    if not parts:
        none = pa.schema([objects.schema.field(name) for name in columns]).empty_table()
        parts = [(placed.slice(0, 0), none, np.empty(0))]
    left, right, separation = zip(*parts, strict=True)
    rows = pa.concat_tables(left)
    return Pairs(rows.drop_columns(_PLACE), pa.concat_tables(right, promote_options="permissive"),
                 rows[_PLACE].to_numpy(), np.concatenate(separation))


def _no_match(catalog: Catalog, radius_arcsec: float) -> TsmError:
    return refuse(Code.MATCH_EMPTY, str(catalog.path),
                  found=f"no object within {radius_arcsec:g} arcsec of any redshift",
                  expected="redshifts and objects of one part of the sky",
                  remedy="compare the footprints; check the units and the frame of ra and dec")


@contextmanager
def _as_hats(
    catalog: Catalog, specz: pa.Table, position: tuple[str, str], columns: Sequence[str],
    *, radius_arcsec: float,
) -> Iterator[Path]:
    """The catalogue; of plain files, the rows that are near a redshift as one."""
    if not catalog.files:
        yield catalog.path
        return
    rows = _near_rows(catalog, specz, position, columns, radius_arcsec=radius_arcsec)
    if not rows.num_rows:
        raise _no_match(catalog, radius_arcsec)
    from pz_tsm_core.sky.write import write_table_as_collection

    with TemporaryDirectory(prefix="pz-tsm-") as folder:
        yield write_table_as_collection(rows, Path(folder, "near"), "catalog",
                                        ra_column=catalog.ra, dec_column=catalog.dec)


def _near_rows(
    catalog: Catalog, specz: pa.Table, position: tuple[str, str], columns: Sequence[str],
    *, radius_arcsec: float,
) -> pa.Table:
    """Rows of plain files that are near enough to any redshift to be paired with it."""
    from scipy.spatial import KDTree

    tree = KDTree(_points(specz, position))
    wanted = list(dict.fromkeys((*columns, catalog.ra, catalog.dec)))
    kept = []
    for file in catalog.files:
        with tables.stream(file, wanted) as stream:
            for batch in stream.batches:
                rows = pa.Table.from_batches([batch])
                apart, _ = tree.query(_points(rows, (catalog.ra, catalog.dec)),
                                      distance_upper_bound=_SLACK * chord_of(radius_arcsec))
                kept.append(rows.filter(pa.array(np.isfinite(apart))))
    return pa.concat_tables(kept, promote_options="permissive")


def _points(rows: pa.Table, position: tuple[str, str]) -> Floats:
    """Points of the unit sphere; what has no position is at the centre, far from all."""
    ra, dec = (np.asarray(rows[name].to_numpy(zero_copy_only=False), np.float64)
               for name in position)
    points = unit_vectors(ra, dec)
    return np.where(np.isfinite(points), points, 0.0)
