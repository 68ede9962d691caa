"""Access, addresses and the exact JSON on which they rest."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import pz_tsm_core
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import PUBLIC, Access, Principal, StageRequest, strictest

ANA, BEN = (Access(kind="private", name=name) for name in ("ana", "ben"))
DP1, DP2 = (Access(kind="rights", name=name) for name in ("dp1", "dp2"))


@pytest.mark.parametrize(("accesses", "result"), [
    ([], PUBLIC), ([PUBLIC, PUBLIC], PUBLIC), ([PUBLIC, DP1], DP1), ([DP1, PUBLIC, ANA], ANA),
    ([ANA, ANA], ANA), ([DP1, DP2, ANA], ANA),
])
def test_the_strictest_access_wins(accesses, result):
    assert strictest(accesses) == result


@pytest.mark.parametrize("accesses", [[ANA, BEN], [DP1, DP2, PUBLIC]])
def test_two_owners_or_two_rights_cannot_be_joined(accesses):
    with pytest.raises(TsmError) as caught:
        strictest(accesses)
    assert caught.value.codes == (Code.STORE_ACCESS,)


def test_access_admits_owner_and_holder_only():
    holder = Principal(name="ana", rights=frozenset({"dp1"}))
    assert [a.admits(holder) for a in (PUBLIC, DP1, DP2, ANA, BEN)] == [
        True, True, False, True, False]


@pytest.mark.parametrize("fields", [{"kind": "private"}, {"kind": "public", "name": "ana"}])
def test_access_has_a_name_unless_it_is_public(fields):
    with pytest.raises(ValidationError):
        Access(**fields)


@pytest.mark.parametrize("value", [math.nan, math.inf, Path("x"), object(), {1: 2}, b"x"])
def test_a_policy_holds_only_what_json_holds_exactly(value):
    with pytest.raises(ValidationError):
        StageRequest(stage="split", version=1, policy={"value": value})


def test_a_request_is_the_same_after_json():
    request = StageRequest(stage="split", version=1, policy={"a": (1, 2.0), "b": {"y", "x"}})
    again = StageRequest.model_validate_json(request.model_dump_json())
    assert (again, again.address) == (request, request.address)


def test_the_order_of_a_set_does_not_change_the_address():
    code = ("from pz_tsm_core.model.artifact import StageRequest as R;"
            "print(R(stage='s', version=1, policy={'surveys': set('abcdefgh')}).address)")
    root = str(Path(pz_tsm_core.__file__).parents[1])
    seen = {subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                           env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": root}).stdout
            for seed in "12"}
    assert len(seen) == 1


@pytest.mark.parametrize("stage", ["", "../combine", "Combine", "a/b"])
def test_a_stage_name_is_a_plain_word(stage):
    with pytest.raises(ValidationError):
        StageRequest(stage=stage, version=1)
