"""Small skies in every hard place, as standard measurements, and policies to combine them by.

A sky follows from its seed alone. It joins a few arrangements (clouds, chains, clumps, copies ...)
at a few places (poles, RA 0, corners of HEALPix pixels ...), and gives the rows values of which
many are equal, so that every rule has ties to break.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from astropy import units as u
from cdshealpix import nested

from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.quality import ObjectClass
from pz_tsm_core.model.schema import MEASUREMENT_SCHEMA

LARGEST_RA = np.nextafter(360.0, 0.0)
#: Links of chains differ from the radius by this part of it: more than floats blur.
NEARLY = 1e-7
#: What no galaxy is named by alone: releases differ in row_id and not in galaxy_id.
SURVEYS = (("old", 2, "final"), ("wide", 6, "DR1"), ("deep", 10, "v4.1.5"),
           ("mine", 1_000_000, "user"), ("mine_too", 1_000_000, "user"))
#: Year and rank of each; nobody knows the year of a table of one's own.
YEARS, RANKS = (2003, 2024, 2016, None, None), (0, 0, 0, -1, 0)
CLASSES = [each.value for each in ObjectClass]


AGREEMENTS = (None, {"dz": 0.01}, {"dz": 0.01}, {"dz": 0.001, "scaled": False})
PREFERRED = (("quality", "instrument_type", "survey_rank"), ("quality",), ())


def policy_of(seed):
    """The policy that the sky of this seed is combined by, and whose radius it is scaled to."""
    rng = np.random.default_rng([seed, 1])
    classes = [{"star", "galactic"}, {"star", "galactic"}, {"qso"}, set()]
    return CombinePolicy(
        radius_arcsec=rng.choice([0.75, 0.75, 1.0, 0.3, 5.0, 60.0]),
        min_quality=int(rng.choice([3, 3, 0, 1, 4])),
        exclude_classes=frozenset(classes[rng.integers(len(classes))]),
        ineligible=rng.choice(["grouped", "grouped", "apart"]),
        agreement=AGREEMENTS[rng.integers(len(AGREEMENTS))],
        disagreement=rng.choice(["flag", "flag", "pick", "keep_all", "drop"]),
        prefer=PREFERRED[rng.integers(len(PREFERRED))],
    )


def sky(seed):
    """Measurements in any order: none for seed 0, one for seed 1, else some tens or hundreds."""
    rng = np.random.default_rng(seed)
    ra, dec = _positions(rng, policy_of(seed).radius_arcsec, dense=seed % 5 == 2)
    ra, dec = (values[:seed] if seed < 2 else values for values in (ra, dec))
    order = rng.permutation(len(ra))
    columns = {"ra": ra[order], "dec": dec[order], **_names(rng, len(ra)),
               **_values(rng, len(ra), equal=seed % 7 == 3)}
    return pa.table([pa.array(columns[name], type_) for name, type_ in
                     zip(MEASUREMENT_SCHEMA.names, MEASUREMENT_SCHEMA.types, strict=True)],
                    schema=MEASUREMENT_SCHEMA)


# --- places: ra and dec in degrees ----------------------------------------------------------------
def pole(rng):
    return rng.uniform(0, 360), rng.choice([-90.0, 90.0])


def seam_of_ra(rng):
    return rng.choice([0.0, LARGEST_RA]), rng.uniform(-89, 89)


def corner_of_three(rng):
    """Where three base pixels meet and not four: |sin dec| = 2/3."""
    return rng.choice([0.0, 90.0, 180.0, 270.0]), rng.choice([-1, 1]) * np.degrees(np.arcsin(2 / 3))


def corner_of_four(rng):
    return 45.0 * rng.integers(8), 0.0


def border_of_pixel(rng):
    """A corner, or a point of an edge, of a pixel of any order."""
    order = int(rng.choice([0, 0, 1, 3, 6, 10, 14, 29]))
    step = int(rng.choice([1, 5]))
    lon, lat = nested.vertices(rng.integers(12 * 4**order), order, step=step)
    one = rng.integers(lon.size)
    return lon.to_value(u.deg).ravel()[one] % 360, lat.to_value(u.deg).ravel()[one]


def anywhere(rng):
    return rng.uniform(0, 360), np.degrees(np.arcsin(rng.uniform(-1, 1)))


PLACES = (pole, seam_of_ra, corner_of_three, corner_of_four, border_of_pixel, anywhere)


# --- arrangements: ra and dec in degrees, of points around a place --------------------------------
def cloud(rng, place, radius):
    n = rng.integers(2, 40)
    return _moved(place, radius * rng.uniform(0.2, 3) * rng.rayleigh(1, n), _turns(rng, n))


def clump(rng, place, radius):
    n = rng.integers(200, 500)
    return _moved(place, radius * rng.uniform(1, 4) * np.sqrt(rng.random(n)), _turns(rng, n))


def chain(rng, place, radius):
    """Links a little shorter than the radius, some a little longer, through the place."""
    links = radius * (1 + rng.choice([-NEARLY, -NEARLY, -NEARLY, NEARLY], rng.integers(2, 15)))
    along = np.cumsum(links) - links.sum() / 2
    return _moved(place, along, _turns(rng, 1))


def copies(rng, place, radius):
    """Few positions, each several times to the last bit."""
    ra, dec = _moved(place, radius * rng.rayleigh(1, 4), _turns(rng, 4))
    again = rng.integers(0, 4, rng.integers(4, 20))
    return ra[again], dec[again]


def radius_apart(rng, place, radius):
    """Along a meridian, as near to the radius apart as floats allow."""
    ra, dec = place
    step = (-1 if dec > 0 else 1) * radius / 3600
    return np.full(4, ra), dec + step * np.arange(4)


def turned(rng, place, radius):
    """One declination at several right ascensions: one point if it is a pole."""
    ra, dec = place
    n = rng.integers(2, 8)
    return (ra + rng.choice([0, 90, 180, 1e-4, -1e-4], n)) % 360, np.full(n, dec)


def ring(rng, place, radius):
    """Opposite points are the radius apart, and all are half of it from the middle."""
    n = 2 * rng.integers(2, 6)
    ra, dec = _moved(place, np.full(n, radius / 2), np.arange(n) * 2 * np.pi / n)
    return np.append(ra, place[0]), np.append(dec, place[1])


ARRANGEMENTS = (cloud, cloud, chain, chain, copies, radius_apart, turned, ring)


def _positions(rng, radius, *, dense):
    """Points of a few arrangements, some of which share a place, and a few that are alone."""
    parts = [tuple(np.array([anywhere(rng) for _ in range(5)]).T)]
    for place in rng.permutation(np.array(PLACES))[:rng.integers(1, len(PLACES))]:
        point = place(rng)
        if rng.random() < 0.3:
            point = tuple(float(x[0]) for x in _moved(point, [radius * rng.random()],
                                                      _turns(rng, 1)))
        parts += [one(rng, point, radius)
                  for one in rng.choice(np.array(ARRANGEMENTS), rng.integers(1, 4))]
    if dense:
        parts.append(clump(rng, point, radius))
    ra, dec = (np.concatenate(each) for each in zip(*parts, strict=True))
    return ra, dec


def _turns(rng, n):
    return rng.uniform(0, 2 * np.pi, n)


def _moved(place, arcsec, turn):
    """Points so far from a place along great circles that leave it at these position angles."""
    (ra, dec), way = np.radians(place), np.radians(np.asarray(arcsec) / 3600)
    centre = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0])
    x, y, z = (centre[:, None] * np.cos(way)
               + np.sin(way) * (np.outer(east, np.sin(turn))
                                + np.outer(np.cross(centre, east), np.cos(turn))))
    lon = np.degrees(np.arctan2(y, x)) % 360
    return np.where(lon < 360, lon, 0.0), np.degrees(np.arctan2(z, np.hypot(x, y)))


# --- names and values -----------------------------------------------------------------------------
def _names(rng, n):
    """Survey and keys of every row, some keys repeated or made of the row, and its row_id."""
    places = rng.integers(0, len(SURVEYS), n)
    told = [SURVEYS[i] for i in places]
    keys = [_key(rng) for _ in range(n)]
    seen = Counter()
    ranks = []
    for (survey, _, _), key in zip(told, keys, strict=True):
        ranks.append(seen[survey, key])
        seen[survey, key] += 1
    survey, ordinal, release = zip(*told, strict=True) if n else ((), (), ())
    ids = ["\x1f".join((*each, str(rank)))
           for *each, rank in zip(survey, release, keys, ranks, strict=True)]
    return {
        "survey": survey, "survey_ordinal": ordinal, "release": release, "native_key": keys,
        "native_id": [None if key.startswith("row:") else key for key in keys],
        "native_rank": ranks, "row_id": [hash_of(text) for text in ids],
        "year": [YEARS[i] for i in places], "survey_rank": [RANKS[i] for i in places],
    }


def _key(rng):
    number = int(rng.choice([rng.integers(0, 30), rng.integers(0, 10**9)]))
    forms = ("{}", "{}/main/dark", "Größe {}", "row:{:032x}")
    return forms[rng.integers(len(forms))].format(number)


def hash_of(text):
    """The 63 bits of docs/reference/ids.md."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) & (2**63 - 1)


def _values(rng, n, *, equal):
    """Redshifts and what they are ranked by; of few values, or all of one."""
    def few(values, chances=None):
        places = rng.choice(len(values), n, p=chances) if not equal else np.zeros(n, int)
        return [values[place] for place in places]

    return {
        "z": [z + (rng.normal(0, 1e-3) if rng.random() < 0.5 else 0)
              for z in few([0.5, 0.5, 1.2, 0.0, 3.0])],
        "z_err": few([1e-4, 1e-4, 3e-4, 0.0, np.nextafter(1e-4, 0), None]),
        "quality": few([4, 4, 3, 3, 2, 1, 0]),
        "object_class": few(["galaxy", *CLASSES], [0.7, *[0.05] * 6]),
        "instrument_type": few(["s", "s", "g", "p"]),
        "native_flag": few(["4", None, "A"]), "pos_err": few([0.1, None]),
        "snr": few([3.0, 3.0, 9.0, None]),
    }
