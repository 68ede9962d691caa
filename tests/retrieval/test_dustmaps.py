"""Dust maps from a server on this machine to the folder in which dustmaps reads them."""

from __future__ import annotations

import hashlib
import inspect
import json
import warnings
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from pz_tsm_core.cli.entry import app
from pz_tsm_core.dust import get_map, map_keys, read_ebv
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock.dust import ebv_at, write_healpix_map, write_sfd_maps
from pz_tsm_core.model.retrieval import FetchLimits
from pz_tsm_core.remote import Reach
from pz_tsm_core.retrieval import dustmaps, fetch_map


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def published(web, tmp_path, monkeypatch):
    """Maps of every kind behind the server, in place of the real ones; their bytes by path."""
    folder = tmp_path / "published"
    write_sfd_maps(folder)
    for name in ("csfd", "planck", "gnilc"):
        write_healpix_map(folder, name)
    content = {file.path: (folder / file.path).read_bytes()
               for name in map_keys() for file in get_map(name).files}

    def moved(name):
        there = get_map(name)
        files = [file.model_copy(update={
            "url": web.url(file.path), "md5": file.md5 and md5(content[file.path])})
            for file in there.files]
        return there.model_copy(update={
            "files": tuple(files), "dataset": there.dataset and web.url("record?id=doi:1")})

    web.files |= content
    web.files["record?id=doi:1"] = json.dumps({"data": {"latestVersion": {"files": [
        {"dataFile": {"filename": "README", "id": 1}},
        *({"dataFile": {"filename": path.partition("/")[2], "md5": md5(data)}}
          for path, data in content.items() if path.startswith("sfd/"))]}}}).encode()
    monkeypatch.setattr(dustmaps, "get_map", moved)
    return content


def asked(web):
    return [path.lstrip("/") for method, path in web.requests if method == "GET"]


def refused(code, act):
    with pytest.raises(TsmError) as error:
        act()
    assert error.value.codes == (code,)
    return str(error.value)


@pytest.mark.parametrize("name", map_keys())
def test_a_map_comes_whole_to_where_it_is_read(name, published, web, reach, tmp_path):
    root = tmp_path / "maps"
    fetched = fetch_map(name, root, reach=reach)
    assert (fetched.state, fetched.directory) == ("new", root)
    found = {path.relative_to(root).as_posix(): path.read_bytes()
             for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert found == {file.path: published[file.path] for file in get_map(name).files}
    at = np.array([10.0, 200.0]), np.array([60.0, -30.0])
    assert read_ebv(name, root, *at) == pytest.approx(ebv_at(*at), abs=0.01)
    web.requests.clear()
    assert fetch_map(name, root, reach=reach).state == "there"
    assert set(asked(web)) <= {"record?id=doi:1"}


def test_the_usual_folder_needs_no_word_in_a_recipe(published, reach, tmp_path, monkeypatch):
    assert fetch_map("planck", tmp_path / "maps", reach=reach).recipe == (
        f"photometry: {{dereddening: {{map: planck, directory: {tmp_path}/maps}}}}")
    monkeypatch.setenv("PZ_TSM_DUSTMAPS", str(tmp_path / "usual"))
    assert fetch_map("planck", reach=reach).recipe == "photometry: {dereddening: {map: planck}}"
    assert read_ebv("planck", "", np.zeros(1), np.zeros(1)).shape == (1,)


@pytest.mark.parametrize("name", ["sfd", "csfd", "gnilc"])
def test_a_file_that_is_not_the_published_one_stays_outside(name, published, web, reach, tmp_path):
    last = get_map(name).files[-1].path
    web.files[last] = published[last][:-1] + b"\1"
    told = refused(Code.SOURCE_CHANGED, lambda: fetch_map(name, tmp_path / "maps", reach=reach))
    assert md5(published[last]) in told
    assert not [path for path in (tmp_path / "maps").rglob("*.fits") if ".parts" not in path.parts]
    web.files[last] = published[last]
    assert fetch_map(name, tmp_path / "maps", reach=reach).state == "new"


def test_what_has_come_is_kept_until_the_rest_has(published, web, reach, tmp_path):
    first, second = (file.path for file in get_map("csfd").files)
    del web.files[second]
    refused(Code.SERVICE_REFUSED, lambda: fetch_map("csfd", tmp_path / "maps", reach=reach))
    assert not (tmp_path / "maps" / first).exists()
    web.files[second] = published[second]
    web.requests.clear()
    fetch_map("csfd", tmp_path / "maps", reach=reach)
    assert asked(web) == [second]
    assert (tmp_path / "maps" / first).read_bytes() == published[first]


def test_a_transfer_that_was_cut_goes_on_where_it_was(published, web, tmp_path):
    hurried = FetchLimits(stall_seconds=0.5, retries=0, per_second=1000)
    file, = get_map("gnilc").files
    web.held = True
    with pytest.raises(TsmError):
        fetch_map("gnilc", tmp_path / "maps", reach=Reach(hurried))
    part, = (tmp_path / "maps").rglob("*.part")
    assert 0 < part.stat().st_size < len(published[file.path])
    web.held = False
    told = []
    fetch_map("gnilc", tmp_path / "maps", reach=Reach(hurried, hear=told.append))
    assert told[0].done > len(published[file.path]) // 2
    assert (tmp_path / "maps" / file.path).read_bytes() == published[file.path]


def test_nothing_is_written_over_a_map_of_ones_own(published, reach, tmp_path):
    write_healpix_map(tmp_path, "planck")
    path, = get_map("planck").paths(tmp_path)
    path.write_bytes(b"SIMPLE, and mine")
    refused(Code.OUTPUT_EXISTS, lambda: fetch_map("planck", tmp_path, reach=reach))
    assert path.read_bytes() == b"SIMPLE, and mine"


@pytest.mark.parametrize(("record", "code"), [
    (b"<html>", Code.SERVICE_REFUSED), (b"[]", Code.SERVICE_REFUSED),
    (b'{"data": {"latestVersion": {"files": [1]}}}', Code.SERVICE_REFUSED),
    (b"[" * 100_000, Code.SERVICE_REFUSED),
    (b'{"data": {"latestVersion": {"files": []}}}', Code.SOURCE_CHANGED),
    ((b'{"data": {"latestVersion": {"files": [{"dataFile": {"filename": '
     b'"SFD_dust_4096_ngp.fits", "md5": "x"}}]}}}'), Code.SOURCE_CHANGED),
])
def test_a_record_that_tells_no_md5_is_refused(record, code, published, web, reach, tmp_path):
    web.files["record?id=doi:1"] = record
    refused(code, lambda: fetch_map("sfd", tmp_path / "maps", reach=reach))
    assert not (tmp_path / "maps").exists()


def test_addresses_and_digests_are_those_of_dustmaps():
    """The package that reads the maps says itself where they are published."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dustmaps import csfd, fetch_utils, planck, sfd
    for name, module in (("csfd", csfd), ("planck", planck), ("gnilc", planck)):
        source = inspect.getsource(module.fetch)
        for file in get_map(name).files:
            assert file.name in source
            assert file.md5 in source
            if name != "csfd":
                assert file.url.replace("https://", "http://") in source
    assert "zenodo.org/record/8207175/files/" in inspect.getsource(csfd.fetch)
    assert all("//zenodo.org/records/8207175/files/" in file.url for file in get_map("csfd").files)
    dataset = get_map("sfd").dataset
    assert dataset.startswith(f"{fetch_utils.dataverse}/api/datasets/:persistentId?persistentId=")
    assert dataset.rpartition("doi:")[2] in inspect.getsource(sfd.fetch)
    for file in get_map("sfd").files:
        assert file.url.startswith(f"{fetch_utils.dataverse}/api/access/datafile/")


@pytest.fixture
def tsm(monkeypatch):
    """The command, with a way out that waits for nobody."""
    monkeypatch.setattr("pz_tsm_core.remote.Reach", lambda limits, hear=None: Reach(
        limits.model_copy(update={"per_second": 1000, "retries": 0}), hear=hear))
    return partial(CliRunner().invoke, app)


def test_the_command_fetches_and_lists(published, tsm, tmp_path):
    usual = {"PZ_TSM_DUSTMAPS": str(tmp_path / "usual")}
    told = tsm(["dustmaps", "fetch", "csfd", "sfd", "csfd"], env=usual, catch_exceptions=False)
    assert told.exit_code == 0
    assert "photometry: {dereddening: {map: csfd}}" in told.output
    assert told.output.count("new ") == 2
    (tmp_path / "usual" / "sfd" / "SFD_dust_4096_ngp.fits").unlink()
    listed = json.loads(tsm(["dustmaps", "--json"], env=usual).output)
    assert listed["directory"] == usual["PZ_TSM_DUSTMAPS"]
    assert {each["map"]: each["here"] for each in listed["maps"]} == {
        "sfd": "1 of 2", "csfd": "yes", "planck": "no", "gnilc": "no"}
    again = tsm(["dustmaps", "fetch", "sfd", "csfd", "--json"], env=usual)
    assert [(each["map"], each["state"]) for each in json.loads(again.output)] == [
        ("sfd", "new"), ("csfd", "there")]
    lines = tsm(["dustmaps", "list"], env=usual).output.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["sfd", "yes"], ["csfd", "yes"], ["planck", "no"], ["gnilc", "no"]]


def test_one_map_that_cannot_be_had_keeps_no_other_from_coming(published, tsm, tmp_path):
    told = tsm(["dustmaps", "fetch", "bayestar", "gnilc", "--directory", str(tmp_path / "maps")])
    assert isinstance(told.exception, TsmError)
    assert "distance" in str(told.exception)
    assert get_map("gnilc").require(tmp_path / "maps")
