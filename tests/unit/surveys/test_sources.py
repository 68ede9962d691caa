"""What a definition says of where its catalogue is published."""

from __future__ import annotations

from typing import get_args

import pytest

from pz_tsm_core.display.sources import check_published
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.survey import Source
from pz_tsm_core.sources import SERVICES
from pz_tsm_core.surveys import parse_survey
from pz_tsm_core.surveys.sources_check import check_sources

DEFINITION = """\
schema: 1
key: mine
ordinal: {ordinal}
name: Mine
facility: me
release: R1
year: 2026
sources: {sources}
columns:
  ra: {{from: RA, unit: deg}}
  dec: {{from: DEC, unit: deg}}
  z: {{from: Z}}
quality: {{otherwise: 4, source: me}}
object_class: {{otherwise: unknown, source: me}}
instrument_type: {{otherwise: s, source: me}}
"""


def survey(*sources, ordinal=1):
    text = DEFINITION.format(sources=list(sources), ordinal=ordinal)
    return parse_survey(text, "mine.yaml")


def table(name, part="", service="vizier"):
    return {"service": service, "table": name, "part": part}


@pytest.mark.parametrize("sources", [
    [table("J/A+A/1/1/a", "a"), table("J/A+A/1/1/b", "b")],
    [table("J/A+A/1/1/a"), table("J/A+A/1/1/b")],
    [table("J/A+A/1/1/a", "a"), table("J/A+A/1/1/b", "b"), table("whole", service="tap")],
])
def test_a_service_gives_a_catalogue_in_parts_or_in_copies(sources):
    assert [each.part for each in survey(*sources).sources] == [each["part"] for each in sources]


@pytest.mark.parametrize("sources", [
    [table("J/A+A/1/1/a", "a"), table("J/A+A/1/1/b")],
    [table("J/A+A/1/1/a", "a"), table("J/A+A/1/1/b", "a")],
    [table("J/A+A/1/1/a", "a"), table("J/A+A/1/1/b", "b"), table("J/A+A/1/1")],
])
def test_parts_without_names_or_with_one_name_are_refused(sources):
    with pytest.raises(TsmError, match="a `part` of its own for every source of vizier"):
        survey(*sources)


def test_no_result_depends_on_where_a_catalogue_is_published():
    there = survey(table("J/A+A/1/1/a", "a"), table("J/A+A/1/1/b", "b"))
    assert there.digest == survey({"service": "sdss", "table": "t", "release": "17"}).digest


def test_services_are_named_once_and_pages_are_none():
    page = {"service": "page", "url": "https://example.org/"}
    assert survey(page).services == ()
    assert survey(page, table("t", service="tap"), table("J/A+A/1/1/a", "a"),
                  table("J/A+A/1/1/b", "b")).services == ("tap", "vizier")


def on(service, **said):
    return {"service": service, **said}


TAP = "https://example.org/tap"
JOIN = "one AS a JOIN schema.two AS b ON a.id = b.id"


@pytest.mark.parametrize("source", [
    on("vizier", table="VII/250/2dfgrs"), on("vizier", table="J/A+A/647/A150/cdfs"),
    on("vizier", table="J/other/NewA/7.155/table1"), on("vizier", table="B/sb9/main"),
    on("vizier", table="II/377/master"), on("tap", url=TAP, table="desi_edr.zpix"),
    on("tap", url=TAP, table="VII/250/2dfgrs"), on("tap", url=TAP, table='"VII/250/2dfgrs"'),
    on("tap", url=TAP, table=JOIN),
    on("sdss", table="SpecObjAll", release="17"), on("gama", table="SpecObj"),
    on("ned", table="query_region"), on("https", url="https://example.org/a/b.fits.gz"),
    on("https", url="https://example.org/get?name=b.csv"), on("s3", url="s3://bucket/a/b.parquet"),
    on("hats", url="s3://bucket/a"), on("hats", url="https://example.org/hats"),
    on("file", url="/data/mine.fits"), on("page", url="http://example.org/~me/#here"),
])
def test_a_source_that_can_be_asked_has_no_mistakes(source):
    assert list(check_sources(survey(source), lambda name: "b." in name)) == []


@pytest.mark.parametrize(("source", "where", "told"), [
    (on("vizier", table="J/A+A/647/A150"), "table", "full name"),
    (on("vizier", table="cdfs"), "table", "full name"),
    (on("vizier", url="https://vizier.cds.unistra.fr/"), "table", "full name"),
    (on("vizier", table="VII/250/2dfgrs&-out=*"), "table", "full name"),
    (on("tap", url=TAP, table="zpix; DROP TABLE zpix"), "table", "a table"),
    (on("tap", url=TAP, table="one JOIN two"), "table", "a table"),
    (on("tap", url=TAP, table="(SELECT 1) AS a"), "table", "a table"),
    (on("tap", table="desi_edr.zpix"), "url", "https://"),
    (on("tap", url=TAP, table=f"{JOIN} WHERE 1 = 1"), "table", "a table"),
    (on("sdss", table="SpecObjAll"), "release", "17"),
    (on("sdss", table="a b", release="17"), "table", "letters"),
    (on("https", table="a"), "url", "https://"),
    (on("https", url="ftp://example.org/b.fits"), "url", "https://"),
    (on("https", url="https://example.org/b"), "url", "ending"),
    (on("https", url="https://example.org/b.tgz"), "url", "ending"),
    (on("s3", url="s3://bucket"), "url", "key"),
    (on("s3", url="https://bucket/b.fits"), "url", "s3://"),
    (on("hats", url="/data/hats"), "url", "s3://"), (on("page", table="a"), "url", "https://"),
    (on("page", url="https://example.org/", columns={"Z": "z"}), "", "leave them out"),
    (on("page", url="https://example.org/", part="a"), "", "leave them out"),
    (on("page", url="https://me:secret@example.org/"), "url", "secret"),
    (on("https", url="https://example.org/b.fits?X-Amz-Signature=1"), "url", "secret"),
    (on("page", url="https://127.0.0.1/"), "url", "everybody"),
    (on("page", url="https://[fd00::1]/"), "url", "everybody"),
    (on("page", url="https://10.1.2.3/"), "url", "everybody"),
    (on("page", url="https://localhost/"), "url", "everybody"),
    (on("page", url="https://archive.internal/"), "url", "everybody"),
    (on("page", url="https:///a"), "url", "everybody"),
    (on("page", url="https://[1"), "url", "an address"),
    (on("gama", table="SpecObj", columns={"z": "Z"}), "columns", "DEC, RA, Z"),
    (on("gama", table="SpecObj", columns={"Z": "RA"}), "columns", "of its own"),
])
def test_mistakes_of_a_source_are_told_with_their_place(source, where, told):
    problems = list(check_sources(survey(source), lambda name: name.endswith(".fits")))
    text = "\n".join(map(str, problems))
    assert problems
    assert all(each.code is Code.SURVEY_INVALID for each in problems)
    assert f"mine: sources.0{'.' if where else ''}{where}" in [each.where for each in problems]
    assert told in text
    assert "secret@" not in text


def test_a_secret_is_not_repeated_in_its_refusal():
    for service in ("page", "https", "s3"):
        source = on(service, url="https://me:s3cr3t@127.0.0.1/?token=s3cr3t")
        problems = list(check_sources(survey(source), lambda _: False))
        assert len(problems) > 1
        assert "s3cr3t" not in "\n".join(map(str, problems))


def test_an_archive_of_ones_own_may_be_in_ones_own_house():
    mine = on("https", url="https://archive.lan/b.fits")
    assert list(check_sources(survey(mine, ordinal=1_000_000))) == []
    assert len(list(check_sources(survey(mine)))) == 1


def test_files_are_known_by_the_endings_that_readers_know(tmp_path):
    for name, fault in [("b.fits", False), ("b.csv.gz", False), ("B.FITS.bz2", False),
                        ("b.ecsv", False), ("b.dat", True), ("b.fits.tgz", True), ("b.gz", True)]:
        path = tmp_path / "mine.yaml"
        source = on("https", url=f"https://example.org/{name}")
        path.write_text(DEFINITION.format(sources=[source], ordinal=1_000_000))
        if fault:
            with pytest.raises(TsmError, match="ending"):
                check_published(path)
        else:
            assert check_published(path).to_pandas().state.tolist() == ["not asked"]


def test_mistakes_of_all_sources_of_all_definitions_come_together(tmp_path):
    for key in ("one", "two"):
        text = DEFINITION.format(ordinal=1_000_000, sources=[
            on("page", url="x"), on("vizier", table="x"), on("sdss", table="t")])
        (tmp_path / f"{key}.yaml").write_text(text.replace("key: mine", f"key: {key}"))
    with pytest.raises(TsmError) as refused:
        check_published(*sorted(tmp_path.glob("*.yaml")))
    assert [each.where for each in refused.value.problems] == [
        f"{key}: {where}" for key in ("one", "two")
        for where in ("sources.0.url", "sources.1.table", "sources.2.release")]


def test_definitions_can_name_every_service_and_pages_and_nothing_else():
    named = set(get_args(Source.model_fields["service"].annotation))
    assert named == {*SERVICES, "page"}
    for name in named:  # each has its check
        list(check_sources(survey(on(name, url="https://example.org/"))))
