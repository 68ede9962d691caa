"""Tables with names and values that mean something to YAML, to terminals or to rules."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pz_tsm_core.cli.inspect import _print
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.inspection import Wish, inspect
from pz_tsm_core.propose import propose_recipe
from pz_tsm_core.recipes import load_recipe, survey_of_entry

NAMES = st.sampled_from(["on", "null", "1e3", "a: b", "a #b", "{x}", "[y", "- z", "'", '"', "\\",
                         "*a", "&a", "!t", "%", "@", "`", "é", "😀", "~x", " ", "and", "with",
                         "a`b", "x" * 3000])
PRINTABLE = st.characters(categories=["L", "M", "N", "P", "S"], include_characters=" ")
NAME = NAMES | st.text(PRINTABLE, min_size=1, max_size=40)
WORD = NAME | st.sampled_from(["a\nb: c", "\x1b[2J", "\x00", "\x85", "\u2028", "\ufeff", ""])
UCDS = {"ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main", "z": "src.redshift",
        "id": "meta.id;meta.main", "class": "src.class"}


def hostile_table(names, words, extra=()):
    """A table of which UCDs alone say what is what, whatever its columns are called."""
    n = 8
    values = {"ra": [10.0 + k for k in range(n)], "dec": [1.0] * n,
              "z": [0.1 * (k + 1) for k in range(n)], "id": [f"{words[k % len(words)]}{k}"
                                                             for k in range(n)],
              "class": ["STAR", "GALAXY"] * (n // 2)}
    fields = [pa.field(name, pa.array(values[role]).type, metadata={"ucd": UCDS[role]})
              for name, role in zip(names, UCDS, strict=True)]
    others = [pa.field(name, pa.string()) for name in extra]
    arrays = [pa.array(values[role]) for role in UCDS]
    return pa.table([*arrays, *[pa.array([words[k % len(words)] for k in range(n)])] * len(extra)],
                    schema=pa.schema([*fields, *others]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                  HealthCheck.too_slow])
@given(names=st.lists(NAME, min_size=7, max_size=7, unique=True),
       words=st.lists(WORD, min_size=1, max_size=3))
def test_whatever_columns_are_called_the_recipe_names_them_and_runs(names, words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    pq.write_table(hostile_table(names[:5], words, names[5:]), folder / "mine.parquet")
    proposal = propose_recipe(folder / "mine.parquet", output=folder / "recipe.yaml")
    proposal.write()
    recipe = load_recipe(folder / "recipe.yaml")  # the survey is checked with its rules
    said = yaml.safe_load(proposal.definition or proposal.recipe)
    if proposal.definition:
        survey = survey_of_entry(recipe.redshifts.surveys[0])
        found = survey.columns.ra.from_, survey.columns.dec.from_, survey.columns.z.from_
        assert said["columns"]["id"] == {"from": names[3]}
    else:  # no rule can name the column of classes
        columns = recipe.redshifts.tables[0].columns
        found = columns["ra"], columns["dec"], columns["z"]
        assert "`" in names[4] or len(names[4]) > 400
    assert found == tuple(names[:3])
    for text in (proposal.recipe, proposal.definition or ""):
        assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("name", ["~mine.parquet", "-x.parquet", "a: b #c.parquet", "[1].parquet",
                                  "é\u202e.parquet", "a\nb.parquet", "null.parquet"])
def test_whatever_the_file_is_called_the_recipe_finds_it(name, tmp_path):
    pq.write_table(hostile_table(["a", "b", "c", "d", "e"], ["w"]), tmp_path / name)
    proposal = propose_recipe(tmp_path / name, output=tmp_path / "recipe.yaml")
    proposal.write()
    [entry] = load_recipe(tmp_path / "recipe.yaml").redshifts.surveys
    assert (tmp_path / name).samefile(entry.file)


def test_thousands_of_columns_are_weighed_and_too_many_are_refused(tmp_path):
    few = hostile_table(["ra", "dec", "z", "id", "class"], ["w"])
    many = {f"flux_{k}": pa.array([1.0] * len(few)) for k in range(10_000)}
    for count, code in ((4_000, None), (10_000, Code.FILE_LIMIT)):
        rows = few
        names = list(many)[:count]
        rows = pa.table([*rows.columns, *(many[name] for name in names)],
                        names=[*rows.column_names, *names])
        file = tmp_path / f"{count}.parquet"
        pq.write_table(rows, file)
        if code is None:
            proposal = propose_recipe(file, output=tmp_path / "recipe.yaml")
            assert yaml.safe_load(proposal.definition)["columns"]["z"]["from"] == "z"
        else:
            with pytest.raises(TsmError) as refused:
                propose_recipe(file, output=tmp_path / "recipe.yaml")
            assert refused.value.codes == (code,)


def test_what_is_shown_of_a_table_moves_no_cursor(tmp_path, capsys):
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    pq.write_table(hostile_table([f"{evil}{k}" for k in range(5)], [evil]), tmp_path / "m.parquet")
    _print(inspect(str(tmp_path / "m.parquet"), lambda: None, Wish()))
    told = capsys.readouterr().out
    assert "owned" in told
    assert not set(evil) & set(told) - set("]0;owned[2J")


def test_a_unit_is_compared_and_never_computed(tmp_path):
    """A parser of units would raise ten to the power of ten thousand millions."""
    rows = hostile_table(["ra", "dec", "z", "id", "class"], ["w"])
    for name in rows.column_names:
        field = rows.schema.field(name).with_metadata({"unit": "10**(10**10) km/s"})
        rows = rows.set_column(rows.schema.get_field_index(name), field, rows[name])
    pq.write_table(rows, tmp_path / "mine.parquet")
    with pytest.raises(TsmError) as refused:
        propose_recipe(tmp_path / "mine.parquet", output=tmp_path / "recipe.yaml")
    assert refused.value.codes == (Code.TABLE_UNIT, Code.TABLE_UNIT)


def test_long_texts_are_no_positions_and_cost_nothing(tmp_path):
    text = ["1" + " " * 200_000 + "x"] * 3
    rows = pa.table({"ra": text, "dec": text, "z": [0.1, 0.2, 0.3]})
    pq.write_table(rows, tmp_path / "mine.parquet")
    with pytest.raises(TsmError) as refused:
        propose_recipe(tmp_path / "mine.parquet", output=tmp_path / "recipe.yaml")
    assert refused.value.codes == (Code.TABLE_MISSING_COLUMN,)


def test_rules_of_a_proposal_never_come_from_the_table(tmp_path):
    """A class column whose words would close a quote is no class column: only known words are."""
    rows = hostile_table(["ra", "dec", "z", "id", "class"], ["w"])
    rows = rows.set_column(4, "class", pa.array(["star') or ('a' == 'a"] * len(rows)))
    pq.write_table(rows, tmp_path / "mine.parquet")
    proposal = propose_recipe(tmp_path / "mine.parquet", output=tmp_path / "recipe.yaml")
    assert proposal.definition is None
