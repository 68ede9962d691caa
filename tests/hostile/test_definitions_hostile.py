"""Definitions of surveys that somebody made to harm: refused plainly, quickly, and nothing runs."""

from __future__ import annotations

import pytest

from pz_tsm_core.errors import TsmError
from pz_tsm_core.surveys import check_definitions, known_surveys

HEAD = """\
schema: 1
key: evil
ordinal: 1000000
name: n
facility: f
release: r
year: 2026
columns:
  ra: {from: RA, unit: deg}
  dec: {from: DEC, unit: deg}
  z: {from: Z}
quality: {otherwise: 0, source: s}
object_class: {otherwise: unknown, source: s}
instrument_type: {otherwise: s, source: s}
"""
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


def with_rule(rule):
    return HEAD.replace("quality: {otherwise", f"quality: {{rules: [{{when: {rule!r}, then: 1, "
                                               "source: s}], otherwise")


def with_footprint(text):
    return HEAD + f"footprint: {text}\n"


HOSTILE = {
    "runs code": HEAD.replace("name: n", "name: !!python/object/apply:os.system [touch ran]"),
    "names a module": HEAD.replace("name: n", "name: !!python/module:os ''"),
    "unfolds": LAUGHS + HEAD,
    "contains itself": HEAD + "types: &t {RA: *t}\n",
    "nests": HEAD + "doi: " + "[" * 500 + "]" * 500 + "\n",
    "is huge": HEAD + "licence: " + "x" * 2_000_000 + "\n",
    "is no text": b"\xff\xfe\x00schema: 1",
    "is a list": "- schema: 1\n",
    "is nothing": "",
    "repeats a key": HEAD + "key: other\n",
    "leaves its folder": HEAD.replace("key: evil", "key: ../../evil"),
    "hides letters": HEAD.replace("key: evil", "key: \N{CYRILLIC SMALL LETTER IE}vil"),
    "takes a survey's place": HEAD.replace("1000000", "1"),
    "takes a survey's key": HEAD.replace("key: evil", "key: primus"),
    "overflows": HEAD.replace("1000000", "99999999999999999999"),
    "is of another schema": HEAD.replace("schema: 1", "schema: 2"),
    "looks into attributes": with_rule("Z.__class__ == 1"),
    "calls": with_rule("__import__('os').system('touch ran') == 0"),
    "nests brackets": with_rule("(" * 1000 + "Z" + ")" * 1000 + " == 1"),
    "computes a power": with_rule("Z == 10 ** 1000000000"),
    "reads what it does not name": with_rule("SECRET == 1"),
    "lies beyond the pole": with_footprint("{regions: [{cone: [0, 91, 1]}]}"),
    "has no radius": with_footprint("{regions: [{cone: [0, 0, .nan]}]}"),
    "has an endless radius": with_footprint("{regions: [{cone: [0, 0, .inf]}]}"),
    "is upside down": with_footprint("{regions: [{box: [0, 1, 5, -5]}]}"),
    "ranges backwards": with_footprint("{z_range: [2, 1]}"),
    "ranges nowhere": with_footprint("{z_range: [.nan, .nan]}"),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
@pytest.mark.timeout(20)
def test_a_hostile_definition_is_refused_and_nothing_runs(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TsmError) as refused:
        known_surveys(tmp_path)
    assert all(len(str(problem)) < 2_000 for problem in refused.value.problems)
    assert all("\x1b" not in str(problem) for problem in refused.value.problems)
    assert not (tmp_path / "ran").exists()


def test_the_same_definition_without_harm_is_taken(tmp_path):
    (tmp_path / "good.yaml").write_text(HEAD)
    assert "evil" in known_surveys(tmp_path)
    assert [survey.key for survey in check_definitions([tmp_path / "good.yaml"]).values()] == [
        "evil"]


def test_a_folder_that_is_read_leads_nowhere_else(tmp_path):
    """A link to a file that is no definition is told, and its content is not."""
    (tmp_path / "secret").write_text("password-of-somebody")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link.yaml").symlink_to(tmp_path / "secret")
    (tmp_path / "mine" / "folder.yaml").mkdir()
    with pytest.raises(TsmError) as refused:
        known_surveys(tmp_path / "mine")
    assert len(refused.value.problems) == 2
    assert "password" not in str(refused.value)
