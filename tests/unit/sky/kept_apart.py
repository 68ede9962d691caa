"""Partitions kept in files of their own, which note when they are asked for; for Dask workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.sphere import Tile


@dataclass(frozen=True)
class KeptApart:
    """A folder with one file a tile."""

    folder: Path

    def keep(self, tile: Tile, table: pa.Table) -> None:
        """Put the rows of a tile in their file."""
        pq.write_table(table, self.folder / f"{tile.order}-{tile.pixel}.parquet")

    def __call__(self, tile: Tile) -> pa.Table:
        """Read a tile back, and note that it was asked for."""
        file = self.folder / f"{tile.order}-{tile.pixel}.parquet"
        file.with_suffix(".asked").touch()
        return pq.read_table(file)

    def asked(self) -> set[Tile]:
        """Tiles asked for since the last time."""
        notes = list(self.folder.glob("*.asked"))
        for note in notes:
            note.unlink()
        return {Tile(*map(int, note.stem.split("-"))) for note in notes}
