"""Ties are broken as the existing pipeline breaks them, group by group."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pz_tsm_core.ops.ties import Tie, decide_ties

THRESHOLD = 0.001
#: So near one another that agreement, chains and rounding all occur.
REDSHIFTS = st.one_of(st.sampled_from([0.0, 0.0009, 0.001, 0.0018, 0.002, 0.0027, 0.003, 1.5]),
                      st.just(math.nan))
RANKS = st.sampled_from([0.0, 1.0, 2.0, math.nan])
ROWS = st.lists(st.tuples(st.integers(0, 4), RANKS, RANKS, REDSHIFTS, st.booleans()), max_size=25)


def chained(members):
    """June: redshifts in their order, each chained to the next; one stands for each chain."""
    known = sorted((row for row in members if not math.isnan(row["z"])),
                   key=lambda row: (row["z"], row["id"]))
    chains = []
    for row in known:
        if chains and abs(row["z"] - chains[-1][-1]["z"]) <= THRESHOLD:
            chains[-1].append(row)
        else:
            chains.append([row])
    return [min(chain, key=lambda row: row["id"]) for chain in chains] + [
        row for row in members if math.isnan(row["z"])]


def greedy(members):
    """July: from the lowest redshift on, what is a threshold above the last that was kept."""
    known = sorted((row for row in members if not math.isnan(row["z"])),
                   key=lambda row: (row["z"], row["id"]))
    kept = []
    for row in known:
        if not kept or row["z"] - kept[-1]["z"] >= THRESHOLD:
            kept.append(row)
    return kept or members


def oracle(rows, agree):
    """Codes by id, one group after the other, in plain Python."""
    codes, groups = {}, defaultdict(list)
    for row in rows:
        groups[row["group"]].append(row)
    for members in groups.values():
        best = members
        for key in ("first", "second"):
            ranks = [-math.inf if math.isnan(row[key]) else row[key] for row in best]
            best = [row for row, rank in zip(best, ranks, strict=True) if rank == max(ranks)]
        left = agree(best) if len(best) > 1 else best
        for row in members:
            codes[row["id"]] = Tie.LOST
        for row in left:
            codes[row["id"]] = Tie.WON if len(left) == 1 else Tie.TIED
    return codes


def decided(rows, *, delta_z=THRESHOLD, chained=False):
    def column(name, kind=float):
        return np.array([row[name] for row in rows], dtype=kind)

    excluded = np.array([row.get("star", False) for row in rows], dtype=bool)
    return decide_ties(column("group", np.int64), [column("first"), column("second")], column("z"),
                       column("id", np.int64), delta_z=delta_z, chained=chained,
                       excluded=excluded).tolist()


@pytest.mark.parametrize("agree", [chained, greedy], ids=["June", "July"])
@given(drawn=ROWS, order=st.randoms(use_true_random=False))
def test_every_group_ends_as_plain_python_ends_it(agree, drawn, order):
    ids = list(range(len(drawn)))
    order.shuffle(ids)
    rows = [{"group": group, "first": first, "second": second, "z": z, "id": id_}
            for (group, first, second, z, _), id_ in zip(drawn, ids, strict=True)]
    codes = oracle(rows, agree)
    assert decided(rows, chained=agree is chained) == [codes[row["id"]] for row in rows]


@pytest.mark.parametrize("june", [True, False])
@given(drawn=ROWS)
def test_every_group_has_one_winner_or_several_that_are_tied(june, drawn):
    rows = [{"group": group, "first": first, "second": second, "z": z, "id": id_}
            for id_, (group, first, second, z, _) in enumerate(drawn)]
    codes = defaultdict(list)
    for row, code in zip(rows, decided(rows, chained=june), strict=True):
        codes[row["group"]].append(code)
    for found in codes.values():
        won, tied = found.count(Tie.WON), found.count(Tie.TIED)
        assert (won, tied) == (1, 0) or (won == 0 and tied >= 2)


def row(z, first=4.0, second=3.0, group=0, id_=0):
    return {"group": group, "first": first, "second": second, "z": z, "id": id_}


def test_junes_chain_has_one_winner_and_julys_rule_keeps_its_ends():
    """linea.md: 0.5000, 0.5009, 0.5018, 0.5027 became one winner though the ends differ."""
    rows = [row(z, id_=id_) for id_, z in enumerate((0.5, 0.5009, 0.5018, 0.5027))]
    assert decided(rows, chained=True) == [1, 0, 0, 0]
    assert decided(rows, chained=False) == [2, 0, 2, 0]


def test_a_missing_redshift_ties_in_june_and_loses_in_july():
    rows = [row(0.5, id_=0), row(math.nan, id_=1)]
    assert decided(rows, chained=True) == [2, 2]
    assert decided(rows, chained=False) == [1, 0]


def test_without_a_threshold_equal_redshifts_are_tied():
    rows = [row(0.5, id_=0), row(0.5, id_=1), row(math.nan, id_=2)]
    for june in (True, False):
        assert decided(rows, delta_z=0, chained=june) == [2, 2, 2]


def test_the_first_key_decides_before_the_second():
    rows = [row(0.1, 3.0, 3.0, id_=0), row(0.2, 4.0, 2.0, id_=1), row(0.3, 4.0, 3.0, id_=2)]
    assert decided(rows) == [0, 0, 1]


def test_what_is_excluded_is_neither_winner_nor_loser():
    rows = [row(0.1, group=0, id_=0), {**row(0.1, group=1, id_=1), "star": True}]
    assert decided(rows) == [1, 3]


def test_infinite_redshifts_are_decided_without_a_warning():
    rows = [row(math.inf, id_=0), row(math.inf, id_=1), row(0.5, id_=2)]
    assert decided(rows, chained=False) == [2, 0, 2]


def test_nothing_is_decided_of_nothing():
    assert decided([]) == []
