"""What the report tells of the dust, against numbers worked out beside it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.pins import DustPin
from pz_tsm_core.model.policy import Dereddening
from pz_tsm_core.quality.credits import credits_of_sky
from pz_tsm_core.quality.reddening import Reddened
from pz_tsm_core.releases import get_release

OWN = {"coefficients": "custom", "values": dict.fromkeys("ugrizy", 2.0)}
SF11 = {"u": 4.145, "i": 1.684}


def counted(applied, own=None, **choice):
    """The tally of these rows, added in batches; `own` is the E(B-V) of the release."""
    reddened = Reddened(Dereddening(**choice), get_release("dp1"))
    table = pa.table({"ebv_applied": pa.array(applied, pa.float32(), from_pandas=True),
                      "ebv": pa.array(own or applied, pa.float32(), from_pandas=True)})
    for batch in table.select(reddened.columns).to_batches(2):
        reddened.add(batch)
    return reddened


def test_rows_without_reddening_are_counted_and_no_part_of_the_median():
    reddened = counted([0.1, None, 0.3, np.nan, 0.2])
    assert (reddened.rows, reddened.unknown) == (5, 2)
    assert reddened.applied.median() == pytest.approx(0.2, abs=2e-4)
    assert reddened.applied.highest == pytest.approx(0.3)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_column_is_compared_with_the_map_as_it_is(scale):
    """The factor is the recipe's own: it is no difference between map and column."""
    reddened = counted([0.1 * scale, 0.2 * scale, 0.3 * scale], [0.101, 0.203, 0.302],
                       map="csfd", scale=scale)
    assert reddened.beyond_map.median() == pytest.approx(0.002, abs=2e-4)


@pytest.mark.parametrize("name", ["planck", "gnilc", "catalog", "none"])
def test_what_cannot_be_compared_with_the_column_is_not(name):
    reddened = counted([0.1, 0.2], map=name)
    assert "ebv" not in reddened.columns
    assert np.isnan(reddened.beyond_map.median())


@pytest.mark.parametrize(("choice", "expected"), [
    ({"map": "sfd"}, {"u": (4.81 - 4.145) * 0.1, "i": (2.06 - 1.684) * 0.1}),
    ({"map": "sfd", "coefficients": "sf11"}, {"u": 0, "i": 0}),
    # True E(B-V) of 0.1 is one of 0.1 / 0.86 to SFD.
    ({"map": "planck"}, {"u": 0.481 - 4.145 * 0.1 / 0.86, "i": 0.206 - 1.684 * 0.1 / 0.86}),
    ({"map": "sfd", "scale": 0.86}, {"u": 0.481 - 4.145 * 0.1 / 0.86, "i": 0.206 - 1.684 / 8.6}),
    ({"map": "catalog", **OWN}, {"u": 0.2 - 0.4145, "i": 0.2 - 0.1684}),
])
def test_the_correction_is_compared_with_schlafly_and_finkbeiner(choice, expected):
    told = dict(counted([0.1] * 5, **choice).beyond_sf11(("u", "i")))
    assert told == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("choice", "cited"), [
    ({"map": "none"}, []),
    ({"map": "sfd"}, [("dust map", "sfd", "1998ApJ...500..525S"),
                      ("coefficients", "desc_dc2", "2021ApJS..253...31L")]),
    ({"map": "gnilc", "coefficients": "lsst_dm"}, [
        ("dust map", "gnilc", "2016A&A...596A.109P"),
        ("coefficients", "lsst_dm", "1989ApJ...345..245C")]),
    ({"map": "catalog", **OWN}, [("dust map", "catalog", "1998ApJ...500..525S"),
                                 ("coefficients", "custom", None)]),
])
def test_whoever_made_the_map_and_the_coefficients_is_cited(choice, cited):
    told = credits_of_sky(get_release("dp1"), DustPin(choice=Dereddening(**choice), digests={}), 3)
    assert all(isinstance(each, Cited) for each in told)
    assert [(each.kind, each.key, next(iter(each.bibcodes), None)) for each in told[1:]] == cited
    assert all("2018JOSS....3..695M" in each.bibcodes for each in told
               if each.kind == "dust map" and each.key != "catalog")
