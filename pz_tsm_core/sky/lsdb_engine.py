"""The same pairs by LSDB's own crossmatch: a second opinion, and what `engine: lsdb` runs."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import dask
import numpy as np
import pandas as pd
from distributed.cfexecutor import ClientExecutor
from upath import UPath

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.ops.runs import run_starts
from pz_tsm_core.remote import Reach
from pz_tsm_core.sky.catalog import open_catalog, require_margin
from pz_tsm_core.sky.cluster import Pool
from pz_tsm_core.sky.cover import SLACK_ARCSEC
from pz_tsm_core.sky.margin import Floats, Int64s
from pz_tsm_core.sky.objects import LIMITS, Objects
from pz_tsm_core.sky.pairs import Pairs, find_pairs
from pz_tsm_core.sky.search import Criteria, nearest
from pz_tsm_core.sky.wrap import import_lsdb
from pz_tsm_core.sphere import separation_arcsec

#: Objects asked for around a position: enough to count rivals and to settle equal separations.
CANDIDATES = 8

POSITION, OBJECT_ID, OBJECT_RA, OBJECT_DEC = "position", "object_id", "object_ra", "object_dec"
_NOTHING = pd.DataFrame({POSITION: np.empty(0, np.int64), OBJECT_ID: np.empty(0, np.int64),
                         OBJECT_RA: np.empty(0), OBJECT_DEC: np.empty(0)})

#: Objects of one id that are told apart where objects are looked up again.
SAME_PLACE = 16


def find_pairs_with_lsdb(
    ra: Floats, dec: Floats, objects: Objects, criteria: Criteria, pool: Pool
) -> Pairs:
    """Find the objects near each position as `find_pairs` does, by LSDB.

    LSDB says which objects; where they stand in the catalogue is looked up afterwards. Rivals are
    counted no further than the objects that LSDB is asked for.

    Raises
    ------
    TsmError
        `catalog.margin` for a catalogue whose margin is narrower than the radius; as `find_pairs`.
    """
    with nullcontext() if isinstance(pool.executor, ClientExecutor) \
            else dask.config.set(scheduler="threads", num_workers=pool.width):
        crossed = _crossmatch(ra, dec, objects, criteria)
    crossed = crossed.sort_values(POSITION, kind="stable")
    position, ids = (crossed[name].to_numpy(np.int64) for name in (POSITION, OBJECT_ID))
    object_ra, object_dec = (crossed[name].to_numpy(np.float64)
                             for name in (OBJECT_RA, OBJECT_DEC))
    same = criteria._replace(radius_arcsec=SLACK_ARCSEC, min_radius_arcsec=0.0,
                             n_neighbors=SAME_PLACE)
    found = _of_same_id(find_pairs(object_ra, object_dec, objects, same, pool), ids)
    separation = separation_arcsec(ra[position], dec[position], object_ra, object_dec)
    each = replace(found.neighbors, disc=position, separation=separation)
    ranked = nearest(replace(each, row=np.arange(len(each.row))), criteria.n_neighbors)
    return Pairs(objects, found.files, found.file[ranked.row],
                 replace(ranked, row=each.row[ranked.row]))


def _crossmatch(ra: Floats, dec: Floats, objects: Objects, criteria: Criteria) -> pd.DataFrame:
    """Positions with their objects, in any order; the columns are those of `_NOTHING`."""
    lsdb = import_lsdb()
    right = _right(lsdb, objects, criteria)
    frame = pd.DataFrame({POSITION: np.arange(len(ra)), "ra": ra, "dec": dec})
    with warnings.catch_warnings():
        # Three columns of any number of rows fit; LSDB would rather see them imported.
        warnings.filterwarnings("ignore", message=".*from_dataframe.*|.*number of rows.*")
        left = lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec", margin_threshold=None)
    try:
        crossed = left.crossmatch(
            right, n_neighbors=max(criteria.n_neighbors, CANDIDATES),
            radius_arcsec=criteria.radius_arcsec, min_radius_arcsec=criteria.min_radius_arcsec,
            suffixes=("", "_object"), suffix_method="all_columns",
            require_right_margin=True, log_changes=False)
    except RuntimeError as error:
        if "do not overlap" not in str(error):
            raise
        return _NOTHING
    names = {criteria.id: OBJECT_ID, objects.ra: OBJECT_RA, objects.dec: OBJECT_DEC}
    table: pd.DataFrame = crossed.compute(progress_bar=False)
    return table.rename(columns={f"{name}_object": ours for name, ours in names.items()})


def _right(lsdb: Any, objects: Objects, criteria: Criteria) -> Any:
    """The catalogue as LSDB opens it, with a margin as wide as the radius."""
    place = objects.place
    if isinstance(place, str) and "://" in place:
        place = UPath(place, **Reach(LIMITS).storage_options(place))
    wanted = [criteria.id, objects.ra, objects.dec, *filter(None, [criteria.primary])]
    right = open_catalog(lsdb, place, list(dict.fromkeys(wanted)))
    require_margin(right, str(place), criteria.radius_arcsec)
    return right.query(f"{criteria.primary} == True") if criteria.primary else right


def _of_same_id(found: Pairs, ids: Int64s) -> Pairs:
    """For each place the object of its id, the first of several."""
    match = np.flatnonzero(found.neighbors.id == ids[found.position])
    first = match[run_starts(found.position[match])]
    if not np.array_equal(found.position[first], np.arange(len(ids))):
        raise refuse(Code.CATALOG_INVALID, str(found.objects.place),
                     found="objects that are no longer where LSDB found them",
                     expected="a catalogue that stays as it is",
                     remedy="run again when nobody changes it")
    return replace(found, file=found.file[first],
                   neighbors=replace(found.neighbors.at(first), n_near=np.ones_like(ids)))
