"""Compressed files: known by their bytes, unfolded within limits, and nothing left behind."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import zipfile

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import compression, read_table

CSV = b"id,z\n" + b"".join(b"%d,0.%d\n" % (n, n * n) for n in range(1, 300))
PACK = {
    ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress,
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, to look into."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("suffix", PACK)
def test_the_bytes_tell_a_compression_whatever_the_name_says(tmp_path, temporary, suffix) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(PACK[suffix](CSV))
    assert len(read_table(path)) == 299
    other = tmp_path / "T.CSV.GZ"
    other.write_bytes(PACK[suffix](CSV))
    assert len(read_table(other)) == 299
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("suffix", [*PACK, ".zip"])
def test_a_name_that_promises_a_compression_is_held_to_it(tmp_path, refusal, suffix) -> None:
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(CSV)
    error = refusal(path)
    assert error.codes == (Code.FILE_DAMAGED,)
    assert f"as the ending {suffix} says" in error.problems[0].found


@pytest.mark.parametrize("suffix", PACK)
def test_every_way_to_cut_a_compressed_file_is_noticed(tmp_path, refusal, temporary, suffix):
    whole, path = PACK[suffix](CSV), tmp_path / f"t.csv{suffix}"
    for length in (*range(1, 40), *range(40, len(whole), 29), len(whole) - 1):
        path.write_bytes(whole[:length])
        assert refusal(path).codes == (Code.FILE_DAMAGED,), length
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_files_put_one_after_the_other_are_read_as_one(tmp_path, suffix) -> None:
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(PACK[suffix](CSV[:1000]) + PACK[suffix](CSV[1000:]))
    assert len(read_table(path)) == 299


def test_the_limits_of_expansion_are_kept(tmp_path, refusal, temporary) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(CSV))
    assert refusal(path, limits=Limits(max_expansion=len(CSV) - 1)).codes == (Code.FILE_LIMIT,)
    assert len(read_table(path, limits=Limits(max_expansion=len(CSV)))) == 299
    assert not list(temporary.iterdir())


def test_time_is_limited(tmp_path, refusal) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(CSV))
    error = refusal(path, limits=Limits(max_seconds=1e-9))
    assert error.codes == (Code.FILE_LIMIT,)
    assert "unfolding" in error.problems[0].found


def archive(path, *members: tuple[str, bytes], **options) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, data in members:
            file.writestr(name, data)


def test_the_member_of_an_archive_tells_the_format_and_its_path_is_not_used(tmp_path) -> None:
    path = tmp_path / "any name.zip"
    archive(path, ("../../../../tmp/evil/../t.csv", CSV), ("__MACOSX/._t.csv", b"x"),
            ("folder/", b""))
    before = set(tmp_path.iterdir())
    assert len(read_table(path)) == 299
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("members", [(), (("a.csv", CSV), ("b.csv", CSV))])
def test_an_archive_of_several_files_or_none_is_refused(tmp_path, refusal, members) -> None:
    archive(tmp_path / "t.zip", *members)
    error = refusal(tmp_path / "t.zip")
    assert error.codes == (Code.FILE_FORMAT,)
    assert f"an archive of {len(members)} files" in error.problems[0].found


def test_an_archive_with_a_password_is_refused(tmp_path, refusal) -> None:
    archive(tmp_path / "t.zip", ("t.csv", CSV))
    data = bytearray((tmp_path / "t.zip").read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    (tmp_path / "t.zip").write_bytes(data)
    error = refusal(tmp_path / "t.zip")
    assert error.codes == (Code.FILE_FORMAT,)
    assert error.problems[0].found == "a password"


def test_an_archive_of_very_many_members_is_refused_before_they_are_listed(
    tmp_path, refusal, monkeypatch
) -> None:
    archive(tmp_path / "t.zip", *((f"{n}.csv", b"") for n in range(200)))
    monkeypatch.setattr(compression, "MAX_DIRECTORY", 10_000)
    error = refusal(tmp_path / "t.zip")
    assert error.codes == (Code.FILE_LIMIT,)
    assert "a list of members" in error.problems[0].found


@pytest.mark.parametrize("spoil", [
    lambda data: data[:-30], lambda data: data[:30], lambda data: data[: len(data) // 2],
    lambda data: data[:60] + bytes([data[60] ^ 255]) + data[61:],
])
def test_a_damaged_archive_is_refused(tmp_path, refusal, spoil) -> None:
    archive(tmp_path / "t.zip", ("t.csv", CSV))
    (tmp_path / "t.zip").write_bytes(spoil((tmp_path / "t.zip").read_bytes()))
    assert refusal(tmp_path / "t.zip").codes == (Code.FILE_DAMAGED,)


def test_a_format_that_is_not_known_is_refused_before_it_is_unfolded(
    tmp_path, refusal, monkeypatch
) -> None:
    monkeypatch.setattr(compression, "_copy", None)
    for path in (tmp_path / "t.sqlite.gz", tmp_path / "t.zip"):
        path.write_bytes(gzip.compress(CSV))
        if path.suffix == ".zip":
            archive(path, ("t.sqlite", CSV))
        error = refusal(path)
        assert error.codes == (Code.FILE_FORMAT,)
        assert "`.sqlite`" in error.problems[0].found


def test_a_tar_in_a_compression_is_told_by_its_ending(tmp_path, refusal) -> None:
    (tmp_path / "t.tar.gz").write_bytes(gzip.compress(b"not looked at"))
    error = refusal(tmp_path / "t.tar.gz")
    assert error.codes == (Code.FILE_FORMAT,)
    assert "`.tar`" in error.problems[0].found


def test_a_full_disk_is_told_as_such(tmp_path, refusal, monkeypatch) -> None:
    class Full:
        def write(self, chunk):
            raise OSError(28, "No space left on device")

    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(CSV))
    copy = compression._copy
    monkeypatch.setattr(compression, "_copy", lambda stream, _, source: copy(
        stream, Full(), source))
    error = refusal(path)
    assert error.codes == (Code.STORE_IO,)
    assert "No space left" in error.problems[0].found


@pytest.mark.parametrize(("name", "data", "word"), [
    ("t.fits", b"PAR1" + bytes(99), "bytes of parquet"),
    ("t.csv", b"\x89HDF\r\n\x1a\n" + bytes(99), "bytes of hdf5"),
    ("t.csv", b"<?xml version='1.0'?><VOTABLE/>", "bytes of votable"),
    ("t.parquet", b"# %ECSV 1.0\n", "bytes of ecsv"),
    ("t.hdf5", b"SIMPLE  =", "bytes of fits"),
    ("t.xml", b"<html><body>404</body></html>", "a beginning that no votable has"),
    ("t.xml", b"id,z\n1,2\n", "a beginning that no votable has"),
    ("t.ecsv", b"id,z\n1,2\n", "a beginning that no ecsv has"),
])
def test_a_name_that_says_another_format_than_the_bytes_is_told(
    tmp_path, refusal, name, data, word
) -> None:
    (tmp_path / name).write_bytes(data)
    error = refusal(tmp_path / name)
    assert error.codes == (Code.FILE_DAMAGED,)
    assert word in error.problems[0].found


def test_a_format_that_is_given_is_held_against_the_bytes(tmp_path, refusal) -> None:
    (tmp_path / "t.dat").write_bytes(b"PAR1" + bytes(99))
    error = refusal(tmp_path / "t.dat", format="fits")
    assert error.codes == (Code.FILE_DAMAGED,)
    assert "read it as parquet" in error.problems[0].remedy


def test_a_table_is_named_only_where_there_may_be_several(tmp_path, refusal) -> None:
    (tmp_path / "t.csv").write_bytes(CSV)
    assert refusal(tmp_path / "t.csv", table="one").codes == (Code.FILE_FORMAT,)
