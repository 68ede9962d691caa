"""Pairs, groups and ties of small skies are those of plain Python, in both semantics."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pz_tsm_core.crc.groups import grouped
from pz_tsm_core.crc.plan import plan_of
from pz_tsm_core.errors import Code
from pz_tsm_core.model.document import parse_document
from pz_tsm_core.ops.crd import compared_to, group_ids
from tests.unit.ops.test_ties import chained, greedy, oracle

RADIUS = 0.5
STAR = 6.0
RULES = """
tiebreaking_priority: [z_flag_homogenized, instrument_type_homogenized]
instrument_type_priority: {s: 3, g: 2}
delta_z_threshold: 0.001
crossmatch_radius_arcsec: 0.5
"""
#: Around corners of the sky: a chain of steps below and above the radius, at several places.
PLACES = st.tuples(st.sampled_from([(0.0, 0.0), (359.99995, 0.0), (12.0, 89.9999), (45.0, 90.0)]),
                   st.integers(0, 6))
ROWS = st.lists(
    st.tuples(PLACES, st.sampled_from([0.0, 3.0, 4.0, STAR, math.nan]),
              st.sampled_from(["s", "g", "p", None]),
              st.sampled_from([0.5, 0.5009, 0.5018, 0.7, math.nan])), min_size=1, max_size=14)


@pytest.fixture(scope="module")
def june(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brute")
    (folder / "rules.yaml").write_text(RULES)
    (folder / "t.csv").write_text("ra,dec\n1,1\n")
    text = ("inputs: {specz: [{path: t.csv, internal_name: 1_t}]}\n"
            "param: {flags_translation_file: rules.yaml}\n")
    return plan_of(parse_document(text, "c.yaml", code=Code.LEGACY_CONFIG), folder).settings


def position(place):
    (ra, dec), steps = place
    return (ra + steps * 0.35 / 3600) % 360, min(90.0, dec + steps * 0.1 / 3600)


def vector(ra, dec):
    alpha, delta = math.radians(ra), math.radians(dec)
    return (math.cos(delta) * math.cos(alpha), math.cos(delta) * math.sin(alpha), math.sin(delta))


def apart(one, other):
    """By the cross product, which is exact where angles are small."""
    (a, b, c), (x, y, z) = vector(*one), vector(*other)
    cross = (b * z - c * y, c * x - a * z, a * y - b * x)
    return math.degrees(math.atan2(math.hypot(*cross), a * x + b * y + c * z)) * 3600


def by_hand(rows, ids, agree):
    """Who is near whom, the group of each row by its members, and what became of it."""
    n = len(rows)
    near = {i: {j for j in range(n) if j != i and apart(rows[i][0], rows[j][0]) <= RADIUS}
            for i in range(n)}
    group = list(range(n))
    for i in range(n):
        for j in near[i]:
            if STAR not in (rows[i][1], rows[j][1]):
                old, new = group[j], group[i]
                group = [new if each == old else each for each in group]
    measured = [{"id": id_, "group": group[i], "first": flag, "z": z,
                 "second": {"s": 3.0, "g": 2.0}.get(kind, 0.0)}
                for i, (id_, (_, flag, kind, z)) in enumerate(zip(ids, rows, strict=True))]
    codes = oracle(measured, agree)
    return near, group, [3 if rows[i][1] == STAR else codes[ids[i]] for i in range(n)]


@pytest.mark.parametrize("agree", [chained, greedy], ids=["June", "July"])
@settings(max_examples=60)
@given(drawn=ROWS)
def test_small_skies(june, agree, drawn):
    rows = [(position(place), *rest) for place, *rest in drawn]
    ids = [f"CRD1_{n}" for n in range(1, len(rows) + 1)]
    ra, dec = (np.array(values) for values in zip(*(row[0] for row in rows), strict=True))
    table = pa.table({
        "CRD_ID": ids,
        "z": pa.array([row[3] for row in rows], pa.float64(), from_pandas=True),
        "z_flag_homogenized": pa.array([row[1] for row in rows], pa.float64(), from_pandas=True),
        "instrument_type_homogenized": pa.array([row[2] for row in rows], pa.string())})
    found = grouped(table, ra, dec, dataclasses.replace(june, newer=agree is greedy))
    near, group, codes = by_hand(rows, ids, agree)
    texts = compared_to(found.company).to_pylist()
    assert texts == [", ".join(sorted(ids[j] for j in near[i])) or None for i in range(len(rows))]
    numbers = group_ids(found.company).tolist()
    assert len(set(zip(numbers, group, strict=True))) == len(set(numbers)) == len(set(group))
    assert found.codes.tolist() == codes
