"""Which rows are near one another, which of them are one galaxy, and which of those wins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.crc.settings import Settings
from pz_tsm_core.legacy import Output
from pz_tsm_core.legacy.rule_file import STAR
from pz_tsm_core.ops.associate import components, pairs_within
from pz_tsm_core.ops.crd import Company, company
from pz_tsm_core.ops.extent import split_by_reach
from pz_tsm_core.ops.ties import Codes, decide_ties
from pz_tsm_core.sphere import Floats

#: Rank of a star or other galactic object without a quality: above none, below the lowest.
_STELLAR_RANK = 0.5


@dataclass(frozen=True)
class Groups:
    """What was found among n rows.

    Parameters
    ----------
    company : who is near whom, and of which group
    codes : what became of each row, shape (n,)
    """

    company: Company
    codes: Codes

    @property
    def pairs(self) -> int:
        """How many pairs there are."""
        return len(self.company.first)

    @property
    def count(self) -> int:
        """How many groups there are, single rows among them."""
        return int(np.count_nonzero(np.bincount(self.company.group)))


def grouped(rows: pa.Table, ra: Floats, dec: Floats, settings: Settings) -> Groups:
    """Find all pairs within the radius, their groups, and who wins.

    Stars of the older scale (quality 6) are near others, but of no group.
    """
    n = len(rows)
    first, second, _ = pairs_within(ra, dec, settings.radius_arcsec)
    stars = _numbers(rows[Output.Z_FLAG.column]) == STAR
    linked = ~(stars[first] | stars[second])
    group = components(n, first[linked], second[linked])
    ids = rows["CRD_ID"].combine_chunks()
    order = company(ids, first, second, group).order
    keys = [_key(rows, name, settings) for name in settings.priority]
    if settings.reach_arcsec is not None:
        ranks = [np.where(np.isnan(key), np.inf, -key) for key in reversed(keys)]
        place = np.empty(n, dtype=np.int64)
        place[np.lexsort((order, *ranks))] = np.arange(n)
        group = split_by_reach(group, place, ra, dec, settings.reach_arcsec)
    codes = decide_ties(group, keys, _numbers(rows["z"]), order, delta_z=settings.delta_z,
                        chained=not settings.newer, excluded=stars)
    return Groups(Company(ids, first, second, group, order), codes)


def _numbers(values: pa.ChunkedArray) -> Floats:
    """Numbers, NaN where there is none."""
    return np.asarray(pc.fill_null(values, np.nan).to_numpy(), dtype=np.float64)


def _key(rows: pa.Table, name: str, settings: Settings) -> Floats:
    """Rank of each row by one column; larger is better."""
    if name == Output.INSTRUMENT_TYPE.column:
        kinds, ranks = list(settings.instrument_rank), list(settings.instrument_rank.values())
        place = pc.index_in(rows[name], pa.array(kinds, pa.string()))
        return np.asarray(pc.fill_null(pc.take(pa.array(ranks, pa.float64()), place), 0.0)
                          .to_numpy())  # 0 for those that the rule file does not rank
    values = _numbers(rows[name])
    if name == Output.Z_FLAG.column and Output.OBJECT_TYPE.column in rows.column_names:
        stellar = pc.is_in(rows[Output.OBJECT_TYPE.column], pa.array(["star", "galactic"]))
        values = np.where(np.isnan(values) & stellar.to_numpy(), _STELLAR_RANK, values)
    return values
