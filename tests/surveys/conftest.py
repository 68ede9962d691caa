"""Real rows of every survey, where the folder of real data is.

The samples (1,000 random rows each, 698 of VUDS) are those of the repository
linea-it/pzserver_combine_redshift_dedup; they are no part of this project.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from pz_tsm_core.ops.standardize import Standardized
from pz_tsm_core.ops.standardize import standardize as standardize_table
from pz_tsm_core.readers import read_table
from pz_tsm_core.surveys import get_survey

FILES = {
    "2dfgrs": "2dfgrs_final_release", "6dfgs": "6dfgs_dr3", "primus": "primus_dr1",
    "3dhst": "3dhst_v4.1.5", "vandels": "vandels_dr4",
    "desi_dr1": "desi_dr1_in_lsst_dp1_fields", "2dflens": "2dflens_final_release",
    "2mrs": "2mrs_v240", "mosdef": "mosdef_final_release", "vimos_goods": "vlt_vimos_v2.0.1",
    "vuds_dr1": "vuds_dr1", "astrodeep_gs43": "astrodeep-gs43",
    "candels": "z_cat_CANDELS_clean_sitcomtn-154",
}


@pytest.fixture(scope="session")
def sample(shared_data: Path) -> Callable[[str], Path]:
    """The file with real rows of a survey."""
    return lambda key: shared_data / "specz" / f"{FILES[key]}_random_sample.parquet"


@pytest.fixture(scope="session")
def standardized(sample: Callable[[str], Path]) -> Callable[[str], Standardized]:
    """What the real rows of a survey become."""

    @cache
    def done(key: str) -> Standardized:
        survey = get_survey(key)
        return standardize_table(read_table(sample(key), columns=survey.native_columns), survey)

    return done
