"""`tsm promote`, `tsm diff` and what `tsm products` tells of candidates."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.entry import told_plainly
from pz_tsm_core.model.guard import GuardPolicy
from pz_tsm_core.model.stages import COMBINE
from pz_tsm_core.quality.changes import CHANGES
from pz_tsm_core.quality.guard import judge
from pz_tsm_core.store import open_store
from tests.unit.quality.compilations import Row, compiled


@pytest.fixture
def tsm(tmp_path, monkeypatch, capsys):
    """Types a command; gives its exit status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PZ_TSM_STORE", str(tmp_path / "store"))
    (tmp_path / "table.csv").write_text("RA,DEC,Z\n10.5,-2.25,0.5\n")

    def typed(line):
        with pytest.raises(SystemExit) as left:
            told_plainly(lambda: app(line.split()))
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return typed


@pytest.fixture
def refreshed(tmp_path):
    """A compilation, and a refresh of it that lost 30 of 100 galaxies and found one."""
    store = open_store(tmp_path / "store")
    for rows in (range(100), range(30, 101)):
        made = {COMBINE.name: compiled(store, {number: [Row(number)] for number in rows})}
        store.products.add("specz", "compilation", made, COMBINE.name, guard=lambda former, made=(
            made): judge(store, made, former, GuardPolicy(survey_rows_few=10)))


def test_a_candidate_is_listed_with_why_it_waits_and_promoted(tsm, refreshed):
    listed = [line.split() for line in tsm("products list")[1].splitlines()[1:]]
    assert [(line[0], line[-1]) for line in listed] == [
        ("specz@2", "candidate"), ("specz@1", "latest")]
    told = tsm("products show specz@2")[1].splitlines()
    assert "figures   5 of 7 passed against specz@1" in told
    assert ("          Measurements of deep: 71, before 100; "
            "allowed are at least 90 and at most 110") in told
    assert "decide    tsm promote specz@2, or tsm products withdraw specz@2" in told
    assert "specz@1" in tsm("products show specz")[1].splitlines()[0]
    code, out, _ = tsm("promote specz")
    assert (code, out.splitlines()[0]) == (
        0, "specz@2 is specz@latest now, in the place of specz@1")
    assert "  although Galaxies removed: 30.00 % (30 of 100)" in out
    assert tsm("promote specz@2")[1] == "specz@2 is specz@latest already\n"
    assert "promoted  by local, 2" in tsm("products show specz")[1]
    assert tsm("products list")[1].splitlines()[1].split()[-1] == "latest"


def test_programs_read_the_same(tsm, refreshed):
    listed = json.loads(tsm("products list --json")[1])
    assert [(each["product"], each["state"]) for each in listed] == [
        ("specz@2", "candidate"), ("specz@1", "latest")]
    shown = json.loads(tsm("products show specz@2 --json")[1])
    failed = [each["name"] for each in shown["judgement"]["findings"] if not each["passed"]]
    assert (failed, shown["promoted"]) == (["survey.rows", "galaxies.removed"], None)
    told = json.loads(tsm("promote specz@2 --json --principal bob")[1])
    assert (told["latest"], told["former"], told["promoted"]["by"]) == ("specz@2", "specz@1", "bob")
    assert json.loads(tsm("products show specz --json")[1])["promoted"] == told["promoted"]


def test_a_candidate_that_was_passed_by_is_refused_with_the_way_out(tsm, refreshed, tmp_path):
    store = open_store(tmp_path / "store")
    made = {COMBINE.name: compiled(store, {number: [Row(number)] for number in range(99)})}
    store.products.add("specz", "compilation", made, COMBINE.name)
    states = [line.split()[5:] for line in tsm("products list")[1].splitlines()[1:]]
    assert states == [["latest"], ["passed", "by"], []]
    code, out, err = tsm("promote specz@2")
    assert (code, out, err.startswith("[product.superseded] specz@2")) == (1, "", True)
    assert "tsm products withdraw specz@3" in err
    tsm("products withdraw specz@3")
    assert tsm("promote specz@2")[0] == 0


def test_a_withdrawal_that_leaves_candidates_says_so(tsm, refreshed):
    assert tsm("products withdraw specz")[1] == (
        "specz@1 is withdrawn; candidates alone are left\n")
    assert "tsm promote specz" in tsm("products show specz")[2]
    assert tsm("promote specz")[1].splitlines()[0] == "specz@2 is specz@latest now"


def test_two_compilations_are_compared_and_what_changed_is_written(tsm, refreshed, tmp_path):
    code, out, err = tsm("diff specz@1 specz@2 --output changed.parquet")
    assert (code, err) == (0, "")
    told = [line.split() for line in out.splitlines()]
    assert out.splitlines()[0] == "specz@1 to specz@2: 100 galaxies to 71"
    assert ["galaxies", "removed", "30"] in told
    assert ["deep", "100", "71", "-29"] in told
    table = pq.read_table(tmp_path / "changed.parquet")
    assert table.schema.equals(CHANGES)
    assert table.group_by("what").aggregate([([], "count_all")]).sort_by("what").to_pydict() == {
        "what": ["added", "removed"], "count_all": [1, 30]}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "changed.parquet", "store", "table.csv"]
    code, _, err = tsm("diff specz@2 specz@1 --output changed.parquet")
    assert (code, err.startswith("[output.exists]")) == (1, True)
    assert pq.read_table(tmp_path / "changed.parquet").equals(table)
    assert tsm("diff specz@1 specz@2 --output none/changed.parquet")[2].startswith("[output.write]")


def test_programs_read_the_same_of_a_diff(tsm, refreshed):
    told = json.loads(tsm("diff specz specz@2 --json")[1])
    assert (told["old"], told["new"], told["added"], told["removed"]) == (
        "specz@1", "specz@2", 1, 30)
    assert told["surveys"] == {"deep": [100, 71]}


@pytest.mark.parametrize(("line", "code"), [
    ("promote none", "product.unknown"), ("promote No", "product.name"),
    ("promote specz@9", "product.unknown"), ("diff specz none", "product.unknown"),
    ("diff specz table", "product.name"),
])
def test_a_refusal_is_one_clear_error_and_status_1(tsm, refreshed, line, code):
    tsm("put table.csv")
    status, out, err = tsm(line)
    assert (status, out) == (1, "")
    assert err.startswith(f"[{code}")
