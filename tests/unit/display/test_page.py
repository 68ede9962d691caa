"""A page says the same as text, HTML, JSON and pandas, and nothing in it is markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from pz_tsm_core.display.page import Grid, Page, aligned, told

EVIL = "<script>alert(1)</script>"
PAGE = Page(
    f"title {EVIL}", {"nothing": None, "empty": "", "list": ["a", EVIL], "number": 2},
    {"one": Grid("first & last", ("name", "rows"), (("x\x1b[2J", 1234), (EVIL, None)),
                 frozenset({"rows"})), "two": Grid("", ("a",), ())})


class Reader(HTMLParser):
    """Tags, attributes and texts of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


def test_what_others_wrote_is_text_in_a_notebook():
    html = Reader(PAGE._repr_html_())
    assert html.open == []  # every tag is closed
    assert {tag for tag, _ in html.tags} <= {
        "div", "h3", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert not [name for _, attrs in html.tags for name in attrs if name.startswith("on")]
    assert f"title {EVIL}" in html.texts
    assert f"a, {EVIL}" in html.texts
    assert "x\\x1b[2J" in html.texts


def test_text_and_html_hold_the_same_cells():
    text, html = str(PAGE), Reader(PAGE._repr_html_()).texts
    for cell in ("x\\x1b[2J", EVIL, "1,234", "first & last", "name", "rows", "2"):
        assert cell in text
        assert cell in html
    assert "\x1b" not in text
    assert "nothing" not in text


def test_json_and_pandas_keep_types():
    said = json.loads(json.dumps(PAGE.to_json(), allow_nan=False))
    assert said["one"] == [{"name": "x\x1b[2J", "rows": 1234}, {"name": EVIL, "rows": None}]
    assert said["number"] == 2
    frame = PAGE.to_pandas()
    assert frame["rows"].tolist()[0] == 1234
    assert PAGE.to_pandas("two").columns.tolist() == ["a"]


@pytest.mark.parametrize(("cell", "counted", "text"), [
    (2025, False, "2025"), (245591, True, "245,591"), (0.1, True, "0.1"),
    (1 / 3, False, "0.333333"), (None, True, ""), (True, False, "yes"), (0, True, "0"),
    (["a", "b"], False, "a, b"),
])
def test_cells_are_told_as_people_write_them(cell, counted, text):
    assert told(cell, counted) == text


def test_columns_are_aligned():
    assert list(aligned(("a", "n"), [("long", "1"), ("b", "20")], {"n"})) == [
        "a      n", "long   1", "b     20"]
