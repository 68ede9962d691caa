"""Which release a catalogue is of, told by the published columns of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.mock.catalog import OBJECT_SCHEMA
from pz_tsm_core.propose.catalog import _alike, _guessed
from pz_tsm_core.releases import get_release
from tests.unit.releases.test_release import published

HERE = Path("objects")


@pytest.mark.parametrize("key", ["dp02", "dp1", "dp2"])
def test_the_published_columns_tell_their_release_and_no_other(key) -> None:
    columns = set(published(get_release(key)))
    assert _guessed(HERE, columns).key == key
    assert _alike(get_release(key), columns) == []


def test_plain_names_are_those_of_the_generic_profile() -> None:
    columns = {"id", "ra", "dec", "mag_i", "mag_err_i"}
    assert _guessed(HERE, columns).key == "generic"


def test_columns_of_two_releases_are_said_to_be_of_both() -> None:
    """The mock has cModel and psf alone, which DP1 and DP2 share; DP0.2 lacks its filter."""
    assert _guessed(HERE, OBJECT_SCHEMA.names).key == "dp1"
    assert _alike(get_release("dp1"), OBJECT_SCHEMA.names) == ["dp2"]


def test_columns_of_nobody_are_refused_with_the_way_out() -> None:
    with pytest.raises(TsmError) as refused:
        _guessed(HERE, {"id", "ra", "dec", "brightness"})
    assert refused.value.codes == (Code.CATALOG_COLUMN,)
    assert "YAML file of your own" in str(refused.value)
