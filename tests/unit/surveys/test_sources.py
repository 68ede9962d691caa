"""What a definition says of where its catalogue is published."""

from __future__ import annotations

import pytest

from pz_tsm_core.errors import TsmError
from pz_tsm_core.surveys import parse_survey

DEFINITION = """\
schema: 1
key: mine
ordinal: 1000000
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


def survey(*sources):
    return parse_survey(DEFINITION.format(sources=list(sources)), "mine.yaml")


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
