"""The digest of tables against its written specification, in plain Python, and its promises."""

import hashlib
import json
import math
import struct

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings

from pz_tsm_core.store import TableDigest, table_digest

MASK = (1 << 64) - 1

# Published in docs/adr/003: implementations in other languages may test against them.
VECTORS = [
    (pa.table({"objectId": [1, 2, 3], "z": [0.1, None, 0.3]}),
     "46613bb1b8081d9c86d490afc2b86f33"),
    (pa.table({"survey": ["VVDS", "", None, "zCOSMOS-bright"]}),
     "69e760f3c28298a2ab24cc063d5a3461"),
    (pa.table({"x": pa.array([0.0, -0.0, math.nan, None], pa.float32())}),
     "86a4477b11828f9b0efd2ae08f503e02"),
    (pa.table({"flags": [[1, 2], [], None, [3, None]]}),
     "1632dc2a0754136168a4f2cc964981ec"),
]


# --- the specification in pz_tsm_core/store/digest.py, word by word -------------------------------
def mix_0(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def mix_1(x):
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCD & MASK
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53 & MASK
    return x ^ (x >> 33)


MIXES = (mix_0, mix_1)


def salt(text):
    return struct.unpack("<4Q", hashlib.sha256(text.encode()).digest())


def fold(lane, pieces, length):
    golden = 0x9E3779B97F4A7C15
    terms = (MIXES[lane]((piece + i * golden) & MASK) for i, piece in enumerate(pieces, start=1))
    return (length + sum(terms)) & MASK


def word(value, kind, lane):
    if isinstance(value, bool | int):
        return int(value) & MASK
    if isinstance(value, float):
        code, nan = {"float": ("<f", 0x7FC00000), "double": ("<d", 0x7FF8 << 48)}[kind]
        if math.isnan(value):
            return nan
        return int.from_bytes(struct.pack(code, 0.0 if value == 0 else value), "little")
    if isinstance(value, list):
        inner = kind[len("list<"):-1]
        return fold(lane, [cell(v, inner, salt("pz-tsm element"), lane) for v in value], len(value))
    octets = value.encode() if isinstance(value, str) else value
    padded = octets + bytes(-len(octets) % 8)
    pieces = [int.from_bytes(padded[i : i + 8], "little") for i in range(0, len(padded), 8)]
    return fold(lane, pieces, len(octets))


def cell(value, kind, salts, lane):
    if value is None:
        return salts[2 + lane]
    return MIXES[lane]((word(value, kind, lane) + salts[lane]) & MASK)


def specified_digest(columns, rows):
    """`columns`: [name, logical type]; `rows`: tuples of plain Python values."""
    sums = []
    for lane in (0, 1):
        total = 0
        for row in rows:
            cells = (cell(value, kind, salt(f"pz-tsm column {i}"), lane)
                     for i, (value, (_, kind)) in enumerate(zip(row, columns, strict=True)))
            total += MIXES[lane](sum(cells) & MASK)
        sums.append(f"{total & MASK:016x}")
    said = {"format": 1, "columns": columns, "rows": len(rows), "sums": sums}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# --- tables to try --------------------------------------------------------------------------------
VALUES = {
    pa.int64(): ("int64", st.integers(-(2**63), 2**63 - 1)),
    pa.int8(): ("int8", st.integers(-128, 127)),
    pa.uint64(): ("uint64", st.integers(0, 2**64 - 1)),
    pa.bool_(): ("bool", st.booleans()),
    pa.float64(): ("double", st.floats()),
    pa.float32(): ("float", st.floats(width=32)),
    pa.string(): ("string", st.text(max_size=20)),
    pa.large_binary(): ("binary", st.binary(max_size=20)),
    pa.list_(pa.int32()): (
        "list<int32>", st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=4)),
    pa.list_(pa.string()): ("list<string>", st.lists(st.none() | st.text(max_size=9), max_size=3)),
}


@st.composite
def tables(draw, min_rows=0):
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    values = st.tuples(*(st.none() | VALUES[kind][1] for kind in kinds))
    rows = draw(st.lists(values, min_size=min_rows, max_size=12))
    columns = [[f"c{i}", VALUES[kind][0]] for i, kind in enumerate(kinds)]
    schema = pa.schema([(f"c{i}", kind) for i, kind in enumerate(kinds)])
    arrays = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)]
    return columns, rows, pa.Table.from_arrays(arrays, schema=schema)


@pytest.mark.parametrize(("table", "digest"), VECTORS)
def test_published_vectors_hold(table, digest):
    assert table_digest(table) == digest


@pytest.mark.parametrize(("table", "digest"), VECTORS)
def test_published_vectors_follow_from_the_specification(table, digest):
    logical = {"list<item: int64>": "list<int64>"}
    columns = [[f.name, logical.get(str(f.type), str(f.type))] for f in table.schema]
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    assert specified_digest(columns, rows) == digest


@given(tables())
def test_the_digest_is_the_specified_one(case):
    columns, rows, table = case
    assert table_digest(table) == specified_digest(columns, rows)


@pytest.mark.parametrize("lengths", [range(60), range(250, 257), [0, 3, 256, 257], [5, 9000, 0]])
@pytest.mark.parametrize("offset", [0, 1, 5])
def test_texts_of_every_length_and_place_have_the_specified_digest(lengths, offset):
    texts = ["x" * offset, *("".join(chr(33 + (7 * n + i) % 90) for i in range(n))
                             for n in lengths), None]
    table = pa.table({"t": pa.array(texts).slice(1)})
    assert table_digest(table) == specified_digest([["t", "string"]], [(t,) for t in texts[1:]])


@pytest.mark.parametrize("rows", [1, 2, 50])
@pytest.mark.parametrize(("kind", "value"), [
    (pa.string(), "DR1"), (pa.string(), ""), (pa.int16(), -7), (pa.uint64(), 2**64 - 1),
    (pa.float64(), -0.0), (pa.string(), None), (pa.float32(), None), (pa.null(), None),
    (pa.list_(pa.int32()), [1]),
])
def test_a_column_of_one_value_has_the_specified_digest(kind, value, rows):
    table = pa.table({"n": range(rows), "same": pa.array([value] * rows, kind)})
    told = "list<int32>" if kind == pa.list_(pa.int32()) else str(kind)
    columns = [["n", "int64"], ["same", told]]
    assert table_digest(table) == specified_digest(columns, [(n, value) for n in range(rows)])


@given(st.sampled_from([1, 5]), st.lists(st.sampled_from(["a", "b", None]), max_size=5))
def test_a_column_of_almost_one_value_has_the_specified_digest(other, middle):
    ints = [other if text == "b" else None if text is None else 1 for text in middle]
    rows = [("a", 1), *zip(middle, ints, strict=True), ("a", 1)]
    table = pa.table({"t": [row[0] for row in rows], "n": [row[1] for row in rows]})
    assert table_digest(table) == specified_digest([["t", "string"], ["n", "int64"]], rows)


@given(tables(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_grouping_of_rows_do_not_matter(case, random, batch_rows):
    _, _, table = case
    order = list(range(table.num_rows))
    random.shuffle(order)
    batches = table.take(pa.array(order, pa.int64())).to_batches(max_chunksize=batch_rows)
    digest = TableDigest(table.schema)
    for batch in batches:
        digest.update(batch)
    assert digest.hexdigest() == table_digest(table)
    assert digest.rows == table.num_rows


@given(tables(min_rows=1), st.data())
def test_a_lost_or_doubled_row_is_seen(case, data):
    _, rows, table = case
    at = data.draw(st.integers(0, len(rows) - 1))
    lost = pa.concat_tables([table.slice(0, at), table.slice(at + 1)])
    doubled = pa.concat_tables([table, table.slice(at, 1)])
    assert len({table_digest(t) for t in (table, lost, doubled)}) == 3


@given(tables(min_rows=1), st.data())
def test_a_changed_value_is_seen(case, data):
    columns, rows, table = case
    at, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(
        st.integers(0, len(columns) - 1))
    kind = table.schema.types[column]
    new = data.draw(st.none() | VALUES[kind][1])
    old = rows[at][column]
    same_number = isinstance(old, float) and isinstance(new, float) and (
        old == new or (math.isnan(old) and math.isnan(new)))
    assume(new != old and not same_number)
    values = [row[column] for row in rows]
    values[at] = new
    changed = table.set_column(column, table.schema.field(column), pa.array(values, kind))
    assert table_digest(changed) != table_digest(table)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=8))
def test_values_that_change_rows_among_themselves_are_seen(pairs):
    left, right = zip(*pairs, strict=True)
    before = pa.table({"a": left, "b": right})
    after = pa.table({"a": left, "b": right[1:] + right[:1]})
    same = sorted(pairs) == sorted(zip(left, right[1:] + right[:1], strict=True))
    assert (table_digest(before) == table_digest(after)) is same


@settings(max_examples=50)
@given(st.lists(st.none() | st.text(max_size=20), max_size=12), st.integers(0, 3))
def test_the_layout_of_text_does_not_matter(values, skipped):
    plain = pa.array([*["skipped"] * skipped, *values], pa.string())
    layouts = [plain, plain.cast(pa.large_string()), plain.cast(pa.string_view()),
               plain.dictionary_encode(), pa.array(plain.to_pylist(), pa.string())]
    seen = {table_digest(pa.table({"s": layout.slice(skipped)})) for layout in layouts}
    assert seen == {table_digest(pa.table({"s": pa.array(values, pa.string())}))}


def test_null_nan_zero_and_nothing_are_four_things():
    values = [[None], [math.nan], [0.0], []]
    seen = {table_digest(pa.table({"z": pa.array(value, pa.float64())})) for value in values}
    assert len(seen) == 4


def test_negative_zero_is_zero_and_every_nan_is_one():
    payload = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000123))[0]
    one = pa.table({"z": [0.0, math.nan]})
    other = pa.table({"z": [-0.0, payload]})
    assert table_digest(one) == table_digest(other)


def test_what_stands_under_a_null_does_not_matter():
    mask = pa.array([True, False]).buffers()[1]
    one, other = (pa.array(values, pa.int64()).buffers()[1] for values in ([5, 1], [5, 9]))
    tables = [pa.table({"x": pa.Array.from_buffers(pa.int64(), 2, [mask, buffer])})
              for buffer in (one, other)]
    assert table_digest(tables[0]) == table_digest(tables[1]) == table_digest(
        pa.table({"x": [5, None]}))


def test_names_types_and_column_order_are_part_of_the_digest():
    base = pa.table({"ra": [1.0], "dec": [1.0]})
    others = [base.rename_columns(["ra", "decl"]), base.select(["dec", "ra"]),
              base.cast(pa.schema([("ra", pa.float32()), ("dec", pa.float64())]))]
    assert len({table_digest(table) for table in (base, *others)}) == 4


def test_units_and_nullability_are_no_part_of_the_digest():
    plain = pa.table({"ra": [1.0]})
    told = plain.cast(pa.schema([pa.field("ra", pa.float64(), nullable=False,
                                          metadata={"unit": "deg"})]))
    assert table_digest(plain) == table_digest(told)
