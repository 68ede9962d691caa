"""What pages of others show of a report: the same figures and plots, and no markup of others."""

from __future__ import annotations

import re
from base64 import b64decode
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.quality.brief import figures, grid, mistakes, plain, rows_by_stage, verdict_of
from pz_tsm_core.quality.drawings import drawings

PAGE = "report.html"


@pytest.fixture(scope="module")
def page(mock_run) -> str:
    return (mock_run.store.directory(mock_run.manifests["report"].ref) / PAGE).read_text("utf-8")


def metric(name, value, status, of="", unit=""):
    return {"name": name, "of": of, "value": value, "unit": unit, "status": status}


def test_every_plot_of_the_page_stands_alone(page) -> None:
    """Sound XML with a ground of its own, that needs neither the page's colours nor a server."""
    found = drawings(page)
    assert len(found) == page.count("<figure>") == 8
    for drawing in found.values():
        kind, _, content = drawing.address.partition(",")
        assert kind == "data:image/svg+xml;base64"
        svg = b64decode(content).decode()
        assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in svg
        assert "background:#ffffff" in svg
        assert not re.search(r'href="(?!#|data:)', svg)
        assert drawing.described
        assert drawing.caption


def test_figures_are_those_of_the_manifests_and_the_metrics(mock_run, page) -> None:
    metrics = mock_run.table("report", "metrics").to_pylist()
    told = figures(metrics, mock_run.manifests)
    manifests = mock_run.manifests
    for key, rows in manifests["combine"].counts["galaxies by survey"].items():
        standard = manifests[f"standardize {key}"].rows
        result = manifests["split"].counts["galaxies by survey"][key]
        assert (f"| {plain(key)} | {standard.taken:,} | {standard.given:,} | {rows:,} "
                f"| {result:,} |") in told
    result = next(each["value"] for each in metrics if each["name"] == "rows.result")
    assert f"| Rows of the result | {result:,.0f} |" in told
    assert re.search(rf"<h2>\s*{verdict_of(metrics)}\s*</h2>", page)


def test_what_is_wrong_comes_first_with_what_to_do() -> None:
    metrics = [metric("redshift.lowest", -2.0, "look"), metric("rows.unaccounted", 3.0, "fail"),
               metric("rows.kept", 0.1, "look", of="a_b", unit="fraction"),
               metric("redshift.median", 0.5, "told")]
    nothing = SimpleNamespace(counts={"galaxies by survey": {}}, rows=None)
    lines = figures(metrics, {"combine": nothing}).splitlines()
    assert lines[0] == "Verdict: **Do not use**"
    troubles = [line for line in lines if line.startswith("- **")]
    assert [line.split(" ", 2)[1] for line in troubles] == ["**fail**", "**look**", "**look**"]
    assert "Keep manifest.json" in troubles[0]
    assert "a\\_b: 10.00 %" in troubles[2]
    assert verdict_of(metrics[:1]) == "Usable, after a look"
    assert verdict_of(metrics[3:]) == "Good"


def test_rows_by_stage_say_where_rows_went(mock_run) -> None:
    found = {row["stage"]: row for row in rows_by_stage(mock_run.manifests)}
    dropped = mock_run.manifests["combine"].rows.dropped
    assert found["combine"]["dropped"] == ", ".join(
        f"{count:,} {why}" for why, count in dropped.items())
    assert found["export"]["dropped"] == ""


@pytest.mark.parametrize("text", [
    "<script>", "a|b", "[a](http://b)", "![a](b)", "**a**", "`a`", "a\nb", "www.a.b", "# a",
    "<https://a.b>", "&lt;", "~~a~~", "$a$", "- a", "a_b_c"])
def test_nothing_of_a_text_is_taken_for_markup(text) -> None:
    safe = plain(text)
    assert not re.search(r"[<>\n]|://|www\.|(?<![\\&])[|`*_\[\]()!#~$-]", safe)
    unescaped = re.sub(r"\\(.)", r"\1", safe.replace("&#58;", ":").replace("&#46;", "."))
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        unescaped = unescaped.replace(entity, letter)
    assert unescaped in (text, text.replace("\n", "\\n"))


def test_a_grid_sets_its_numbers_right() -> None:
    assert grid(("a", "b"), [("x", "1")], numbers=1) == [
        "", "| a | b |", "| --- | --: |", "| x | 1 |", ""]


def test_a_mistake_that_stops_several_stages_is_told_once() -> None:
    wrong = refuse(Code.FILE_DAMAGED, "a.csv", found="noise", expected="rows", remedy="mend it")
    same = TsmError(*wrong.problems)
    told = mistakes(ExceptionGroup("", [wrong, ExceptionGroup("", [same, KeyError("x_y")])]))
    assert told.count("### file.damaged") == 1
    assert "- KeyError: 'x\\_y'" in told
