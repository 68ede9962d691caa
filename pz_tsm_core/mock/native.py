"""How six surveys write a measurement: column names, types, flags, sentinels and odd ids.

Each function turns true qualities into native flags by the survey's published meaning, written
down here independently of the rule files (`surveys/data`), which must find the way back. Shapes
follow the public releases (samples of 1,000 rows of each, 2026).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pz_tsm_core.mock.galaxies import QSO, STAR
from pz_tsm_core.mock.targets import Measurements

Int64s = npt.NDArray[np.int64]
REPEATED_ID = 0.01  # fraction of rows that carry the id of another row, where ids can repeat
MISSING_ID = 0.01  # fraction of rows without an id, where ids can be missing


def desi_dr1(seen: Measurements, rng: np.random.Generator) -> pa.Table:
    """DESI DR1 zcatalog: ZWARN bits, ZERR and ZCAT_PRIMARY tell the quality (0, 1, 3 or 4).

    Some failures are sky fibres with negative TARGETID; repeats keep the TARGETID.
    """
    n = len(seen)
    failed = seen.quality == 0
    sky_fibre = failed & ~seen.hard & (rng.random(n) < 0.5)
    z_err = np.where(seen.quality == 3, rng.uniform(1.1e-3, 2e-3, n), rng.uniform(1e-5, 2e-4, n))
    warned = np.where(sky_fibre, 1, rng.choice([4, 5, 36], n))
    target = 39_627_000_000_000_000 + seen.number
    return pa.table({
        "TARGETID": np.where(sky_fibre, -1 - np.arange(n), target),
        "SURVEY": _constant("main", n), "PROGRAM": rng.choice(["dark", "bright", "backup"], n),
        "HEALPIX": (seen.number >> 17).astype(np.int32),
        "Z": np.where(failed, rng.uniform(0, 1.6, n), seen.z),
        "ZERR": z_err,
        "ZWARN": np.where(seen.quality >= 3, 0, warned),
        "CHI2": rng.uniform(5e3, 1e4, n),
        "SPECTYPE": np.select([seen.object_class == STAR, seen.object_class == QSO],
                              ["STAR", "QSO"], "GALAXY"),
        "SUBTYPE": np.where(seen.object_class == STAR, "K", ""),
        "DELTACHI2": np.where(seen.quality >= 3, rng.uniform(40, 4e3, n), rng.uniform(0, 9, n)),
        "COADD_FIBERSTATUS": np.zeros(n, np.int32),
        "TARGET_RA": seen.ra, "TARGET_DEC": seen.dec,
        "OBJTYPE": np.where(sky_fibre, "SKY", "TGT"),
        "ZCAT_NSPEC": (1 + seen.repeat).astype(np.int16),
        "ZCAT_PRIMARY": ~failed,
        "survey_name": _constant("DESI", n),
    })


def two_df_grs(seen: Measurements, rng: np.random.Generator) -> pa.Table:
    """2dFGRS final release: quality 1 to 5, z of -9 where there is none, no flag for stars.

    Some names are missing.
    """
    n = len(seen)
    top = 4 + (rng.random(n) < 0.3)
    name = np.array([f"TGS{field:03d}Z{fibre:03d}" for field, fibre in
                     zip(rng.integers(100, 927, n), rng.integers(1, 401, n), strict=True)])
    z = np.where(seen.quality == 0, -9.0, seen.z)
    return pa.table({
        "serial": 1 + np.arange(n), "spectra": 1 + seen.repeat.astype(np.int64),
        "name": pa.array(name, mask=rng.random(n) < MISSING_ID),
        "UKST": rng.integers(76, 893, n),
        "ra_j2000_deg": seen.ra, "dec_j2000_deg": seen.dec,
        "BJSEL": np.round(seen.i_mag + 1.2, 2),
        "z": z, "z_helio": z,  # the Earth of the mock stands still
        "obsrun": rng.choice(["99OCT", "00SEP", "01MAR"], n),
        "quality": np.choose(seen.quality, [1, 2, 2, 3, top]),
        "abemma": rng.choice([1, 2, 3], n, p=[0.76, 0.2, 0.04]),
        "SNR": np.round(rng.uniform(0.6, 30, n), 1),
        "survey_name": _constant("2DFGRS", n),
    })


def six_df_gs(seen: Measurements, rng: np.random.Generator) -> pa.Table:
    """6dFGS DR3: QUALITY 1 to 4, and 6 for stars; Z of -9.999 where there is none.

    TARGETID repeats for another spectrum of a target, and names are padded.
    """
    n = len(seen)
    flag = np.choose(seen.quality, [1, 2, 2, 3, 4])
    z = np.where(seen.quality == 0, -9.999, seen.z)
    star = seen.object_class == STAR
    return pa.table({
        "SPECID": 25 + np.arange(n), "TARGETID": seen.number % 500_000,
        "TARGETNAME": np.array([f"{'g' + format(number % 10**13, '014d'):>32}"
                                for number in seen.number]),
        "RA_deg": seen.ra, "DEC_deg": seen.dec,
        "Z": z, "QUALITY": np.where(star, 6, flag), "Z_HELIO": z,
        "R_CRCOR": np.round(rng.uniform(1, 20, n), 2),
        "Z_COMM": np.where(star, f"{'star':>29}", " " * 29),
        "survey_name": _constant("6DFGS", n),
    })


def primus(seen: Measurements, rng: np.random.Generator) -> pa.Table:
    """PRIMUS DR1: ZQUALITY 2 to 4, and -1 (with Z = 0) for stars; a prism, so qualities 1 to 3.

    Some OBJNAMEs repeat.
    """
    n = len(seen)
    star = seen.object_class == STAR
    name = _with_repeats(np.array([f"{mask:04d}-{slit:05d}" for mask, slit in
                                   zip(rng.integers(4, 238, n), np.arange(n), strict=True)]), rng)
    return pa.table({
        "OBJNAME": name, "RA": seen.ra, "DEC": seen.dec,
        "SURVEY": _constant("cfhtls_xmm  ", n), "FIELD": _constant("cfhtls_xmm   ", n),
        "MASK": np.array([f"xmma{mask:04d}" for mask in rng.integers(1, 124, n)]),
        "Z": np.where(star, 0.0, seen.z).astype(np.float32),
        "ZQUALITY": np.where(star, -1, seen.quality + 1).astype(np.int16),
        "PRIMARY": (~seen.repeat).astype(np.int16),
        "CLASS": np.select([star, seen.object_class == QSO], ["STAR  ", "AGN   "], "GALAXY"),
        "WEIGHT": rng.choice([-1.0, 1.027, 1.798], n).astype(np.float32),
        "TARGET_MAG": seen.i_mag.astype(np.float32),
        "survey_name": _constant("PRIMUS", n),
    })


def vandels(seen: Measurements, rng: np.random.Generator) -> pa.Table:
    """VANDELS DR4: flags 0 to 4, 9 for a single line (quality 3), plus 10 for AGN; padded ids.

    zspec is 9.9999 where there is none; some ids are missing.
    """
    n = len(seen)
    digit = np.choose(seen.quality, [0, 1, 2, 9, np.where(rng.random(n) < 0.4, 3, 4)])
    agn = (seen.object_class == QSO) & (seen.quality > 0)
    name = np.array([f"{f'CDFS{number:06d}':<25}" for number in range(n)])
    return pa.table({
        "id": pa.array(name, mask=rng.random(n) < MISSING_ID),
        "alpha": seen.ra, "delta": seen.dec,
        "zspec": np.where(seen.quality == 0, 9.9999, seen.z).astype(np.float32),
        "zflg": (digit + 10 * agn).astype(np.float32),
        "zphot": np.round(np.maximum(0.01, seen.z_true + rng.normal(0, 0.1, n)), 3)
                   .astype(np.float32),
        "survey_name": _constant("VANDELS", n),
    })


def hst3d(seen: Measurements, rng: np.random.Generator) -> pa.Table:
    """3D-HST 4.1.5: z_best_s says how z was measured (0 marks a star); qualities 0 or 3.

    phot_id counts within each of five fields, so it repeats; z_best is -1 where there is none.
    """
    n = len(seen)
    kind = np.select([seen.instrument == "s", seen.instrument == "g"], [1, 2], 3)
    good, star = seen.quality == 3, seen.object_class == STAR
    z = np.where(seen.quality == 0, -1.0, seen.z)
    width = np.where(kind == 3, 0.05, 0.003) * (1 + seen.z_true)
    field = rng.integers(1, 6, n)
    return pa.table({
        "phot_id": 28 + np.arange(n) // 5,
        "grism_id": np.where(kind == 2, "uds-28-G141", "00000"),
        "ra": seen.ra, "dec": seen.dec,
        "z_best": z, "z_best_s": np.where(star, 0, kind),
        "z_spec": np.where((kind == 1) & good, z, -1.0),
        "use_zgrism": np.where(kind == 2, good.astype(np.int64), -1),
        "use_phot": np.where(kind == 3, good, True).astype(np.int64),  # noqa: FBT003
        "flag1": np.where(kind == 2, np.where(good, 0, 1), -1),
        "flag2": np.where(kind == 2, np.where(good, 0, rng.integers(0, 3, n)), -1),
        "z_best_l68": z - width, "z_best_u68": z + width,
        "jh_mag": np.round(seen.i_mag - 0.8, 4),
        "field": np.array(["", "aegis", "cosmos", "goodsn", "goodss", "uds"])[field],
        "survey_name": _constant("3D-HST", n),
    })


def _with_repeats(ids: npt.NDArray[np.str_], rng: np.random.Generator) -> npt.NDArray[np.str_]:
    """Give a few rows the id of the row before."""
    again = np.flatnonzero(rng.random(len(ids)) < REPEATED_ID)
    repeated = ids.copy()
    repeated[again] = ids[np.maximum(again - 1, 0)]
    return repeated


def _constant(text: str, n: int) -> npt.NDArray[np.str_]:
    return np.full(n, text)
