"""Table files made to harm: each refused with its code, nothing read, fetched or run."""

from __future__ import annotations

import gzip
import http.server
import io
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.limits import Limits
from pz_tsm_core.readers import describe_table, read_table

#: No refusal takes longer than this, not even on a machine with other work; else it hangs.
NO_HANG = Limits(max_seconds=60, max_memory=2**28)

VOTABLE = ("<?xml version='1.0'?>{before}<VOTABLE version='1.4'><RESOURCE><TABLE>"
           "<FIELD name='id' datatype='long'/>{data}</TABLE></RESOURCE></VOTABLE>")
ROW = "<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>"


def laughs(levels: int) -> str:
    entities = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, levels))
    return f"<!DOCTYPE lolz [<!ENTITY l0 'ha'>{entities}]>"


def elsewhere(place: str, kind: str = "BINARY", key: str = "href") -> str:
    data = f"<DATA><{kind}><STREAM {key}='{place}'/></{kind}></DATA>"
    return VOTABLE.format(before="", data=data)


XML = {
    "rows in a local file": elsewhere("file:///etc/passwd"),
    "rows in a relative file": elsewhere("file:secret.fits", "FITS"),
    "rows in Parquet elsewhere": elsewhere("file:///etc/passwd", "PARQUET"),
    "rows by another name of href": elsewhere("file:///etc/passwd", key="xlink:HREF"),
    "rows behind a page": elsewhere("http://127.0.0.1:{port}/rows"),
    "an href in a table": VOTABLE.format(before="", data=ROW).replace(
        "<TABLE>", "<TABLE href='http://127.0.0.1:{port}/'>"),
    "entities that unfold": VOTABLE.format(
        before=laughs(10), data=ROW.replace("<TD>1", "<TD>&l9;")),
    "an entity of a local file": VOTABLE.format(
        before="<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
        data=ROW.replace("<TD>1", "<TD>&e;")),
    "an entity of the network": VOTABLE.format(
        before="<!DOCTYPE x [<!ENTITY % e SYSTEM 'http://127.0.0.1:{port}/e'> %e;]>", data=ROW),
    "a document type of the network": VOTABLE.format(
        before="<!DOCTYPE VOTABLE SYSTEM 'http://127.0.0.1:{port}/votable.dtd'>", data=ROW),
}


@pytest.fixture
def listener():
    """A server that must never be asked anything; gives its port."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize("case", XML)
def test_a_votable_that_leads_elsewhere_or_unfolds_is_refused(tmp_path, listener, case) -> None:
    text = XML[case].replace("{port}", str(listener))
    (tmp_path / "t.xml").write_text(text)
    (tmp_path / "secret.fits").write_bytes(b"s3cr3t")
    with pytest.raises(TsmError) as refused:
        read_table(tmp_path / "t.xml", limits=NO_HANG)
    assert refused.value.codes == (Code.FILE_FORMAT,)
    told = str(refused.value)
    assert any(word in told for word in ("DOCTYPE", "href", "rows as FITS", "rows as PARQUET"))
    assert "root:" not in told


def test_a_votable_inside_parquet_is_held_to_the_same(tmp_path, listener) -> None:
    xml = VOTABLE.format(before=laughs(9), data=ROW)
    schema = pa.schema([("id", pa.int64())], {"IVOA.VOTable-Parquet.content": xml})
    pq.write_table(pa.table({"id": [1]}, schema=schema), tmp_path / "t.parquet")
    with pytest.raises(TsmError) as refused:
        read_table(tmp_path / "t.parquet")
    assert refused.value.codes == (Code.FILE_FORMAT,)


def test_a_gzip_bomb_is_refused_with_the_limits_that_everybody_has(tmp_path) -> None:
    """1,000 to 1: 300 kB that would be 300 MB."""
    path = tmp_path / "t.fits.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(300):
            file.write(bytes(10**6))
    assert path.stat().st_size < 350_000
    started = time.monotonic()
    with pytest.raises(TsmError) as refused:
        read_table(path)
    assert refused.value.codes == (Code.FILE_LIMIT,)
    assert time.monotonic() - started < 60


class Evil:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def hdf5_pickled_attribute(path: Path, file: h5py.File) -> None:
    data = np.void(pickle.dumps(Evil(path.with_name("owned"))))
    for place in (file, file.create_dataset("z", data=[0.5])):
        for name in ("TITLE", "unit", "FILTERS", "values_block_0_kind"):
            place.attrs[name] = data
    file.attrs["PYTABLES_FORMAT_VERSION"] = "2.1"


def hdf5_external_link(path: Path, file: h5py.File) -> None:
    other(path)
    file["z"] = [0.5]
    file["id"] = h5py.ExternalLink("other.h5", "/id")


def hdf5_soft_link(path: Path, file: h5py.File) -> None:
    file["a/z"] = [0.5]
    file["z"] = h5py.SoftLink("/a/z")


def hdf5_external_dataset(path: Path, file: h5py.File) -> None:
    path.with_name("secret.bin").write_bytes(b"s3cr3t!!")
    file.create_dataset("id", (1,), "i8", external=[("secret.bin", 0, 8)])


def hdf5_virtual_dataset(path: Path, file: h5py.File) -> None:
    other(path)
    layout = h5py.VirtualLayout((1,), "i8")
    layout[:] = h5py.VirtualSource("other.h5", "id", (1,))
    file.create_virtual_dataset("id", layout)


def hdf5_plugin(path: Path, file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((10,))
    plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (1, 2))  # blosc
    h5py.h5d.create(file.id, b"z", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((10,)), plan)


def hdf5_size_that_lies(path: Path, file: h5py.File) -> None:
    file.create_dataset("id", (10**12,), "i8", chunks=(10**6,))


def hdf5_records_of_much_text(path: Path, file: h5py.File) -> None:
    file.create_dataset("t", (10**6,), np.dtype([("s", "S100000")]), chunks=(10,))


def hdf5_many_columns(path: Path, file: h5py.File) -> None:
    for number in range(6_000):
        file.create_group(f"g{number}")
        file.create_dataset(f"c{number}", (1,), "i1")


def hdf5_deep(path: Path, file: h5py.File) -> None:
    group = file
    for _ in range(3_000):
        group = group.create_group("g")
    group["z"] = [[1.0, 2.0]]


def other(path: Path) -> None:
    with h5py.File(path.with_name("other.h5"), "w") as file:
        file["id"] = [42]


HDF5: dict[str, tuple[Callable[[Path, h5py.File], None], Code]] = {
    "an external link": (hdf5_external_link, Code.FILE_FORMAT),
    "a soft link": (hdf5_soft_link, Code.FILE_FORMAT),
    "values in another file": (hdf5_external_dataset, Code.FILE_FORMAT),
    "a virtual dataset": (hdf5_virtual_dataset, Code.FILE_FORMAT),
    "a filter of a plugin": (hdf5_plugin, Code.FILE_FORMAT),
    "a size that lies": (hdf5_size_that_lies, Code.FILE_LIMIT),
    "texts that fill the memory": (hdf5_records_of_much_text, Code.FILE_LIMIT),
    "more columns than the limit": (hdf5_many_columns, Code.FILE_LIMIT),
    "groups three thousand deep": (hdf5_deep, Code.TABLE_COLUMN_TYPE),
}


@pytest.mark.parametrize("case", HDF5)
def test_an_hdf5_file_that_leads_elsewhere_or_lies_is_refused(tmp_path, case) -> None:
    make, code = HDF5[case]
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        make(path, file)
    with pytest.raises(TsmError) as refused:
        read_table(path, limits=NO_HANG)
    assert refused.value.codes == (code,)
    assert "s3cr3t" not in str(refused.value)


def test_an_hdf5_file_that_keeps_its_library_busy_for_ever_is_given_up(tmp_path) -> None:
    """A size in the heap of texts, set to 0: HDF5 looks for the next text at the same place."""
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("s", data=["a", "b"], dtype=h5py.string_dtype())
    data = bytearray(path.read_bytes())
    size_of_first = data.index(b"GCOL") + 24
    assert data[size_of_first] == 1
    data[size_of_first] = 0
    path.write_bytes(data)
    started = time.monotonic()
    with pytest.raises(TsmError) as refused:
        read_table(path, limits=Limits(max_seconds=4))
    assert refused.value.codes == (Code.FILE_LIMIT,)
    assert time.monotonic() - started < 60


def test_pickles_in_attributes_stay_what_they_are(tmp_path) -> None:
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        hdf5_pickled_attribute(path, file)
    assert read_table(path)["z"].to_pylist() == [0.5]
    assert describe_table(path).columns[0].unit == ""
    assert not (tmp_path / "owned").exists()
    pickle.loads(pickle.dumps(Evil(tmp_path / "owned")))  # as it would have been
    assert (tmp_path / "owned").exists()


def wide_csv(columns: int) -> bytes:
    names = ",".join(f"c{n}" for n in range(columns))
    return f"{names}\n{','.join(['1'] * columns)}\n".encode()


def wide_parquet(columns: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({f"c{n}": [1] for n in range(columns)}), file)
    return file.getvalue()


def wide_ecsv(columns: int) -> bytes:
    header = "".join(f"# - {{name: c{n}, datatype: int8}}\n" for n in range(columns))
    return f"# %ECSV 1.0\n# ---\n# datatype:\n{header}".encode() + wide_csv(columns)


def wide_votable(columns: int) -> bytes:
    fields = "".join(f"<FIELD name='c{n}' datatype='int'/>" for n in range(columns))
    return VOTABLE.format(before="", data=ROW).replace(
        "<FIELD name='id' datatype='long'/>", fields).encode()


@pytest.mark.parametrize(("name", "make", "columns", "code"), [
    ("t.csv", wide_csv, 10**6, Code.FILE_LIMIT),
    ("t.parquet", wide_parquet, 20_000, Code.FILE_LIMIT),
    ("t.ecsv", wide_ecsv, 10**6, Code.FILE_DAMAGED),  # a header of 30 MB is no header
    ("t.xml", wide_votable, 10**6, Code.FILE_LIMIT),
])
def test_very_many_columns_are_refused(tmp_path, name, make, columns, code) -> None:
    (tmp_path / name).write_bytes(make(columns))
    with pytest.raises(TsmError) as refused:
        read_table(tmp_path / name, limits=NO_HANG)
    assert refused.value.codes == (code,)
    assert len(str(refused.value)) < 10_000


@pytest.mark.parametrize(("name", "text"), [
    ("t.ecsv", "# %ECSV 1.0\n# ---\n# datatype: " + "[" * 100_000 + "\nid\n1\n"),
    ("t.ecsv", "# %ECSV 1.0\n# ---\n# datatype: " + "[" * 40 + "]" * 40 + "\nid\n1\n"),
])
def test_deep_nesting_is_refused(tmp_path, name, text) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TsmError) as refused:
        read_table(tmp_path / name, limits=NO_HANG)
    assert refused.value.codes == (Code.FILE_DAMAGED,)


def test_deep_nesting_of_what_is_passed_over_is_no_danger(tmp_path) -> None:
    text = VOTABLE.format(before="", data=ROW)
    for tag in ("<RESOURCE>", "</RESOURCE>"):
        text = text.replace(tag, tag * 100_000)
    (tmp_path / "t.xml").write_text(text)
    assert read_table(tmp_path / "t.xml", limits=NO_HANG)["id"].to_pylist() == [1]


@pytest.mark.parametrize("field", [
    "<FIELD name='id' datatype='char' arraysize='2000000000'/>",
    "<FIELD name='id' datatype='unicodeChar' arraysize='999999999999999999999'/>",
    "<FIELD name='id' datatype='char' arraysize='-5'/>",
    "<FIELD name='id' datatype='char' arraysize='x'/>",
])
def test_a_size_of_texts_that_lies_is_refused(tmp_path, field) -> None:
    text = VOTABLE.format(before="", data=ROW).replace("<FIELD name='id' datatype='long'/>", field)
    (tmp_path / "t.xml").write_text(text)
    with pytest.raises(TsmError) as refused:
        read_table(tmp_path / "t.xml", limits=NO_HANG)
    assert set(refused.value.codes) <= {Code.FILE_LIMIT, Code.FILE_DAMAGED, Code.FILE_FORMAT}


@pytest.mark.parametrize("suffix", ["ecsv", "h5", "xml"])
def test_names_with_control_characters_are_refused_and_not_printed(tmp_path, suffix) -> None:
    path, name = tmp_path / f"t.{suffix}", "a\u202e\u2028b"
    if suffix == "xml":
        path.write_text(VOTABLE.format(before="", data=ROW.replace("<TD>1", "<TD>2</TD><TD>1"))
                        .replace("</TABLE>", "").replace("<DATA>", f"<FIELD name='{name}' "
                        "datatype='int'/><DATA>").replace("</DATA>", "</DATA></TABLE>"), "utf-8")
    else:
        how = {"path": "t"} if suffix == "h5" else {"format": "ascii.ecsv"}
        Table({name: [1], "id": [2]}).write(path, **how)
    with pytest.raises(TsmError) as refused:
        read_table(path)
    assert refused.value.codes == (Code.FILE_DAMAGED,)
    assert "\u202e" not in str(refused.value)
    assert read_table(path, columns=["id"])["id"].to_pylist() == [2]


def test_names_too_long_to_be_told_are_refused(tmp_path) -> None:
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        for number in range(300):
            file.create_dataset(f"{number:03}" + "n" * 60_000, data=[1])
    with pytest.raises(TsmError) as refused:
        describe_table(path, limits=NO_HANG)
    assert refused.value.codes == (Code.FILE_LIMIT,)
    assert len(str(refused.value)) < 1000
