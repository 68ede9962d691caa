"""YAML with other people's words in it reads back as it was meant."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.propose.findings import Finding
from pz_tsm_core.propose.recipe_text import _meanings
from pz_tsm_core.propose.writing import WIDTH, scalar, written

#: What YAML, comments and terminals make something of; anything that a table can hold.
NASTY = st.sampled_from(["on", "null", "1e3", "~", "", " ", "#", "a: b", "a #b", "- a", "{a: b}",
                         "[", "'", '"', "\\", "\n", "\r\n", "\x00", "\x1b[2J", "\x85", "\u2028",
                         "\ufeff", "%", "!!python", "&a", "*a", "0x1F", "1_000", "12:30:45", "=",
                         "2026-11-20", "y", "No", ".5", ".inf", "---", "...", "\U0010ffff", "é😀"])
TEXT = NASTY | st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
VALUE = st.recursive(
    TEXT | st.integers(-10**20, 10**20) | st.booleans() | st.none()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(VALUE)
def test_a_value_reads_back_wherever_it_stands(value):
    text = scalar(value)
    assert "\n" not in text
    assert yaml.safe_load(f"a: {text}\n") == {"a": value}
    assert yaml.safe_load(f"- {{b: {text}, c: [{text}]}}  # d") == [{"b": value, "c": [value]}]


@given(st.lists(TEXT, min_size=4, max_size=4))
def test_words_in_comments_stay_there(words):
    told = {key: [Finding(key, f"column {word}", check=True)]
            for key, word in zip(("id", "ra", "dec", "z"), words, strict=True)}
    columns = dict(zip(("id", "ra", "dec", "z"), words, strict=True))
    text = written(
        "survey.yaml.jinja", name="mine", label=words[0], rows=3, ordinal=1_000_000,
        columns={role: {"from": name} for role, name in columns.items()}, lists=[],
        findings={**told, "quality": [], "object_class": [], "instrument_type": []},
    )
    content = yaml.safe_load(text)
    assert set(content) == {"schema", "key", "ordinal", "name", "facility", "release", "year",
                            "citation", "columns"}
    assert {role: said["from"] for role, said in content["columns"].items()} == columns
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert all(line.isprintable() for line in comments)


def test_every_choice_of_a_recipe_is_explained():
    """`policies.yaml` has a sentence for every field of the model, and for nothing else."""
    sections = {name: field.annotation.model_fields for name, field in Recipe.model_fields.items()
                if hasattr(field.annotation, "model_fields") and name != "redshifts"}
    expected = {name: {"about", *fields} for name, fields in sections.items()}
    assert {name: set(keys) for name, keys in _meanings().items()} == expected


def test_long_comments_are_divided():
    text = written("survey.yaml.jinja", name="mine", label="word " * 60, rows=3, ordinal=1,
                   columns={}, lists=[], findings={})
    assert max(map(len, text.splitlines())) <= WIDTH
