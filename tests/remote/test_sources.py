"""Files by their address, and files that are here already."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.retrieval import Wanted
from pz_tsm_core.model.survey import Source
from pz_tsm_core.sources import SERVICES, Ask, Piece, Service, service


def _ask(url: str, *, name: str = "https", table: str = "", known: str = "") -> Ask:
    return Ask(Source(service=name, url=url, table=table), {}, Wanted(), known=known)


def _pull(each: Service, ask: Ask, folder: Path) -> Piece:
    [piece] = each.pull(ask, each.look(ask), folder)
    return piece


class TestRoom:
    def test_every_module_is_a_service_of_its_name(self) -> None:
        assert {"https", "file"} <= set(SERVICES)
        assert len(SERVICES) == len(list(SERVICES))
        for name in ("https", "file"):
            assert SERVICES[name].name == name
            assert issubclass(SERVICES[name], Service)

    def test_another_name_is_refused(self, reach) -> None:
        with pytest.raises(TsmError) as refused:
            service("htps", reach)
        assert refused.value.codes == (Code.SOURCE_NONE,)
        assert "`https`" in str(refused.value)
        for name in ("service", "_replies", "os", "..service", ""):
            with pytest.raises(TsmError):
                service(name, reach)


class TestHttps:
    @pytest.fixture
    def https(self, reach) -> Service:
        return service("https", reach)

    def test_a_file_comes_and_an_unchanged_one_costs_a_request(
            self, https, server, tmp_path, body) -> None:
        ask = _ask(server.on("/zcat.fits", lambda visit: visit.file()), table="ZCATALOG")
        offer = https.look(ask)
        assert (offer.bytes, offer.unchanged) == (len(body), False)
        [piece] = https.pull(ask, offer, tmp_path)
        assert piece == Piece(tmp_path / "zcat.fits", table="ZCATALOG")
        assert piece.path.read_bytes() == body
        server.seen.clear()
        assert https.look(_ask(ask.place.url, known=offer.validator)).unchanged
        assert len(server.seen) == 1

    @pytest.mark.parametrize(("address", "said", "name"), [
        ("/zcat.fits?download=1", "", "zcat.fits"),
        ("/zcat.FITS.gz", "", "zcat.FITS.gz"),
        ("/zcat.csv", 'attachment; filename="other.csv"', "zcat.csv"),
        ("/a%2F..%2F..%2Fz%20cat.csv", "", "z_cat.csv"),
        ("/get.php?file=3", 'attachment; filename="zcat.fits"', "zcat.fits"),
        ("/v2.0", 'attachment; filename="zcat.parquet"', "zcat.parquet"),
        ("/files/3/content", "attachment; filename*=UTF-8''z%C3%A9.ecsv", "zé.ecsv"),
        ("/files/3/content", 'attachment; filename="../../.bashrc"', "file"),
        ("/files/3/content", "", "file"),
        ("/", "", "file"),
    ])
    def test_its_name_says_the_format(
            self, address, said, name, https, server, tmp_path, body) -> None:
        headers = {"Content-Disposition": said} if said else {}
        url = server.on(address.partition("?")[0], lambda visit: visit.file(headers=headers))
        folder = tmp_path / "parts"
        folder.mkdir()
        piece = _pull(https, _ask(url + address.partition("?")[1] + address.partition("?")[2]),
                      folder)
        assert piece.path == folder / name
        assert piece.path.read_bytes() == body
        assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {folder}

    @pytest.mark.parametrize("page", [
        b"<!DOCTYPE html>\n<html>", b"<html lang='en'>", b"\xef\xbb\xbf\n <!doctype HTML>",
        b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0'>",
        b"<!-- made by hand -->\n<HTML>",
    ])
    def test_a_page_for_people_is_refused(self, page, https, server, tmp_path) -> None:
        url = server.on("/specz/zcat.fits", lambda visit: visit.reply(
            200, page + b"<title>Log in</title>", {"ETag": '"1"'}))
        with pytest.raises(TsmError) as refused:
            _pull(https, _ask(url), tmp_path)
        assert refused.value.codes == (Code.SERVICE_REFUSED,)
        assert "HTML" in str(refused.value)
        assert not list(tmp_path.glob("zcat*.fits"))
        with pytest.raises(TsmError):  # and it is not taken for the file the next time
            _pull(https, _ask(url), tmp_path)

    @pytest.mark.parametrize("start", [b"<?xml version='1.0'?>\n<VOTABLE>", b"id,z\n1,2\n",
                                       b"htmlid,z\n", b"SIMPLE  =", b""])
    def test_a_table_is_no_page(self, start, https, server, tmp_path) -> None:
        url = server.on("/zcat.xml", lambda visit: visit.reply(200, start))
        assert _pull(https, _ask(url), tmp_path).path.read_bytes() == start


class TestFile:
    @pytest.fixture
    def local(self, reach) -> Service:
        return service("file", reach)

    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        path = tmp_path / "my table#1?.csv"
        path.write_bytes(b"id,z\n1,0.5\n")
        return path

    @pytest.mark.parametrize("address", [
        str, Path.as_uri, lambda path: path.as_uri().replace("file://", "file://localhost"),
        os.path.relpath,
    ])
    def test_a_file_is_lent_and_stays(self, address, local, table, tmp_path) -> None:
        ask = _ask(address(table), name="file", table="t")
        piece = _pull(local, ask, tmp_path / "parts")
        assert piece.path.samefile(table)
        assert (piece.lent, piece.table) == (True, "t")
        assert local.look(ask).bytes == table.stat().st_size

    def test_it_is_told_whether_it_has_changed(self, local, table) -> None:
        known = local.look(_ask(str(table), name="file")).validator
        ask = _ask(str(table), name="file", known=known)
        assert local.look(ask).unchanged
        table.write_bytes(b"id,z\n1,0.6\n")
        os.utime(table, ns=(1, 2))
        assert not local.look(ask).unchanged

    @pytest.mark.parametrize("name", ["gone.csv", "file:///gone.csv", "file://elsewhere/a.csv",
                                      ".", "/dev/null", "https://example.test/a.csv"])
    def test_what_is_no_file_here_is_refused(self, name, local) -> None:
        with pytest.raises(TsmError) as refused:
            local.look(_ask(name, name="file"))
        assert refused.value.codes == (Code.FILE_MISSING,)
