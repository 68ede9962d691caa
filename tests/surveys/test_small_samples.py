"""One small table a survey, made by hand in its native columns, and its complete result beside it.

`samples/KEY.csv` has at least one row for every rule (as the one that decides), for every sentinel
and for every `otherwise` that can happen; `samples/KEY.expected.csv` says in the same order what
becomes of each row, or why it leaves. A new survey needs its definition and these two files.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import open_store
from pz_tsm_core.surveys import get_survey, load_survey, survey_keys, survey_rules

SAMPLES = Path(__file__).with_name("samples")
TYPES = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "bool": pa.bool_()}
NUMBERS = ("ra", "dec", "z", "z_err")
VALUES = ("native_id", *NUMBERS, "quality", "object_class", "instrument_type", "native_flag")
EXPECTED = {"leaves": "text", **dict.fromkeys(VALUES, "text"), **dict.fromkeys(NUMBERS, "float"),
            "quality": "int"}


def read(path, types):
    """A table of CSV in the types given; an empty cell is null, an empty text in quotes is one."""
    return pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(
        column_types={name: TYPES[type_] for name, type_ in types.items()}, null_values=[""],
        strings_can_be_null=True, quoted_strings_can_be_null=False))


def sample_of(survey, folder=SAMPLES):
    """Native rows of a survey, and what is expected of each."""
    native = read(folder / f"{survey.key}.csv", survey.types)
    expected = read(folder / f"{survey.key}.expected.csv", EXPECTED)
    assert set(native.column_names) == survey.native_columns
    assert set(expected.column_names) == set(EXPECTED)
    return native, expected.to_pylist()


def becomes(native, survey):
    """What a table of one row becomes, in the form of a line of the expected file."""
    done = standardize(native, survey, bad_positions="drop")
    nothing = dict.fromkeys(EXPECTED)
    if not len(done.table):
        return {**nothing, "leaves": next(why for why, n in done.rows.dropped.items() if n)}
    return {**nothing, **done.table.select(list(VALUES)).to_pylist()[0]}


def differences(survey, folder=SAMPLES):
    """Rows of a sample that become something else than expected, with both."""
    native, expected = sample_of(survey, folder)
    found = [becomes(native.slice(row, 1), survey) for row in range(len(native))]
    assert len(found) == len(expected)
    return [(row, ours, said) for row, (ours, said) in enumerate(zip(found, expected, strict=True))
            if any(ours[name] != (pytest.approx(said[name], abs=1e-7) if name in NUMBERS
                                  and said[name] is not None else said[name]) for name in EXPECTED)]


def idle_lines(survey, folder=SAMPLES):
    """Lines of a definition, `otherwise` among them, that decide no row of the sample."""
    native, _ = sample_of(survey, folder)
    hits = standardize(native, survey, bad_positions="drop").rule_hits
    return [label for label, rows in hits.items() if not rows]


def missing_sentinels(survey, folder=SAMPLES):
    """Sentinels of a definition that stand in no row of the sample."""
    native, _ = sample_of(survey, folder)
    missing = []
    for name in ("z", "z_err"):
        column = getattr(survey.columns, name)
        formula = survey_rules(survey).formulas.get(name)
        held = {value for native_name in (column.natives if column else ())
                for value in native[native_name].to_pylist()}
        held |= set(formula.numbers(native).to_pylist()) if formula else set()
        known = held | {float(value) for value in held if isinstance(value, str) and value.strip()
                        .lstrip("+-").replace(".", "", 1).isdigit()}
        missing += [(name, null) for null in (column.nulls if column else ()) if null not in known]
    return missing


def test_every_survey_has_a_sample_and_every_sample_a_survey():
    files = {path.name for path in SAMPLES.iterdir()}
    assert files == {f"{key}{end}" for key in survey_keys() for end in (".csv", ".expected.csv")}


@pytest.mark.parametrize("key", survey_keys())
def test_every_row_becomes_what_the_documents_of_its_survey_say(key):
    assert differences(get_survey(key)) == []


@pytest.mark.parametrize("key", survey_keys())
def test_all_rows_together_become_what_they_become_alone(key):
    survey = get_survey(key)
    native, expected = sample_of(survey)
    done = standardize(native, survey, bad_positions="drop")
    left = Counter(row["leaves"] for row in expected if row["leaves"])
    assert {reason: n for reason, n in done.rows.dropped.items() if n} == left
    kept = [tuple(row[name] for name in VALUES if name not in NUMBERS)
            for row in expected if not row["leaves"]]
    rows = done.table.to_pylist()
    assert Counter(tuple(row[name] for name in VALUES if name not in NUMBERS)
                   for row in rows) == Counter(kept)
    assert {(row["survey"], row["survey_ordinal"], row["release"]) for row in rows} == {
        (survey.key, survey.ordinal, survey.release)}


@pytest.mark.parametrize("key", survey_keys())
def test_every_line_of_a_definition_decides_some_row(key):
    assert idle_lines(get_survey(key)) == []


@pytest.mark.parametrize("key", survey_keys())
def test_every_sentinel_stands_in_some_row(key):
    assert missing_sentinels(get_survey(key)) == []


def test_a_file_in_single_precision_knows_its_sentinels():
    """VANDELS gives redshifts and flags as float32: 9.9999 is there the nearest float32 to it."""
    survey = get_survey("vandels")
    native, expected = sample_of(survey)
    single = native.cast(pa.schema([
        (field.name, pa.float32() if field.name in ("zspec", "zflg") else field.type)
        for field in native.schema]))
    assert float(single["zspec"][5].as_py()) != native["zspec"][5].as_py()
    done = standardize(single, survey)
    assert done.rows.dropped["no_redshift"] == 1
    flags = [row["native_flag"] for row in expected if not row["leaves"]]
    assert sorted(done.table["native_flag"].to_pylist()) == sorted(flags)


# A survey that the registry does not have: sexagesimal positions, velocities, letters, two ids.
DEFINITION = """\
schema: 1
key: plates
ordinal: 1000001
name: A survey of plates
facility: a refractor
release: final
year: 1975
types: {plate: int, number: int, RA: text, DE: text, cz: float, e_cz: int, grade: text}
columns:
  id: {from: [plate, number]}
  ra: {from: RA, unit: hms}
  dec: {from: DE, unit: dms}
  z: {from: cz, unit: km/s, nulls: [-9999], valid: [-0.01, 1]}
  z_err: {from: e_cz, unit: km/s, nulls: [0], valid: [0, 0.1]}
  native_flag: {from: grade}
quality:
  rules:
    - {when: strip(grade) == 'a', then: 3, source: the paper}
    - {when: strip(grade) == 'b', then: 1, source: the paper}
  otherwise: 0
  source: the paper
object_class:
  rules:
    - {when: abs(cz) < 600, then: star, source: the paper}
  otherwise: galaxy
  source: the paper
instrument_type: {otherwise: s, source: the paper}
"""
# The speed of light is 299792.458 km/s.
NATIVE = """\
plate,number,RA,DE,cz,e_cz,grade
1,1,02 33 36,-05 15 00,29979.2458,300,a
1,2,23 59 24,+00 30 00,299.792458,0,"b "
2,1,02 33 36,-05 15 00,-9999,0,a
2,2,00 00 36,-00 00 36,59958.4916,30,c
"""
RESULT = """\
leaves,native_id,ra,dec,z,z_err,quality,object_class,instrument_type,native_flag
,1/1,38.4,-5.25,0.1,0.0010006923,3,galaxy,s,a
,1/2,359.85,0.5,0.001,,1,star,s,b
no_redshift,,,,,,,,,
,2/2,0.15,-0.01,0.2,0.0001000692,0,galaxy,s,c
"""


@pytest.fixture
def own(tmp_path):
    """A definition and its sample, in a folder of somebody's own."""
    for name, text in (("yaml", DEFINITION), ("csv", NATIVE), ("expected.csv", RESULT)):
        (tmp_path / f"plates.{name}").write_text(text, "utf-8")
    return tmp_path


def test_a_new_survey_is_a_definition_and_a_sample(own):
    survey = load_survey(own / "plates.yaml")
    assert differences(survey, own) == []
    assert idle_lines(survey, own) == []
    assert missing_sentinels(survey, own) == []


def test_a_sample_that_leaves_something_out_is_found_out(own):
    """The checks above can fail: a rule, a sentinel or a value that no row tries is told."""
    few = "".join(NATIVE.splitlines(keepends=True)[i] for i in (0, 1, 4))
    (own / "plates.csv").write_text(few, "utf-8")
    wrong = "".join(RESULT.splitlines(keepends=True)[i] for i in (0, 1, 2))
    (own / "plates.expected.csv").write_text(wrong, "utf-8")
    survey = load_survey(own / "plates.yaml")
    idle = ["quality: strip(grade) == 'b'", "object_class: abs(cz) < 600"]
    assert idle_lines(survey, own) == idle
    assert missing_sentinels(survey, own) == [("z", -9999.0), ("z_err", 0.0)]
    assert [row for row, *_ in differences(survey, own)] == [1]


def test_a_recipe_runs_a_new_survey_by_its_definition(own, run, tmp_path):
    (own / "recipe.yaml").write_text(
        "schema: 1\nname: new\nredshifts:\n  surveys:\n"
        "    - {definition: plates.yaml, file: plates.csv}\noutput: {directory: out}\n", "utf-8")
    done = run(load_recipe(own / "recipe.yaml"), open_store(tmp_path / "store"))
    survey = load_survey(own / "plates.yaml")
    _, expected = sample_of(survey, own)
    names = ("native_id", "quality", "object_class")
    found = done.table("standardize plates", "measurements").to_pylist()
    assert {tuple(row[name] for name in names) for row in found} == {
        tuple(row[name] for name in names) for row in expected if not row["leaves"]}
    assert done.manifests["standardize plates"].rows.dropped["no_redshift"] == 1
