"""Types that the digest knows besides the plain ones, and those that it refuses."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.store import TableDigest, table_digest


def digest(array):
    return table_digest(pa.table({"x": array}))


def test_lists_of_every_layout_and_slice_are_one():
    values = [[1, 2], None, [3, 4], [5, None]]
    plain = pa.array(values, pa.list_(pa.int16()))
    layouts = [plain, pa.array(values, pa.large_list(pa.int16())),
               pa.array(values, pa.list_(pa.int16(), 2)),
               pa.array([[9, 9], *values], pa.list_(pa.int16())).slice(1),
               pa.array([[9, 9], *values], pa.list_(pa.int16(), 2)).slice(1)]
    assert len({digest(layout) for layout in layouts}) == 1
    assert digest(plain) != digest(pa.array([[2, 1], *values[1:]], pa.list_(pa.int16())))


def test_bytes_of_fixed_and_variable_width_are_one():
    values = [b"ab", None, b"cd"]
    assert digest(pa.array(values, pa.binary(2))) == digest(pa.array(values, pa.binary()))


def test_nulls_in_the_values_of_a_dictionary_are_nulls():
    odd = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int8()), pa.array(["a", None]))
    assert digest(odd) == digest(pa.array(["a", None, None]))


def test_tables_with_a_dictionary_a_batch_are_one():
    pieces = [pa.array(v).dictionary_encode() for v in (["b", "a"], ["a", None, "c"])]
    plain = pa.array(["b", "a", "a", None, "c"])
    assert digest(pa.chunked_array(pieces)) == digest(plain)


@pytest.mark.parametrize(("value", "kind", "number", "width"), [
    (date(2026, 11, 20), pa.date32(), 20_777, pa.int32()),
    (datetime(2026, 11, 20, tzinfo=UTC), pa.timestamp("us", "UTC"), 20_777 * 86_400_000_000,
     pa.int64()),
])
def test_times_count_by_their_integer_but_are_no_integers(value, kind, number, width):
    times, numbers = pa.array([value, None], kind), pa.array([number, None], width)
    assert times.cast(width).equals(numbers), "the example is right"
    assert digest(times) != digest(numbers)
    assert digest(times) == digest(numbers.cast(kind))


def test_every_integer_width_keeps_its_sign():
    for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64()):
        assert digest(pa.array([-1], kind)) != digest(pa.array([1], kind))


@pytest.mark.parametrize("array", [
    pa.array([{"a": 1}]), pa.array([Decimal("1.5")]), pa.array([[{"a": 1}]]),
])
def test_types_without_a_place_in_the_specification_are_refused(array):
    with pytest.raises(TsmError) as caught:
        digest(array)
    assert caught.value.codes == (Code.TABLE_COLUMN_TYPE,)
    assert "`x`" in str(caught.value)


def test_all_columns_refused_are_named_at_once():
    schema = pa.schema([("a", pa.struct([])), ("b", pa.int8()), ("c", pa.decimal128(5, 2))])
    with pytest.raises(TsmError) as caught:
        TableDigest(schema)
    assert len(caught.value.problems) == 2


def test_pieces_of_another_schema_are_not_added():
    digest = TableDigest(pa.schema([("ra", pa.float64())]))
    with pytest.raises(ValueError, match="added to a digest"):
        digest.update(pa.table({"dec": [1.0]}))
    with pytest.raises(ValueError, match="added to a digest"):
        digest.update(pa.table({"ra": pa.array([1.0], pa.float32())}))


def test_an_empty_table_has_a_digest_of_its_schema():
    empty = pa.table({"x": pa.array([], pa.string())})
    assert table_digest(empty) == TableDigest(empty.schema).hexdigest()
    assert table_digest(empty) != digest(pa.array([], pa.int64()))
