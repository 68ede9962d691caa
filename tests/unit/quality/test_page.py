"""The page: all that is found stands in it, and nothing that it was not given."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from pz_tsm_core.model.artifact import Access, FileEntry
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.quality.page import render
from pz_tsm_core.quality.rules import Hit, SurveyRules

EVIL = '<script>alert(1)</script>"\'&'
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Reader(HTMLParser):
    """Elements, text and addresses of a page; complains of what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append(tag)
        found = dict(attributes)
        self.addresses += [found[name] for name in ("src", "href", "xlink:href", "action", "data")
                           if name in found]
        self.ids += [found["id"]] if "id" in found else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def read(report):
    return lambda *arguments, **other: Reader(render(report(*arguments, **other)))


@pytest.mark.parametrize("rows", [0, 1, 300])
@pytest.mark.parametrize("matched", [True, False])
def test_a_page_is_whole_whatever_the_rows(read, rows, matched) -> None:
    page = read(rows, matched=matched)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert page.tags.count("h1") == 1
    assert page.tags.count("svg") == page.tags.count("figure") >= 3
    inner = {address[1:] for address in page.addresses if address.startswith("#")}
    assert inner <= set(page.ids)  # no dead entry in the contents
    photometry = {"magnitudes", "match"} & set(page.ids)
    assert photometry == ({"magnitudes", "match"} if matched else set())


def test_the_verdict_comes_first_and_says_what_to_do(read, report, found) -> None:
    told = found()
    leaking = replace(told, training_set=replace(told.training_set))
    leaking.training_set.galaxy_sides.add(*sides([1, 1], ["train", "test"]))
    from pz_tsm_core.quality.page import checks_of

    text = read(found=leaking, checks=checks_of(leaking)).text
    assert "Do not use" in text
    assert text.index("Do not use") < text.index("Recipe What was asked for")
    assert "Fails: Galaxies on more than one part: 1." in text
    assert "this is a mistake of the program" in text


def sides(ids, parts):
    import numpy as np
    import pyarrow as pa

    from pz_tsm_core.quality.tally import Labels

    return np.array(ids), Labels.of(pa.array(parts))


def test_nothing_is_fetched_and_nothing_can_run(report) -> None:
    text = render(report())
    page = Reader(text)
    assert {address.split(":")[0] for address in page.addresses if ":" in address} <= {"data"}
    assert not {"script", "iframe", "link", "object", "embed", "base", "form"} & set(page.tags)
    assert "default-src 'none'" in unescape(text)
    assert "@import" not in text
    assert "url(" not in text.replace("url(#", "")


def test_names_of_others_are_text(report, found) -> None:
    rules = SurveyRules("survey_0", 5, 4, (Hit("quality", EVIL, 4), Hit("quality", "otherwise", 0)))
    hostile = report(
        title=EVIL, recipe={"schema": 1, "name": EVIL}, names={"survey_0": EVIL},
        files=(FileEntry(path=f"{EVIL}.parquet", size=1, sha256="0" * 64),
               FileEntry(path="javascript:alert(1)", size=1, sha256="0" * 64)),
        cited=(Cited(kind="survey", key="x", name=EVIL, acknowledgement=EVIL, bibcodes=(EVIL,),
                     rows=1),),
        found=replace(found(), rules=[rules]), access=Access(kind="private", name=EVIL),
        software=EVIL,
    )
    text = render(hostile)
    page = Reader(text)
    assert page.open == []
    assert "<script" not in text
    assert "script" not in page.tags
    assert text.count("&lt;script&gt;") >= 10
    assert "./%3Cscript%3Ealert%281%29%3C/" in page.addresses  # a slash makes it a folder
    assert not any(address.lower().startswith("javascript") for address in page.addresses)


def test_equal_reports_are_equal_pages(report) -> None:
    assert render(report()) == render(report())


def test_a_page_tells_who_may_see_it_unless_all_may(read) -> None:
    assert "private:me" in read(access=Access(kind="private", name="me")).text
    assert "public" not in read().text


def test_numbers_have_thousands_separators(read, found) -> None:
    text = read(files=(FileEntry(path="big.parquet", size=1_234_567, sha256="0" * 64),)).text
    assert "1.2 MB" in text
    assert "1,234,567" not in text
    assert "of 1,100 " in read(found=replace(found(), rules=[SurveyRules("x", 1100, 9, ())])).text


def test_a_folder_is_one_link(read) -> None:
    files = [FileEntry(path=f"galaxies_hats/Npix={n}.parquet", size=500, sha256="0" * 64)
             for n in range(3)]
    page = read(files=files)
    assert page.addresses.count("./galaxies_hats/") == 1
    assert "1.5 kB in 3 files" in page.text


def test_a_rule_that_never_fired_is_said_to_be_one(read, found) -> None:
    rules = SurveyRules("survey_0", 1_100, 1_000, (
        Hit("quality", "flag == 4", 600), Hit("quality", "flag == 1", 0),
        Hit("quality", "otherwise", 400)))
    text = read(found=replace(found(), rules=[rules])).text
    assert "1,000 of 1,100 native rows; 1 rule never fired; " in text
    assert "no rule for the quality of 40.00 %" in text
    assert "flag == 1 0 never" in text
