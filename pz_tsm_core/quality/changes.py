"""What happened to galaxies from one compilation to the next, as lines of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.quality.tally import Floats, Ints

Flags = npt.NDArray[np.bool_]
#: Shape (2, n).
Pairs = npt.NDArray[np.int64]

#: A galaxy and what happened to it; a galaxy may have several lines.
CHANGES = pa.schema([
    pa.field("galaxy_id", pa.int64(), nullable=False),  # as it is called now, or was at last
    pa.field("former_id", pa.int64()),  # as it was called before; null for what is new
    pa.field("what", pa.string(), nullable=False),
    pa.field("z_old", pa.float64()),
    pa.field("z_new", pa.float64()),
])


def changes(
    what: str, galaxy: Ints, former: Ints | None, z_old: Floats | None, z_new: Floats | None
) -> pa.Table:
    """Lines of one kind; None for a column without a value."""
    columns = (galaxy, former, np.full(len(galaxy), what), z_old, z_new)
    return pa.table([pa.nulls(len(galaxy), field.type) if values is None
                     else pa.array(values, field.type)
                     for values, field in zip(columns, CHANGES, strict=True)], schema=CHANGES)


@dataclass(frozen=True)
class Regrouped:
    """Old galaxies with measurements that are in a galaxy of another name now, pair by pair.

    Parameters
    ----------
    former, now : ids of both, shape (n,); no pair stands twice
    z_old, z_new : redshift of the former one then, and of the present one now
    merges : whether the present one has measurements of several old galaxies
    splits : whether the former one has measurements in several new galaxies
    """

    former: Ints
    now: Ints
    z_old: Floats
    z_new: Floats
    merges: Flags
    splits: Flags

    @classmethod
    def of(cls, pairs: Pairs, named: Ints, old: Floats, new: Floats) -> Regrouped:
        """Of pairs of groups those that are galaxies, told apart.

        A name is that of the group's naming member: a galaxy of one name on both sides has kept
        that one, and is one of those whose measurements it has.

        Parameters
        ----------
        pairs : former and present group of measurements, shape (2, n), no pair twice
        named : all of them, ascending, shape (m,)
        old, new : redshift of each then and now, shape (m,); NaN for a group that nothing speaks
            for, which is no galaxy
        """
        stood, stands = np.isfinite(old), np.isfinite(new)
        former, now = np.searchsorted(named, pairs)
        speak = stood[former] & stands[now]
        former, now = former[speak], now[speak]
        return cls(named[former], named[now], old[former], new[now],
                   merges=_several(now, stood), splits=_several(former, stands))

    @property
    def merged(self) -> int:
        """New galaxies with measurements of several old ones."""
        return len(np.unique(self.now[self.merges]))

    @property
    def split(self) -> int:
        """Old galaxies with measurements in several new ones."""
        return len(np.unique(self.former[self.splits]))

    @property
    def renamed(self) -> int:
        """Galaxies that are called otherwise, and neither merged nor split."""
        return int((~self.merges & ~self.splits).sum())

    @property
    def galaxies(self) -> int:
        """Old galaxies with measurements in a galaxy of another name."""
        return len(np.unique(self.former))

    @property
    def table(self) -> pa.Table:
        """A line for every pair and what it is; two where what was split was merged elsewhere."""
        kinds = {"merged": self.merges, "split": self.splits,
                 "renamed": ~self.merges & ~self.splits}
        return pa.concat_tables([
            changes(what, self.now[kind], self.former[kind], self.z_old[kind], self.z_new[kind])
            for what, kind in kinds.items()
        ]).sort_by([(name, "ascending") for name in ("galaxy_id", "former_id", "what")])


def _several(places: Ints, other_side: Flags) -> Flags:
    """Whether a galaxy belongs to several of the other side, one of its own name among them."""
    several = np.bincount(places, minlength=len(other_side)) + other_side >= 2
    return np.asarray(several[places], dtype=bool)
