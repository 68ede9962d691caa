"""Redshifts and photometry into one table, with what is for training marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core import tables
from pz_tsm_core.dust import open_map, read_ebv
from pz_tsm_core.errors import TsmError
from pz_tsm_core.existing.headers import TEXT, is_text_file
from pz_tsm_core.existing.mistakes import placed
from pz_tsm_core.existing.positions import check_positions
from pz_tsm_core.training_set_maker.catalog import LAYOUT
from pz_tsm_core.training_set_maker.columns import associated, product_names
from pz_tsm_core.training_set_maker.matching import Pairs, match
from pz_tsm_core.training_set_maker.photometry import (
    Reddening,
    chosen,
    names_given,
    names_read,
    with_photometry,
)
from pz_tsm_core.training_set_maker.plan import Plan
from pz_tsm_core.training_set_maker.split import is_training_set

#: Tells a phase and a line.
Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Made:
    """A training set.

    Parameters
    ----------
    redshifts : rows of the table of redshifts
    matched : those that have an object
    shared : rows whose object is that of another row as well; None where objects have no id
    training : rows that are for training
    associated : standard name of each mapped column -> its name in the table
    """

    table: pa.Table
    redshifts: int
    matched: int
    shared: int | None
    training: int
    associated: Mapping[str, str]


def make(plan: Plan, tell: Tell, warn: Tell) -> Made:
    """Carry out a plan in memory: redshifts, their matches and nothing else of the catalogue.

    Raises
    ------
    TsmError
        `position.out-of-range` for redshifts without a position, `match.empty`, `dust.map`; as
        the readers of tables.
    """
    for remark in plan.remarks:
        warn("init", remark)
    reddening = _reddening(plan)
    specz = _redshifts(plan)
    tell("specz", f"{plan.file.name}: {specz.num_rows:,} rows, {specz.num_columns} columns")
    pairs = _pairs(plan, specz)
    objects = pairs.objects
    if plan.param.hats_config:
        objects = with_photometry(plan.param.hats_config, objects, reddening)
    told = plan.param
    training = is_training_set(_ids(plan, pairs), pairs.specz, told.train_fraction, plan.seed)
    given = _given(plan)
    names = product_names(specz.column_names, given)
    columns = [*pairs.specz.columns, *objects.select(given).columns,
               pa.chunked_array([pairs.separation]), pa.chunked_array([training])]
    table = pa.table(columns, names=names)
    made = Made(table, len(specz), len(np.unique(pairs.place)), _shared(plan, pairs),
                int(pc.sum(training).as_py()), associated(plan.columns, specz.column_names, names))
    _tell(made, plan, tell)
    return made


def _reddening(plan: Plan) -> Reddening | None:
    """E(B-V) on the map that is asked for; None where dust is not undone here."""
    if plan.photometry.dust is None:
        return None
    choice = plan.photometry.dust
    try:
        open_map(choice.map, choice.directory)
        return partial(read_ebv, choice.map, choice.directory)
    except TsmError as error:
        here = plan.document.where(("param", "hats_config", "dust"))
        raise TsmError(*(replace(problem, remedy="correct path_to_dustmaps")
                         for problem in placed(error.problems, here))) from None


def _redshifts(plan: Plan) -> pa.Table:
    """The table of redshifts, whose rows all have a position."""
    try:
        with tables.stream(plan.file, format=TEXT if is_text_file(plan.file) else None) as rows:
            table = rows.read_all()
        table = table.drop_columns([name for name in LAYOUT[:1] if name in table.column_names])
        ra, dec = _position(plan)
        check_positions(table, ra, dec, range(1, len(table) + 1))
    except TsmError as error:
        here = plan.document.where(plan.where)
        raise TsmError(*placed(error.problems, here)) from None
    return table


def _position(plan: Plan) -> tuple[str, str]:
    return str(plan.columns["ra"]), str(plan.columns["dec"])


def _given(plan: Plan) -> list[str]:
    """Columns of the objects in the product: the selected ones and the position, or all."""
    catalog, told = plan.catalog, plan.param
    every = list(catalog.names) if told.hats_config is None else names_given(
        told.hats_config, catalog.names)
    if not told.selected_cols:
        return every
    selected = [name for name in told.selected_cols if name != LAYOUT[0]]
    position = [name for name in (catalog.ra, catalog.dec) if name in every]
    return list(dict.fromkeys((*selected, *position)))  # LSDB adds the position


def _pairs(plan: Plan, specz: pa.Table) -> Pairs:
    catalog, asked = plan.catalog, plan.param.hats_config
    wanted = _given(plan) if asked is None else names_read(asked, catalog.names)
    if (id_ := _object_id(plan)) and id_ not in wanted:
        wanted.append(id_)
    choice = partial(chosen, asked) if asked and asked.chooses else None
    return match(specz, _position(plan), catalog, wanted, told=plan.param.crossmatch,
                 choice=choice)


def _object_id(plan: Plan) -> str | None:
    """The column by which objects are known, if the catalogue has it."""
    return plan.photometry.id if plan.photometry.id in plan.catalog.names else None


def _ids(plan: Plan, pairs: Pairs) -> list[pa.ChunkedArray]:
    """By what rows are known: their object, else their redshift."""
    found = []
    if id_ := _object_id(plan):
        found.append(pairs.objects[id_])
    if specz_id := plan.specz.columns.get("id"):
        found.append(pairs.specz[specz_id])
    return found


def _shared(plan: Plan, pairs: Pairs) -> int | None:
    """How many rows have an object that another row has as well."""
    if (id_ := _object_id(plan)) is None:
        return None
    times = pc.value_counts(pairs.objects[id_].drop_null()).field("counts").to_numpy()
    return int(times[times > 1].sum())


def _tell(made: Made, plan: Plan, tell: Tell) -> None:
    told = plan.param
    tell("crossmatch", f"{made.matched:,} of {made.redshifts:,} redshifts have an object within "
         f"{told.crossmatch.radius_arcsec:g} arcsec; {made.table.num_rows:,} rows")
    if made.shared:
        tell("crossmatch", f"{made.shared:,} rows have an object that another row has as well")
    tell("split", f"{made.training:,} rows are for training: fraction {told.train_fraction:g}, "
         f"random_seed {plan.seed}")
