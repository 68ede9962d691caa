"""The objects near the galaxies of a compilation: the first half of a match, a table of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.chance import Chance
from pz_tsm_core.model.policy import ClusterPolicy, MatchPolicy
from pz_tsm_core.model.release import Release
from pz_tsm_core.model.schema import NEIGHBOR_SCHEMA
from pz_tsm_core.sky.catalog import answering
from pz_tsm_core.sky.chance import Shifted, estimate_chance, shifted
from pz_tsm_core.sky.cluster import Pool, pool_of
from pz_tsm_core.sky.margin import Floats, Int64s
from pz_tsm_core.sky.objects import Objects
from pz_tsm_core.sky.offsets import Offset, Surveys, measure_offsets, moved
from pz_tsm_core.sky.pairs import Pairs, find_pairs
from pz_tsm_core.sky.search import Criteria

#: Gives some columns of the galaxies in tables, always in the same order, that of the sky.
Galaxies = Callable[[Sequence[str]], Iterator[pa.Table]]

#: Searches by which offsets are fitted: where the first moves a survey into reach of objects that
#: were not, the second sees them.
ROUNDS = 2

#: Finds the pairs of positions and objects.
Engine = Callable[[Floats, Floats, Objects, Criteria, Pool], Pairs]


@dataclass(frozen=True)
class Found:
    """The neighbours of galaxies, as `model.schema.NEIGHBOR` has them.

    Parameters
    ----------
    offsets : by survey; those that the positions were moved by, if that was asked for
    chance : how many of the nearest objects are no counterparts
    """

    table: pa.Table
    offsets: dict[str, Offset]
    chance: Chance


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
    row_id, ra, dec, surveys = _placed(galaxies)
    criteria = Criteria(policy.radius_arcsec, policy.min_radius_arcsec, policy.n_neighbors,
                        id=release.id, primary=release.primary_filter or "")
    engine = _engine(policy)
    with answering(str(objects.place)), pool_of(cluster, len(ra)) as pool:
        offsets: dict[str, Offset] = {}
        if policy.offsets == "fit":
            for _ in range(ROUNDS):
                there = moved(ra, dec, surveys, offsets)
                beside = _offsets(*there, surveys, engine(*there, objects, criteria, pool))
                offsets |= {name: each.beyond(offsets.get(name)) for name, each in beside.items()}
        there = moved(ra, dec, surveys, offsets)
        positions = shifted(row_id, *there, policy.radius_arcsec)
        found = engine(positions.ra, positions.dec, objects, criteria, pool)
    nearest = found.rank == 0
    chance = estimate_chance(
        positions, found.position[nearest], found.neighbors.separation[nearest], surveys,
        area=np.pi * (policy.radius_arcsec**2 - policy.min_radius_arcsec**2))
    pairs = _own(found, positions)
    if policy.offsets == "none":
        offsets = _offsets(ra, dec, surveys, pairs)
    if not len(pairs):
        raise refuse(Code.MATCH_EMPTY, str(objects.place),
                     found=f"no object within {policy.radius_arcsec:g} arcsec of any galaxy",
                     expected="redshifts and objects of one part of the sky",
                     remedy="compare the footprints; check the units and the frame of ra and dec")
    return Found(_table(row_id, pairs), offsets, chance)


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


def _placed(galaxies: Galaxies) -> tuple[Int64s, Floats, Floats, Surveys]:
    """Ids, positions and surveys of all galaxies."""
    columns = ("row_id", "ra", "dec", "survey")
    table = pa.concat_tables(list(galaxies(columns)))
    row_id, ra, dec = (table[name].to_numpy() for name in columns[:3])
    survey = table["survey"].dictionary_encode().combine_chunks()
    code = survey.indices.to_numpy().astype(np.intp)
    return row_id, ra, dec, Surveys(survey.dictionary.to_pylist(), code)


def _own(found: Pairs, positions: Shifted) -> Pairs:
    """The pairs of the galaxies themselves."""
    own = np.flatnonzero(~positions.is_shifted[found.position])
    kept = found.neighbors.at(own)
    return replace(found, file=found.file[own],
                   neighbors=replace(kept, disc=positions.galaxy[kept.disc]))


def _offsets(
    ra: Floats, dec: Floats, surveys: Surveys, pairs: Pairs
) -> dict[str, Offset]:
    nearest = np.flatnonzero(pairs.rank == 0)
    position, found = pairs.position[nearest], pairs.neighbors.at(nearest)
    return measure_offsets(ra[position], dec[position], found.ra, found.dec, surveys.at(position))


def _table(row_id: Int64s, pairs: Pairs) -> pa.Table:
    places = np.array([(*file.tile, file.part) for file in pairs.files], dtype=np.int64)
    norder, npix, part = places[pairs.file].T
    found = pairs.neighbors
    columns = [row_id[pairs.position], found.id, found.ra, found.dec, found.separation,
               pairs.rank + 1, pairs.candidates, norder, npix, part, found.row]
    return pa.table([pa.array(values).cast(field.type)
                     for values, field in zip(columns, NEIGHBOR_SCHEMA, strict=True)],
                    schema=NEIGHBOR_SCHEMA)
