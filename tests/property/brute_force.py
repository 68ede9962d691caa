"""What combining must give, found the plain way: every pair looked at, every group sorted.

It knows nothing of trees, arrays of groups or sorts by several columns. Separations are Vincenty's
in extended precision; ids follow docs/reference/ids.md with hashlib alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import angular_separation

from pz_tsm_core.model.resolution import Reason
from tests.property.skies import hash_of

#: Nearer to the radius than this, in arcsec, a pair of float64 positions may be told either way.
UNDECIDED = 1e-9

def unknown_last(name, sign):
    """Smaller is better; what is not known is worst."""
    return lambda row: np.inf if row[name] is None else sign * row[name]


#: What makes a measurement better than another, by its name in a policy, and the reason to lose by
#: it; `place` is the distance from the middle of the group in thousandths of an arcsec.
GROUNDS = {
    "quality": (lambda row: -row["quality"], Reason.LOST_QUALITY),
    "instrument_type": (lambda row: "sgp".index(row["instrument_type"]), Reason.LOST_INSTRUMENT),
    "survey_rank": (lambda row: -row["survey_rank"], Reason.LOST_SURVEY_RANK),
    "z_err": (unknown_last("z_err", 1), Reason.LOST_Z_ERR),
    "year": (unknown_last("year", -1), Reason.LOST_YEAR),
    "snr": (unknown_last("snr", -1), Reason.LOST_SNR),
    "separation": (lambda row: row["place"], Reason.LOST_SEPARATION),
    "row_id": (lambda row: row["row_id"], Reason.LOST_ID),
}


@dataclass(frozen=True)
class Truth:
    """What is true of measurements under a policy, by their row_ids.

    Parameters
    ----------
    pairs : (smaller row_id, larger row_id) -> separation in arcsec
    undecided : how many more there may be, at the radius
    groups : row_ids of every galaxy
    reasons, galaxy_ids : of every row
    galaxies : row_id of a row that speaks -> figures of its group, as `figures_of` has them
    """

    pairs: dict
    undecided: int
    groups: set
    reasons: dict
    galaxy_ids: dict
    galaxies: dict


def brute_force(table, policy, told=frozenset()):
    """Combine measurements; `told` are the pairs that decide what floats leave undecided."""
    rows = sorted(table.to_pylist(), key=lambda row: row["row_id"])
    pairs, undecided = pairs_of(rows, policy.radius_arcsec, told)
    apart = {row["row_id"] for row in rows
             if policy.ineligible == "apart" and why_not(row, policy) is not None}
    groups = groups_of(rows, [pair for pair in pairs if apart.isdisjoint(pair)])
    truth = Truth(pairs, undecided, {frozenset(row["row_id"] for row in group) for group in groups},
                  {}, {}, {})
    odd = {row["row_id"] for row in rows if row["quality"] >= policy.min_quality
           and why_not(row, policy) is Reason.EXCLUDED_CLASS}
    beside = {one for pair in pairs for one, other in (pair, pair[::-1]) if other in odd}
    for group in groups:
        add_places(group)
        name, (reasons, disputed) = galaxy_id_of(group), reasons_of(group, policy)
        truth.reasons.update(reasons)
        truth.galaxy_ids.update(dict.fromkeys(reasons, name))
        both = any(row["row_id"] in odd for row in group) or not beside.isdisjoint(reasons)
        for row in group:
            if reasons[row["row_id"]].winner:
                truth.galaxies[row["row_id"]] = name, *figures_of(group, reasons, policy), (
                    disputed), both
    return truth


def add_places(group):
    """Give every row its distance from the mean direction of the group, in 0.001 arcsec."""
    lon, lat = (np.radians(np.array([row[name] for row in group], np.longdouble))
                for name in ("ra", "dec"))
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    away = points - points.mean(axis=1, keepdims=True)
    for row, distance in zip(group, np.sqrt((away**2).sum(axis=0)), strict=True):
        row["place"] = float(np.round(np.degrees(distance) * 3600 * 1000))


def pairs_of(rows, radius, told):
    """Every pair within the radius, from all there are, and how many floats leave undecided."""
    ids = [row["row_id"] for row in rows]
    lon, lat = (np.radians(np.array([row[name] for row in rows], np.longdouble))
                for name in ("ra", "dec"))
    pairs, undecided = {}, 0
    for i, first in enumerate(ids):
        apart = 3600 * np.degrees(angular_separation(lon[i], lat[i], lon[i + 1:], lat[i + 1:]))
        for j in np.flatnonzero(apart <= radius + UNDECIDED):
            pair = first, ids[i + 1 + j]
            if apart[j] <= radius - UNDECIDED or pair in told:
                pairs[pair] = float(apart[j])
            else:
                undecided += 1
    return pairs, undecided


def groups_of(rows, pairs):
    """Lists of rows that pairs link, by union-find."""
    parent = {row["row_id"]: row["row_id"] for row in rows}

    def root(one):
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    for first, second in pairs:
        parent[root(first)] = root(second)
    groups = {}
    for row in rows:
        groups.setdefault(root(row["row_id"]), []).append(row)
    return list(groups.values())


def galaxy_id_of(group):
    """The hash of the naming member, without its release."""
    named = min(group, key=lambda row: (row["survey_ordinal"], row["survey"].encode(),
                                        row["native_key"].encode(), row["native_rank"]))
    return hash_of(f"{named['survey']}\x1f{named['native_key']}\x1f{named['native_rank']}")


def why_not(row, policy):
    """Why a row may not speak; None if it may."""
    if row["object_class"] in policy.exclude_classes:
        return Reason.EXCLUDED_CLASS
    return Reason.LOW_QUALITY if row["quality"] < policy.min_quality else None


def in_order(group, policy):
    """The rows that may speak, the best first."""
    grounds = [GROUNDS[name][0] for name in (*policy.prefer, *policy.among_equals, "row_id")]
    able = [row for row in group if why_not(row, policy) is None]
    return sorted(able, key=lambda row: [ground(row) for ground in grounds])


def reasons_of(group, policy):
    """Reason of every row of a group, and whether redshifts of the highest rank disagree."""
    reasons = {row["row_id"]: why_not(row, policy) for row in group}
    able = in_order(group, policy)
    if not able:
        return reasons, False
    best = able[0]
    reasons.update({row["row_id"]: behind(row, best, policy) for row in able[1:]})
    reasons[best["row_id"]] = Reason.WON if len(able) > 1 else Reason.ALONE
    first = [GROUNDS[name][0] for name in policy.prefer]
    top = [row for row in able if all(ground(row) == ground(best) for ground in first)]
    clusters = clusters_of(top, policy.agreement)
    if len(clusters) == 1:
        return reasons, False
    for speaker, *others in clusters:
        reasons.update({row["row_id"]: behind(row, speaker, policy) for row in others})
    fates = {"keep_all": Reason.TIED, "drop": Reason.CONFLICT}
    if fate := fates.get(policy.disagreement):
        reasons.update({cluster[0]["row_id"]: fate for cluster in clusters})
    else:
        reasons.update({row["row_id"]: Reason.LOST_CONFLICT
                        for cluster in clusters[1:] for row in cluster})
    return reasons, policy.disagreement != "pick"


def behind(row, best, policy):
    """In what a row is behind another."""
    grounds = [GROUNDS[name] for name in (*policy.prefer, *policy.among_equals, "row_id")]
    return next(reason for ground, reason in grounds if ground(row) > ground(best))


def agree(z, reference, agreement):
    """Whether a redshift is that of a reference."""
    limit = agreement.dz * (1 + reference if agreement.scaled else 1)
    return abs(z - reference) <= limit


def clusters_of(top, agreement):
    """Rows of one rank by redshift: each joins the first whose best it agrees with."""
    clusters = []
    for row in top:
        near = [cluster for cluster in clusters
                if agreement is None or agree(row["z"], cluster[0]["z"], agreement)]
        if near:
            near[0].append(row)
        else:
            clusters.append([row])
    return clusters


def figures_of(group, reasons, policy):
    """(measurements, eligible ones, those that agree with the best, spread of z, extent)."""
    able = in_order(group, policy)
    best = able[0]
    z = [row["z"] for row in able]
    agreeing = sum(policy.agreement is None or agree(each, best["z"], policy.agreement)
                   for each in z)
    spread = (max(z) - min(z)) / (1 + best["z"])
    lon, lat = (np.radians(np.array([row[name] for row in group], np.longdouble))
                for name in ("ra", "dec"))
    apart = angular_separation(lon, lat, *np.radians(np.longdouble([best["ra"], best["dec"]])))
    return len(group), len(able), agreeing, spread, float(3600 * np.degrees(apart.max()))
