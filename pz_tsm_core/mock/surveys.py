"""The redshift surveys of the mock sky."""

from __future__ import annotations

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.mock import native
from pz_tsm_core.mock.targets import MockSurvey

SURVEYS = (
    MockSurvey("desi_dr1", "desi_dr1.fits", share=0.45, z_range=(0.0, 1.7),
               qualities={0: 0.05, 1: 0.1, 3: 0.05, 4: 0.8}, encode=native.desi_dr1,
               id_column="TARGETID", z_decimals=12, hard=True),
    MockSurvey("2dfgrs", "2dfgrs.csv", share=0.12, z_range=(0.0, 0.3),
               qualities={0: 0.03, 1: 0.05, 3: 0.12, 4: 0.8}, encode=native.two_df_grs,
               id_column="name", z_decimals=4),
    MockSurvey("6dfgs", "6dfgs.csv", share=0.08, z_range=(0.0, 0.2),
               qualities={0: 0.05, 1: 0.05, 3: 0.1, 4: 0.8}, encode=native.six_df_gs,
               id_column="SPECID"),
    MockSurvey("primus", "primus.fits", share=0.2, z_range=(0.1, 1.2),
               qualities={1: 0.2, 2: 0.25, 3: 0.55}, encode=native.primus, id_column="OBJNAME",
               instruments={"g": 1.0}, z_error={"g": 0.005}, star_quality=0),
    MockSurvey("vandels", "vandels.parquet", share=0.05, z_range=(0.8, 4.0),
               qualities={0: 0.05, 1: 0.12, 2: 0.15, 3: 0.1, 4: 0.58}, encode=native.vandels,
               id_column="id", z_decimals=4, deep_only=True, stars=0.0),
    MockSurvey("3dhst", "3dhst.parquet", share=0.1, z_range=(0.3, 3.5),
               qualities={0: 0.2, 3: 0.8}, encode=native.hst3d, id_column="phot_id",
               instruments={"s": 0.1, "g": 0.4, "p": 0.5},
               z_error={"s": 2e-4, "g": 0.003, "p": 0.03}, z_decimals=5, deep_only=True,
               star_quality=0),
)


def chosen_surveys(keys: tuple[str, ...]) -> tuple[MockSurvey, ...]:
    """The surveys of these keys, or all.

    Raises
    ------
    TsmError
        survey.unknown, naming the nearest key
    """
    known = {survey.key: survey for survey in SURVEYS}
    for key in keys:
        if key not in known:
            raise refuse(Code.SURVEY_UNKNOWN, "surveys of the mock sky", found=key,
                         expected="the key of a mock survey", remedy=nearest(key, known))
    return tuple(survey for key, survey in known.items() if key in keys or not keys)
