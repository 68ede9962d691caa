"""`tsm put`, `tsm products` and `tsm gc` as a person and as a program meet them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from astropy.io.fits import BinTableHDU, HDUList, PrimaryHDU
from astropy.table import Table

from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.entry import COMMANDS, told_plainly
from pz_tsm_core.cli.products import TOLD, _age
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store

ROWS = "RA,DEC,Z\n10.5,-2.25,0.5\n11.0,3.0,0.7\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a table in it, and the usual store below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PZ_TSM_STORE", str(tmp_path / "store"))
    (tmp_path / "mine.csv").write_text(ROWS)
    return tmp_path


@pytest.fixture
def tsm(place, capsys):
    """Types a command; gives its exit status, standard output and standard error."""
    assert COMMANDS  # they are registered

    def typed(line):
        with pytest.raises(SystemExit) as left:
            told_plainly(lambda: app(line.split()))
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return typed


def lines(told):
    return [line.split() for line in told[1].splitlines()]


def loose(place, number=1):
    """An artifact that no product names."""
    request = StageRequest(stage="combine", version=number)
    return open_store(place / "store").publish(
        request, lambda draft: (draft.directory / "x").write_text("x" * number) and None).ref


def test_a_table_is_put_listed_shown_verified_and_withdrawn(tsm, place):
    code, out, err = tsm("put mine.csv --name deep")
    assert (code, err, out.splitlines()[0]) == (0, "", "deep@1: 2 rows, public")
    assert "product: deep@1" in out
    assert lines(tsm("products list"))[1][:4] == ["deep@1", "table", "2", "public"]
    code, out, _ = tsm("products show deep")
    shown = dict(line.split(maxsplit=1) for line in out.splitlines()[:6])
    assert (shown["product"], shown["kind"], shown["rows"]) == ("deep@1", "table", "2")
    assert out.splitlines()[-1].split()[0] == "put"
    code, out, _ = tsm("products verify deep@1")
    assert (code, out.startswith("deep@1: 1 file,"), "as published" in out) == (0, True, True)
    assert tsm("products withdraw deep@1")[1] == (
        "deep@1 is withdrawn; no version of it is left\n")
    code, _, err = tsm("products show deep@1")
    assert (code, "[product.unknown]" in err, "withdrawn" in err) == (1, True, True)


def test_one_table_of_several_is_put(tsm, place):
    tables = [Table({"z": [0.5] * rows}) for rows in (2, 3)]
    hdus = [BinTableHDU(table, name=name) for table, name in zip(tables, "AB", strict=True)]
    HDUList([PrimaryHDU(), *hdus]).writeto(place / "two.fits")
    assert tsm("put two.fits")[1].startswith("two@1: 2 rows")
    assert tsm("put two.fits --table B")[1].startswith("two_b@1: 3 rows")
    code, out, err = tsm("put two.fits --table C")
    assert (code, out, "A (BINTABLE), B (BINTABLE)" in err) == (1, "", True)


def test_a_withdrawal_says_what_is_latest_now(tsm, place):
    tsm("put mine.csv")
    (place / "mine.csv").write_text(ROWS + "12,4,0.1\n")
    tsm("put mine.csv")
    assert tsm("products withdraw mine")[1] == "mine@2 is withdrawn; mine@latest is mine@1 now\n"


def test_what_is_private_is_listed_to_its_owner_alone(tsm):
    code, out, _ = tsm("put mine.csv --private --principal alice")
    assert (code, "private:alice" in out) == (0, True)
    assert "mine@1" in tsm("products list --principal alice")[1]
    code, out, _ = tsm("products list --principal bob")
    assert (code, out.startswith("no products in ")) == (0, True)
    assert tsm("products list --principal bob --json")[1] == "[]\n"


def test_json_is_for_programs(tsm, place):
    tsm("put mine.csv")
    (listed,) = json.loads(tsm("products list --json")[1])
    assert (listed["product"], listed["rows"], listed["access"]) == ("mine@1", 2, "public")
    shown = json.loads(tsm("products show mine --json")[1])
    (put,) = shown["rests on"]
    assert (put["label"], put["taken"], put["given"], put["dropped"]) == ("put", 2, 2, {})
    verified = json.loads(tsm("products verify mine --json")[1])
    assert (verified["product"], verified["files"], verified["damages"]) == ("mine@1", 1, [])
    ref = loose(place)
    collected = json.loads(tsm("products gc --dry-run --json")[1])
    assert [each["address"] for each in collected["removed"]] == [ref.address]
    assert collected["for_products"]["artifacts"] == 1


def test_damage_is_told_and_ends_with_status_1(tsm, place):
    tsm("put mine.csv")
    (file,) = place.glob("store/objects/put/*/*/native.parquet")
    file.unlink()
    code, out, _ = tsm("products verify mine")
    assert (code, "1 damaged" in out, "put: native.parquet is missing" in out) == (1, True, True)
    (file.parent / "manifest.json").unlink()
    assert lines(tsm("products list"))[1][:3] == ["mine@1", "table", "?"]
    assert tsm("products show mine")[0] == 0
    assert tsm("products verify mine --json")[0] == 1


@pytest.mark.parametrize("command", ["products gc", "gc"])
def test_collecting_says_what_it_removed_and_what_it_kept(tsm, place, command):
    tsm("put mine.csv")
    ref = loose(place)
    code, out, _ = tsm(f"{command} --dry-run")
    assert (code, "would remove  1 artifact" in out, ref.address[:12] in out) == (0, True, True)
    code, out, _ = tsm(command)
    assert (code, "removed       1 artifact" in out) == (0, True)
    assert "kept          1 artifact" in out
    assert "0 artifacts" in tsm(command)[1]
    assert tsm("products verify mine")[0] == 0


def test_of_many_removed_artifacts_the_largest_are_told(tsm, place):
    for number in range(1, TOLD + 4):
        loose(place, number)
    told = lines(tsm("products gc"))
    assert [line[0] for line in told[1:TOLD + 1]] == ["combine"] * TOLD
    assert told[TOLD + 1][:3] == ["...", "and", "3"]


def test_others_leftovers_and_damage_are_told_in_sums(tsm, place):
    tsm("put mine.csv --private --principal alice --name secret")
    tsm("products withdraw secret --principal alice")
    (place / "store/.trash/old").mkdir()
    (place / "store/.trash/old/file").write_bytes(b"x" * 2000)
    (place / "store/.quarantine/bad").mkdir(parents=True)
    _, out, _ = tsm("gc --principal bob")
    assert "1 artifact, 2." in out
    assert "of others" in out
    assert "swept         2.0 kB" in out
    assert "set aside     1 artifact" in out
    assert "secret" not in out


def test_what_a_running_run_uses_is_told(tsm, place):
    store = open_store(place / "store")
    store.publish(StageRequest(stage="combine", version=1),
                  lambda draft: (draft.directory / "x").write_text("x") and None)
    assert "1 artifact, " in tsm("gc")[1].split("for products")[1]


def test_what_a_training_set_rests_on_is_shown_in_the_order_of_the_work(tsm, mock_run):
    made = {label: manifest.ref for label, manifest in mock_run.manifests.items()}
    version = mock_run.store.products.add("shown", "training_set", made, "export")
    _, out, _ = tsm(f"products show shown --store {mock_run.store.location} --json")
    told = json.loads(out)["rests on"]
    rows = mock_run.manifests["combine"].rows
    (combine,) = [each for each in told if each["label"] == "combine"]
    assert (combine["taken"], combine["given"], combine["dropped"]) == (
        rows.taken, rows.given, rows.dropped)
    places = [[each["label"] for each in told].index(label)
              for label in ("combine", "partition", "crossmatch", "correct", "split", "export")]
    assert places == sorted(places)
    assert told[0]["label"].startswith("retrieve")
    mock_run.store.products.withdraw(str(version))


@pytest.mark.parametrize(("line", "code"), [
    ("put none.csv", "file.missing"), ("put mine.csv --name Deep", "product.name"),
    ("products show none", "product.unknown"), ("products verify Deep", "product.name"),
    ("products withdraw none@1", "product.unknown"), ("products list --store s3://b", "store."),
])
def test_a_refusal_is_one_clear_error_and_status_1(tsm, line, code):
    status, out, err = tsm(line)
    assert (status, out) == (1, "")
    assert err.startswith(f"[{code}")


def test_no_name_of_a_file_can_move_the_cursor(tsm, place):
    (place / "mine.csv").write_text("RA,DEC,Z,\x1b[31mred,\x1b[31mred\n1,2,3,4,5\n")
    _, out, err = tsm("put mine.csv")
    assert "\x1b" not in out + err


def test_a_terminal_gets_a_drawn_table_and_a_pipe_a_plain_one(tsm, monkeypatch):
    tsm("put mine.csv")
    plain = tsm("products list")[1]
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes a pipe for a terminal
    drawn = tsm("products list")[1]
    assert ("─" in drawn, "─" in plain) == (True, False)
    assert "mine@1" in drawn


@pytest.mark.parametrize("command", ["put", "products list", "products show", "products verify",
                                     "products withdraw", "products gc"])
def test_every_command_has_an_example(tsm, command):
    code, out, _ = tsm(f"{command} --help")
    assert (code, f"tsm {command}" in out.split("Examples:")[1]) == (0, True)


def test_gc_is_not_listed_twice(tsm):
    _, out, _ = tsm("--help")
    words = [line.split()[1] for line in out.splitlines() if len(line.split()) > 2]
    assert "products" in words
    assert "gc" not in words


@pytest.mark.parametrize(("past", "told"), [
    (timedelta(days=3, hours=2), "3 days"), (timedelta(hours=30), "30 h"),
    (timedelta(minutes=5, seconds=30), "5 min"), (timedelta(seconds=100), "100 s"),
    (timedelta(seconds=-5), "0 s"),
])
def test_an_age_is_told_in_the_largest_unit_that_fits(past, told):
    moment = datetime.now(UTC) - past - timedelta(seconds=0.5 if past > timedelta() else 0)
    assert _age(moment.isoformat()) == told


def test_nobody_keeps_a_private_table(tsm):
    code, out, err = tsm("put mine.csv --private --principal=")
    assert (code, out) == (1, "")
    assert err.startswith("[store.access]")
    assert "say --principal NAME" in err
