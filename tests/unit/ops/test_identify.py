"""Ids, against the published specification and its test vectors."""

import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.native_columns import SideColumn, SurveyColumns
from pz_tsm_core.ops.identify import Identity, galaxy_ids, identify, row_ids
from pz_tsm_core.ops.native_row import BATCH_ROWS, row_bytes
from pz_tsm_core.ops.standardize import standardize
from pz_tsm_core.surveys import get_survey

SPECIFICATION = Path(__file__).parents[3] / "docs" / "reference" / "ids.md"


def published(heading):
    """Rows of the table below a heading, without their backquotes."""
    section = SPECIFICATION.read_text("utf-8").split(f"### {heading}\n")[1].split("\n#")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip("` ") for cell in row) for row in rows[2:]]


def independent(*parts):
    """The formula of the page, written a second time."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).hexdigest()
    return int(digest, 16) % 2**63


def vandels(ids, zspec=None, alpha=None, zflg=None):
    n = len(ids)
    return pa.table({
        "id": pa.array(ids, pa.string()),
        "alpha": alpha if alpha is not None else np.linspace(1, 2, n),
        "delta": np.linspace(-28, -27, n),
        "zspec": zspec if zspec is not None else np.linspace(1, 2, n),
        "zflg": zflg if zflg is not None else np.full(n, 4.0)})


@pytest.mark.parametrize(("survey", "release", "key", "n", "row_id"), published("row_id"))
def test_published_row_ids_hold(survey, release, key, n, row_id):
    assert independent(survey, release, key, n) == int(row_id)
    identity = type("", (), {"native_key": pa.array([key]), "native_rank": np.array([int(n)])})
    assert row_ids(get_survey(survey), identity).tolist() == [int(row_id)]
    assert get_survey(survey).release == release


@pytest.mark.parametrize(("survey", "key", "n", "galaxy_id"), published("galaxy_id"))
def test_published_galaxy_ids_hold(survey, key, n, galaxy_id):
    assert independent(survey, key, n) == int(galaxy_id)
    table = pa.table({"survey": [survey], "survey_ordinal": [1], "native_key": [key],
                      "native_rank": [int(n)]})
    assert galaxy_ids(table, np.array([0])).tolist() == [int(galaxy_id)]


@pytest.mark.parametrize(("value", "type_", "expected"), published("Bytes of values"))
def test_published_bytes_hold(value, type_, expected):
    text = None if value == "null" else value.replace("␠", " ")
    array = pa.array([text]).cast(type_)
    assert row_bytes(pa.table({"v": array}))[0].as_py().hex() == expected


def spelt(value):
    """Bytes of a value, by the table of the page."""
    if value is None or value != value:
        return b"\0"
    if isinstance(value, bool):
        return b"b" + bytes([value])
    if isinstance(value, str):
        data = value.rstrip(" ").encode()
        return b"s" + struct.pack("<I", len(data)) + data
    if isinstance(value, float) and not (value.is_integer() and abs(value) <= 2**53):
        return b"f" + struct.pack("<d", value)
    if value >= 2**63:
        return b"u" + struct.pack("<Q", value)
    return b"i" + struct.pack("<q", int(value))


@given(st.lists(st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.integers(0, 2**64 - 1),
    st.none() | st.floats(), st.none() | st.booleans(), st.none() | st.text(max_size=9),
), max_size=8), st.integers(0, 3))
def test_the_bytes_of_rows_are_the_specified_ones(rows, offset):
    types = [pa.int64(), pa.uint64(), pa.float64(), pa.bool_(), pa.string()]
    columns = [pa.array([row[place] for row in rows], type_) for place, type_ in enumerate(types)]
    table = pa.table(columns, names=list("abcde")).slice(offset)
    assert row_bytes(table).to_pylist() == [b"".join(map(spelt, row)) for row in rows[offset:]]


def test_bytes_and_ids_of_many_rows_are_those_of_each():
    n = 2 * BATCH_ROWS + 3
    table = pa.table({"a": np.arange(n), "b": np.char.add("x", np.arange(n).astype(str))})
    rows = row_bytes(table)
    identity = Identity(table["b"], table["b"], np.arange(n, dtype=np.int32))
    ids = row_ids(get_survey("vandels"), identity)
    for place in (0, 1, BATCH_ROWS - 1, BATCH_ROWS, 2 * BATCH_ROWS, n - 1):
        assert rows[place].as_py() == spelt(place) + spelt(f"x{place}")
        assert ids[place] == independent("vandels", "DR4", f"x{place}", place)


def test_the_published_row_without_an_id_has_the_published_key():
    text = SPECIFICATION.read_text("utf-8")
    data = bytes.fromhex(re.search(r"its bytes are `([0-9a-f]+)`", text)[1])
    table = pa.table({"zspec": [np.nan], "delta": [-27.75], "id": pa.nulls(1, pa.string()),
                      "zflg": pa.array([4.0], pa.float32()), "alpha": [53.210494],
                      "not read": ["whatever"]})
    survey = get_survey("vandels")
    assert row_bytes(table.select(sorted(survey.native_columns))).to_pylist() == [data]
    key = "row:" + hashlib.blake2b(data, digest_size=16).hexdigest()
    assert identify(table, survey).native_key.to_pylist() == [key]
    assert key in text


def test_ids_are_the_same_whatever_the_type_of_the_column():
    survey = get_survey("6dfgs")
    rows = {"RA_deg": [1.0, 2.0], "DEC_deg": [3.0, 4.0], "Z": [0.1, 0.2], "QUALITY": [4, 3]}
    ids = [pa.array([7, 8], pa.int64()), pa.array([7, 8], pa.uint16()), pa.array([7.0, 8.0]),
           pa.array([" 7", "8  "]), pa.array(["7", "8"]).dictionary_encode(),
           pa.array(["7", "8"], pa.large_string())]
    keys = [identify(pa.table({"SPECID": i, **rows}), survey).native_key.to_pylist() for i in ids]
    assert keys == [["7", "8"]] * len(ids)


@pytest.mark.parametrize("ids", [pa.array([0.5]), pa.array([2.0**60]), pa.array([True]),
                                 pa.array([b"x"]), pa.array([[1]])])
def test_an_id_without_an_exact_text_is_refused(ids):
    table = pa.table({"SPECID": ids, "RA_deg": [1.0], "DEC_deg": [3.0], "Z": [0.1], "QUALITY": [4]})
    with pytest.raises(TsmError) as caught:
        identify(table, get_survey("6dfgs"))
    assert caught.value.codes == (Code.TABLE_COLUMN_TYPE,)


def test_a_row_of_what_has_no_canonical_bytes_is_refused():
    with pytest.raises(TsmError) as caught:
        row_bytes(pa.table({"v": [b"x"]}))
    assert caught.value.codes == (Code.TABLE_COLUMN_TYPE,)


def test_the_bytes_of_a_value_do_not_depend_on_how_its_column_is_stored():
    text, null = pa.array(["a", None]), pa.nulls(2)
    spellings = [text, text.dictionary_encode(), text.cast(pa.large_string()),
                 pa.array(["a ", None])]
    assert {tuple(row_bytes(pa.table({"v": v})).to_pylist()) for v in spellings} == {
        (b"s\x01\0\0\0a", b"\0")}
    assert row_bytes(pa.table({"v": null})).to_pylist() == [b"\0", b"\0"]
    small = pa.array([0.5, None], pa.float16())
    assert row_bytes(pa.table({"v": small})) == row_bytes(pa.table({"v": small.cast(pa.float64())}))
    assert row_bytes(pa.table({"v": text}).slice(0, 0)).to_pylist() == []


def test_an_id_column_without_any_value_leaves_the_row_as_key():
    table = vandels(["A", "B"]).set_column(0, "id", pa.nulls(2))
    assert identify(table, get_survey("vandels")).native_id.to_pylist() == [None, None]


def test_null_and_blank_ids_get_the_key_of_their_row():
    identity = identify(vandels(["A ", None, "  "]), get_survey("vandels"))
    assert identity.native_id.to_pylist() == ["A", None, None]
    keys = identity.native_key.to_pylist()
    assert keys[0] == "A"
    assert all(re.fullmatch("row:[0-9a-f]{32}", key) for key in keys[1:])
    assert keys[1] != keys[2]


def test_a_key_is_null_when_any_of_its_columns_is():
    table = pa.table({"field": ["uds", None], "phot_id": [5, 5]})
    survey = get_survey("3dhst")
    columns = survey.native_columns - {"field", "phot_id"}
    table = pa.table({**dict(zip(table.column_names, table.columns, strict=True)),
                      **{name: [1.0, 2.0] for name in columns}})
    assert identify(table, survey).native_id.to_pylist() == ["uds/5", None]


def test_repeated_ids_are_ranked_by_the_bytes_of_their_rows():
    table = vandels(["A", "B", "A", "A"], zspec=[3.0, 1.0, 2.5, 3.0], alpha=[5.5, 1.5, 5.5, 4.5])
    survey = get_survey("vandels")
    rows = row_bytes(table.select(sorted(survey.native_columns))).to_pylist()
    order = sorted([0, 2, 3], key=lambda i: rows[i])
    expected = [0, 0, 0, 0]
    for rank, row in enumerate(order):
        expected[row] = rank
    assert identify(table, survey).native_rank.tolist() == expected


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["A", "B", None, ""]), st.sampled_from([0.5, 1.0])),
                     min_size=1, max_size=12), seed=st.integers(0, 99))
def test_no_id_depends_on_the_order_of_rows(rows, seed):
    survey = get_survey("vandels")
    table = vandels([row[0] for row in rows], zspec=[row[1] for row in rows],
                    alpha=[1.0] * len(rows))
    table = table.set_column(2, "delta", pa.array([2.0] * len(rows)))  # many rows are equal
    shuffled = table.take(pa.array(np.random.default_rng(seed).permutation(len(table))))
    measured = standardize(table, survey).table
    assert measured.equals(standardize(shuffled, survey).table)
    assert len(pc.unique(measured["row_id"])) == len(rows)


@settings(max_examples=50, deadline=None)
@given(ids=st.lists(st.sampled_from(["A", "B", None]), min_size=1, max_size=8),
       named=st.sets(st.sampled_from(["pos_err", "snr"])), data=st.data())
def test_no_id_changes_when_a_definition_learns_of_numbers_beside(ids, named, data):
    survey = get_survey("vandels")
    columns = survey.columns.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    columns |= {name: {"from": f"my {name}"} for name in named}
    learned = survey.model_copy(update={"columns": SurveyColumns.model_validate(columns)})
    table = vandels(ids, zspec=[1.0] * len(ids), alpha=[1.0] * len(ids))
    values = st.lists(st.floats(), min_size=len(ids), max_size=len(ids))
    for name in sorted(named):
        table = table.append_column(f"my {name}", pa.array(data.draw(values)))
    assert learned.native_columns == survey.native_columns | {f"my {name}" for name in named}
    before, after = standardize(table, survey).table, standardize(table, learned).table
    known = ["row_id", "native_key", "native_rank", "z"]
    assert after.select(known).equals(before.select(known))


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["A", "B", None]),
                               st.sampled_from([1.0, 2.0, None])), min_size=1, max_size=9),
       seed=st.integers(0, 99))
def test_rows_that_differ_only_in_numbers_beside_are_ranked_whatever_their_order(rows, seed):
    survey = get_survey("vandels")
    columns = survey.columns.model_copy(update={"snr": SideColumn.model_validate({"from": "sn"})})
    learned = survey.model_copy(update={"columns": columns})
    ids, snr = zip(*rows, strict=True)
    table = vandels(list(ids), zspec=[1.0] * len(rows), alpha=[1.0] * len(rows))
    table = table.set_column(2, "delta", pa.array([2.0] * len(rows)))
    table = table.append_column("sn", pa.array(snr, pa.float64()))
    shuffled = table.take(pa.array(np.random.default_rng(seed).permutation(len(table))))
    measured = standardize(table, learned).table
    assert measured.equals(standardize(shuffled, learned).table)
    assert set(measured["row_id"].to_pylist()) == set(
        standardize(table, survey).table["row_id"].to_pylist())


def test_a_number_beside_that_rules_read_as_well_is_part_of_the_row():
    columns = get_survey("vandels").columns
    both = columns.model_copy(update={"snr": SideColumn.model_validate({"from": "sn"})})
    assert both.identity == columns.identity
    both = both.model_copy(update={"others": ("sn",)})
    assert both.identity == columns.identity | {"sn"}


def test_a_survey_without_declared_ids_is_keyed_by_its_rows():
    survey = get_survey("vandels")
    bare = survey.model_copy(update={"columns": survey.columns.model_copy(update={"id": None})})
    table = vandels(["A", "B"], alpha=[1.0, 1.0])
    identity = identify(table, bare)
    assert identity.native_id.to_pylist() == [None, None]
    assert len(set(identity.native_key.to_pylist())) == 2


def test_a_galaxy_is_named_by_its_smallest_member_whatever_the_order():
    members = pa.table({
        "survey": ["b", "a", "b", "a", "a", "c"],
        "survey_ordinal": [2, 1, 2, 1, 1, 3],
        "native_key": ["1", "z", "9", "y", "y", "1"],
        "native_rank": [0, 0, 0, 1, 0, 0]})
    group = np.array([7, 7, 3, 7, 7, 9])
    one, two, three = independent("a", "y", 0), independent("b", "9", 0), independent("c", "1", 0)
    expected = np.array([one, one, two, one, one, three])
    np.testing.assert_array_equal(galaxy_ids(members, group), expected)
    order = np.array([4, 2, 0, 5, 3, 1])
    np.testing.assert_array_equal(
        galaxy_ids(members.take(pa.array(order)), 100 - group[order]), expected[order])
    assert galaxy_ids(members.slice(0, 0), group[:0]).tolist() == []


def test_two_galaxies_of_one_name_are_refused():
    table = pa.table({"survey": ["a", "a"], "survey_ordinal": [1, 1], "native_key": ["1", "1"],
                      "native_rank": [0, 0]})
    with pytest.raises(TsmError) as caught:
        galaxy_ids(table, np.array([0, 1]))
    assert caught.value.codes == (Code.ID_COLLISION,)
