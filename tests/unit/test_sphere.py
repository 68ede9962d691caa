"""The order along the sphere, against centres of base pixels (Gorski et al. 2005, ApJ 622, 759)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.sphere import INDEX_ORDER, order_along, spatial_index

_NORTH = np.degrees(np.arcsin(2 / 3))


@pytest.mark.parametrize(("first", "ra", "dec"), [(0, 45, _NORTH), (4, 0, 0), (8, 45, -_NORTH)])
def test_the_centre_of_a_base_pixel_is_in_the_middle_of_its_numbers(first, ra, dec):
    """Of its four children the northern one is the last: just below its centre the middle ends."""
    east = ra + 90.0 * np.arange(4)
    pixels = first + np.arange(4)
    np.testing.assert_array_equal(spatial_index(east, np.full(4, dec)) >> 2 * INDEX_ORDER, pixels)
    children = [spatial_index(east, np.full(4, dec + off)) >> 2 * (INDEX_ORDER - 1)
                for off in (-0.1, 0.1)]
    np.testing.assert_array_equal(children, [4 * pixels, 4 * pixels + 3])


def test_a_turn_of_the_sky_and_no_position_at_all_are_taken():
    assert spatial_index([0.0, 360.0], [10.0, 10.0]).tolist() == [
        *spatial_index([0.0], [10.0])] * 2
    assert spatial_index([], []).dtype == np.int64


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=30))
def test_rows_at_one_place_are_ordered_by_id(rows):
    index, ids = np.array(rows, np.int64).reshape(-1, 2).T
    order = order_along(index, ids)
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert [rows[place] for place in order] == sorted(rows)
