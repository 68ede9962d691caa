"""HATS catalogues as redshift input: every layout, every row once, nothing believed unchecked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import read_table
from pz_tsm_core.sky.read import describe_hats, digest_hats, read_hats
from pz_tsm_core.sky.write import write_table_as_collection

#: Every catalogue of the samples: its rows, or what it is instead.
FOLDERS: dict[str, int | str] = {
    "lsdb/expected": "a folder without HATS properties",
    "lsdb/small_sky": 131,
    "lsdb/small_sky_healpix13": 131,
    "lsdb/small_sky_healpix13/small_sky_healpix13": 131,
    "lsdb/small_sky_healpix13/small_sky_healpix13_1deg": "the kind `margin`",
    "lsdb/small_sky_healpix13/small_sky_healpix13_id": "the kind `index`",
    "lsdb/small_sky_left_xmatch": 132,
    "lsdb/small_sky_npix_alt_suffix": 131,
    "lsdb/small_sky_npix_as_dir": 131,
    "lsdb/small_sky_order1_collection": 131,
    "lsdb/small_sky_order1_collection/small_sky_order1_id_index": "the kind `index`",
    "lsdb/small_sky_order1_collection/small_sky_order1_margin_2deg": "the kind `margin`",
    "lsdb/small_sky_order1_default_columns": 131,
    "lsdb/small_sky_xmatch": 111,
    "lsdb/small_sky_xmatch_margin": "the kind `margin`",
    "linea/training_set_maker/specz_collection": 80,
    "linea/training_set_maker/dr2/mag/auto/sfd/catalog": 40,
    "linea/training_set_maker/specz.parquet": "no folder",
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_has_its_outcome(shared_data, folder) -> None:
    expected = FOLDERS[folder]
    if isinstance(expected, int):
        table = read_hats(shared_data / folder)
        assert len(table) == expected
        assert not {"_healpix_29", "Norder", "Dir", "Npix"} & set(table.column_names)
        facts = describe_hats(shared_data / folder)
        assert (facts.format, facts.rows) == ("hats", expected)
        assert [(c.name, c.type) for c in facts.columns] == [
            (field.name, str(field.type)) for field in table.schema]
    else:
        with pytest.raises(TsmError) as refused:
            read_hats(shared_data / folder)
        assert refused.value.codes == (Code.CATALOG_INVALID,)
        assert expected in refused.value.problems[0].found


def as_rows(table: pa.Table) -> list[tuple[object, ...]]:
    return sorted(zip(*(table[name].to_pylist() for name in sorted(table.column_names)),
                      strict=True), key=repr)


def test_one_sky_is_the_same_in_every_layout(shared_data) -> None:
    """The file from which the samples were made is the oracle."""
    sky = read_table(shared_data / "ingest" / "test_formats" / "catalog.zip")
    for folder in ("small_sky", "small_sky_npix_alt_suffix", "small_sky_npix_as_dir",
                   "small_sky_order1_collection", "small_sky_order1_default_columns"):
        assert as_rows(read_hats(shared_data / "lsdb" / folder)) == as_rows(sky)


def test_a_collection_holds_the_rows_of_its_plain_table(shared_data) -> None:
    folder = shared_data / "linea" / "training_set_maker"
    assert as_rows(read_hats(folder / "specz_collection")) == as_rows(
        read_table(folder / "specz.parquet"))


TABLE = pa.table({
    "objectId": pa.array(np.arange(2**53 + 1, 2**53 + 401)),
    "ra": np.linspace(0, 359, 400), "dec": np.linspace(-80, 80, 400),
    "z": pa.array([None if n % 7 == 0 else n / 100 for n in range(400)], pa.float32()),
})


@pytest.fixture
def collection(tmp_path) -> Path:
    return write_table_as_collection(TABLE, tmp_path / "specz", "specz", rows_per_partition=40)


def primary(collection: Path) -> Path:
    return collection / "specz"


def partitions(collection: Path) -> list[Path]:
    return sorted(primary(collection).glob("dataset/Norder=*/Dir=*/Npix=*"))


def invalid(collection: Path, word: str) -> None:
    for ask in (read_hats, describe_hats):
        with pytest.raises(TsmError) as refused:
            ask(collection)
        assert refused.value.codes == (Code.CATALOG_INVALID,)
        assert word in refused.value.problems[0].found


def test_what_we_write_reads_back_in_the_order_of_the_sky(collection) -> None:
    assert len(partitions(collection)) > 8
    table = read_hats(collection, ["_healpix_29", "objectId", "z"])
    assert table.column_names == ["_healpix_29", "objectId", "z"]
    assert table["_healpix_29"].to_pylist() == sorted(table["_healpix_29"].to_pylist())
    assert as_rows(table.drop_columns("_healpix_29")) == as_rows(
        TABLE.select(["objectId", "z"]))


def test_margins_are_never_rows(collection) -> None:
    assert len(list(collection.glob("*/dataset/Norder=*/Dir=*/*"))) > len(partitions(collection))
    assert len(read_hats(collection)) == 400


def test_the_listing_of_the_file_system_changes_nothing(collection, monkeypatch) -> None:
    table, digest = read_hats(collection), digest_hats(collection)
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: reversed(list(listed(self, pattern))))
    assert read_hats(collection).equals(table)
    assert digest_hats(collection) == digest


def test_a_path_may_be_relative_or_a_link(collection, tmp_path, monkeypatch) -> None:
    (tmp_path / "link").symlink_to(collection)
    monkeypatch.chdir(tmp_path)
    for path in ("specz", "./specz/", "link", "specz/specz"):
        assert len(read_hats(path)) == 400
    assert digest_hats("link") == digest_hats(collection)


@pytest.mark.parametrize("file", [
    "collection.properties", "specz/hats.properties", "specz/partition_info.csv", "a partition"])
def test_the_digest_tells_any_change_of_what_is_read(collection, file) -> None:
    before = digest_hats(collection)
    changed = partitions(collection)[3] if file == "a partition" else collection / file
    if file == "a partition":
        rows = pq.read_table(changed, partitioning=None)
        place = rows.column_names.index("z")
        pq.write_table(rows.set_column(place, "z", pa.array([9.0] * len(rows), pa.float32())),
                       changed)
    else:
        changed.write_bytes(changed.read_bytes() + b"\n")
    assert digest_hats(collection) != before


def test_the_digest_does_not_look_at_margins_maps_or_places(collection, tmp_path) -> None:
    before = digest_hats(collection)
    (margin,) = (folder for folder in collection.iterdir()
                 if folder.is_dir() and folder != primary(collection))
    shutil.rmtree(margin)
    (primary(collection) / "skymap.fits").unlink()
    (primary(collection) / "dataset" / "_metadata").unlink()
    assert digest_hats(collection) == before
    moved = collection.rename(tmp_path / "elsewhere")
    assert digest_hats(moved) == before
    assert len(read_hats(moved)) == 400


def test_a_partition_that_is_missing_is_told(collection) -> None:
    partitions(collection)[0].unlink()
    invalid(collection, "no partition dataset/Norder=")


def test_a_partition_that_is_not_listed_is_told(collection) -> None:
    first = partitions(collection)[0]
    shutil.copy(first, first.with_name("Npix=777.parquet"))
    invalid(collection, "a partition that is not listed, dataset/Norder=")


def test_rows_that_the_properties_do_not_know_are_told(collection) -> None:
    file = partitions(collection)[0]
    rows = pq.read_table(file, partitioning=None)
    pq.write_table(rows.slice(1), file)
    invalid(collection, "399 rows")


def test_a_partition_with_other_columns_is_told(collection) -> None:
    file = partitions(collection)[2]
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns("z"), file)
    invalid(collection, "other columns in specz/dataset/")


def _write(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def spoil(collection: Path) -> None:
        for file in (collection / name, (collection / name).with_name("properties")):
            if file.exists():
                file.write_text(change(file.read_text("utf-8")), "utf-8")

    return spoil


def _primary_table(value: str) -> Callable[[Path], None]:
    return _write("collection.properties", lambda text: text.replace(
        "hats_primary_table_url=specz", f"hats_primary_table_url={value}"))


@pytest.mark.parametrize(("spoil", "word"), [
    (_primary_table("../secret"), "the primary table `../secret`"),
    (_primary_table("/etc"), "the primary table `/etc`"),
    (_primary_table("https\\://example.org/hats"), "the primary table `https://"),
    (_primary_table("nothing"), "no hats.properties"),
    (_write("specz/hats.properties", lambda text: text.replace(
        "npix_suffix=.parquet", "npix_suffix=/../../../../secret.parquet")), "partitions that end"),
    (_write("specz/hats.properties", lambda text: "nonsense"), ""),
    (_write("specz/partition_info.csv", lambda text: "a,b\n1,2\n"), "Norder"),
    (_write("specz/partition_info.csv", lambda text: "Norder,Npix\n1,one\n"), ""),
    (_write("specz/partition_info.csv", lambda text: ""), ""),
    (lambda collection: (primary(collection) / "partition_info.csv").unlink(),
     "no partition_info.csv"),
])
def test_properties_that_lead_astray_are_refused(collection, spoil, word) -> None:
    spoil(collection)
    invalid(collection, word)


def test_a_flipped_bit_is_an_error_and_no_value(collection) -> None:
    file = partitions(collection)[1]
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    with pytest.raises(TsmError) as refused:
        read_hats(collection)
    assert refused.value.codes == (Code.FILE_DAMAGED,)
    assert file.name in refused.value.problems[0].where


def test_missing_columns_and_limits_are_told_once_for_the_whole(collection) -> None:
    with pytest.raises(TsmError) as refused:
        read_hats(collection, ["objectID", "z"])
    assert refused.value.codes == (Code.TABLE_MISSING_COLUMN,)
    assert "did you mean `objectId`?" in refused.value.problems[0].remedy
    for limits in (Limits(max_rows=399), Limits(max_memory=5_000), Limits(max_columns=3)):
        with pytest.raises(TsmError) as refused:
            read_hats(collection, limits=limits)
        assert refused.value.codes == (Code.FILE_LIMIT,)


def test_a_partition_without_rows_is_no_harm(collection) -> None:
    info = primary(collection) / "partition_info.csv"
    listed = pd.read_csv(info)
    order, pixel = next((o, p) for o, p in ((5, p) for p in range(12 * 4**5))
                        if not any(p >> 2 * (5 - o2) == p2 for o2, p2 in
                                   zip(listed["Norder"], listed["Npix"], strict=True) if o2 <= 5))
    info.write_text(info.read_text() + f"{order},{pixel}\n")
    file = primary(collection) / f"dataset/Norder={order}/Dir={pixel // 10_000 * 10_000}"
    file.mkdir(parents=True, exist_ok=True)
    example = pq.read_table(partitions(collection)[0], partitioning=None)
    pq.write_table(example.slice(0, 0), file / f"Npix={pixel}.parquet")
    assert len(read_hats(collection)) == 400


def test_nested_columns_are_in_nobodys_way(tmp_path) -> None:
    table = TABLE.append_column("curve", pa.array([[1.0, 2.0]] * 400))
    folder = write_table_as_collection(table, tmp_path / "specz", "specz")
    with pytest.raises(TsmError) as refused:
        read_hats(folder)
    assert refused.value.codes == (Code.TABLE_COLUMN_TYPE,)
    assert len(read_hats(folder, ["objectId", "z"])) == 400
    assert [c.name for c in describe_hats(folder).columns if not c.usable] == ["curve"]
