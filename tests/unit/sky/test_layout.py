"""A stream laid out on the sky gives the files of the whole table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.sky.layout import lay_out
from pz_tsm_core.sky.write import Collection, write_table_as_collection
from pz_tsm_core.sphere import spatial_index
from pz_tsm_core.store import TableDigest, table_digest


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(5)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 4000)))
    sky = pa.table({"ra": rng.uniform(0, 360, 4000), "dec": dec, "z": rng.random(4000)})
    index = spatial_index(sky["ra"].to_numpy(), sky["dec"].to_numpy())
    return sky.take(pa.array(np.argsort(index)))


def _laid_out(table: pa.Table, path: Path, *, workers: int = 2, rows: int = 70) -> TableDigest:
    def source(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        yield from table.select(list(columns or table.column_names)).to_batches(rows)

    digest = TableDigest(table.schema)
    collection = Collection(path, "sky", table.schema, "ra", "dec", 600.0)
    for part in lay_out(source, collection, rows_per_partition=100, workers=workers):
        digest.merge(part)
    return digest


def _data(path: Path) -> dict[str, str]:
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in path.rglob("*") if file.is_file() and "properties" not in file.name}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_files_are_those_of_the_whole_table(table, tmp_path, workers, shuffled) -> None:
    write_table_as_collection(table, tmp_path / "whole", "sky", margin_arcsec=600.0,
                              rows_per_partition=100)
    order = np.random.default_rng(1).permutation(len(table)) if shuffled else np.arange(len(table))
    digest = _laid_out(table.take(pa.array(order)), tmp_path / "stream", workers=workers)
    assert _data(tmp_path / "stream") == _data(tmp_path / "whole")
    assert digest.hexdigest() == table_digest(table)
    assert digest.rows == len(table)


def test_no_rows_and_a_folder_with_contents_are_refused(table, tmp_path) -> None:
    for rows, folder, code in ((table.slice(0, 0), "new", Code.TABLE_EMPTY),
                               (table, "full", Code.OUTPUT_EXISTS)):
        (tmp_path / folder).mkdir()
        if folder == "full":
            (tmp_path / folder / "precious").touch()
        with pytest.raises(TsmError) as refusal:
            _laid_out(rows, tmp_path / folder)
        assert refusal.value.codes == (code,)
