"""The objects near the galaxies of a compilation: the first half of a match, a table of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import NEIGHBOR_SCHEMA
from pz_tsm_core.sky.catalog import answering
from pz_tsm_core.sky.cluster import Pool, pool_of
from pz_tsm_core.sky.margin import Floats, Int64s
from pz_tsm_core.sky.objects import Objects
from pz_tsm_core.sky.offsets import Offset, measure_offsets, moved
from pz_tsm_core.sky.pairs import Pairs, find_pairs
from pz_tsm_core.sky.search import Criteria

#: Gives some columns of the galaxies in tables, always in the same order, that of the sky.
Galaxies = Callable[[Sequence[str]], Iterator[pa.Table]]

#: Finds the pairs of positions and objects.
Engine = Callable[[Floats, Floats, Objects, Criteria, Pool], Pairs]


@dataclass(frozen=True)
class Found:
    """The neighbours of galaxies, as `model.schema.NEIGHBOR` has them.

    Parameters
    ----------
    offsets : by survey; those that the positions were moved by, if that was asked for
    """

    table: pa.Table
    offsets: dict[str, Offset]


def find_neighbors(
    galaxies: Galaxies,
    objects: Objects,
    *,
    release: Release,
    policy: MatchPolicy,
    cluster: ClusterPolicy,
) -> Found:
    """Find the objects near each galaxy; memory holds positions and pairs.

    Parameters
    ----------
    galaxies : with row_id, survey and the position

    Raises
    ------
    TsmError
        `catalog.*` for a catalogue that cannot serve, `match.empty` when nothing matches;
        `service.*` when workers or servers fail.
    """
    require_release(objects, release)
    row_id, ra, dec, survey = _placed(galaxies)
    criteria = Criteria(policy.radius_arcsec, policy.min_radius_arcsec, policy.n_neighbors,
                        id=release.id, primary=release.primary_filter or "")
    engine = _engine(policy)
    with answering(str(objects.place)), pool_of(cluster, len(ra)) as pool:
        pairs = engine(ra, dec, objects, criteria, pool)
        offsets = _offsets(ra, dec, survey, pairs)
        if policy.offsets == "fit" and offsets:
            pairs = engine(*moved(ra, dec, survey, offsets), objects, criteria, pool)
    if not len(pairs):
        raise refuse(Code.MATCH_EMPTY, str(objects.place),
                     found=f"no object within {policy.radius_arcsec:g} arcsec of any galaxy",
                     expected="redshifts and objects of one part of the sky",
                     remedy="compare the footprints; check the units and the frame of ra and dec")
    return Found(_table(row_id, pairs), offsets)


def require_release(objects: Objects, release: Release) -> None:
    """Refuse a catalogue that is not laid out as its release says.

    Raises
    ------
    TsmError
        `catalog.missing-column`; `table.column-type` for ids that are no whole numbers;
        `release.invalid` for a profile that takes positions from elsewhere.
    """
    objects.require([release.id, release.ra, release.dec])
    if (release.ra, release.dec) != (objects.ra, objects.dec):
        raise refuse(Code.RELEASE_INVALID, f"release {release.key}: ra, dec",
                     found=f"{release.ra}, {release.dec}",
                     expected=f"{objects.ra}, {objects.dec}, by which {objects.place} is laid out",
                     remedy="name these columns in the profile")
    require_ids(objects, release.id)


def require_ids(objects: Objects, column: str) -> None:
    """Refuse a column of ids that is not there, or holds no whole numbers.

    Raises
    ------
    TsmError
        `catalog.missing-column`, `table.column-type`.
    """
    objects.require([column])
    kind = objects.schema.field(column).type
    if not pa.types.is_integer(kind) or pa.types.is_uint64(kind):
        raise refuse(Code.TABLE_COLUMN_TYPE, f"{objects.place}: column {column}",
                     found=str(kind), expected="whole numbers that fit 64 bits with sign",
                     remedy="name another column of ids")


def _engine(policy: MatchPolicy) -> Engine:
    if policy.engine == "range":
        return find_pairs
    from pz_tsm_core.sky.lsdb_engine import find_pairs_with_lsdb  # lsdb takes two seconds

    return find_pairs_with_lsdb


def _placed(galaxies: Galaxies) -> tuple[Int64s, Floats, Floats, npt.NDArray[np.object_]]:
    """Ids, positions and surveys of all galaxies."""
    columns = ("row_id", "ra", "dec", "survey")
    table = pa.concat_tables(list(galaxies(columns)))
    row_id, ra, dec = (table[name].to_numpy() for name in columns[:3])
    # Few texts, many rows: each text is one object.
    survey = table["survey"].dictionary_encode().combine_chunks()
    return row_id, ra, dec, np.asarray(survey.dictionary, dtype=object)[survey.indices.to_numpy()]


def _offsets(
    ra: Floats, dec: Floats, survey: npt.NDArray[np.object_], pairs: Pairs
) -> dict[str, Offset]:
    nearest = np.flatnonzero(pairs.rank == 0)
    position, found = pairs.position[nearest], pairs.neighbors.at(nearest)
    return measure_offsets(ra[position], dec[position], found.ra, found.dec, survey[position])


def _table(row_id: Int64s, pairs: Pairs) -> pa.Table:
    places = np.array([(*file.tile, file.part) for file in pairs.files], dtype=np.int64)
    norder, npix, part = places[pairs.file].T
    found = pairs.neighbors
    columns = [row_id[pairs.position], found.id, found.ra, found.dec, found.separation,
               pairs.rank + 1, pairs.candidates, norder, npix, part, found.row]
    return pa.table([pa.array(values).cast(field.type)
                     for values, field in zip(columns, NEIGHBOR_SCHEMA, strict=True)],
                    schema=NEIGHBOR_SCHEMA)
