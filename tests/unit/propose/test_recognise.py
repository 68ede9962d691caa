"""A survey is recognised among all there are, or it is said that several look the same."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from pz_tsm_core.inspection.column import columns_of
from pz_tsm_core.propose.entry import as_own, as_survey
from pz_tsm_core.surveys import get_survey, survey_keys

SAMPLES = Path(__file__).parents[2] / "surveys" / "samples"
TYPES = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "bool": pa.bool_()}


def sample(key):
    types = {name: TYPES[type_] for name, type_ in get_survey(key).types.items()}
    return pa.csv.read_csv(SAMPLES / f"{key}.csv", convert_options=pa.csv.ConvertOptions(
        column_types=types, strings_can_be_null=True))


def recognised(file_name, table):
    """Key of the survey that a table is taken for; what is said of it, and what with a mark."""
    entry = as_survey(file_name, table, columns_of(table))
    found = [each for each in entry.findings if each.about == "survey"] if entry else []
    return (entry and entry.name, " ".join(each.text for each in found),
            " ".join(each.text for each in found if each.check))


@pytest.mark.parametrize("key", survey_keys())
def test_no_survey_is_taken_for_another(key):
    table = sample(key)
    assert recognised(f"{key}.csv", table)[0] in (key, None)
    taken_for, _, marked = recognised("table.csv", table)
    assert taken_for in (key, None) or key in marked


def test_a_release_is_told_by_the_name_of_the_file():
    rows = sample("desi_dr1")
    rows = pa.concat_tables([rows.filter(pa.compute.field("ZWARN") == 0)] * 3)
    assert recognised("desi_dr1_zall.csv", rows)[0] == "desi_dr1"
    key, told, marked = recognised("DESI-EDR.csv", rows)
    assert key == "desi_edr"
    assert "next best: desi_dr1, 11 of the 11 columns of DESI DR1" in told
    assert not marked


def test_of_releases_that_are_read_alike_one_is_taken_and_marked():
    key, _, marked = recognised("table.csv", sample("deep3"))
    assert (key, marked) == ("deep2_dr4", "as much speaks for deep3: write the right key")


def test_of_surveys_that_mean_other_things_by_the_same_flag_none_is_taken():
    """The tables of the DES compilation: the flag 1 is the best of SpARCS, and the worst of all."""
    table = sample("sparcs")
    assert recognised("table.csv", table)[0] is None
    own = as_own("mine", "table.csv", table, columns_of(table))
    [told] = [each.text for each in own.findings if each.text.startswith("resembles")]
    assert "write `survey: spt_gmos`; as much speaks for glass, atlas_atca, sparcs" in told
    graded = table.filter(pa.compute.field("flag_survey").isin(["1", "2", "3", "4"]))
    assert recognised("table.csv", graded)[0] is None
    assert recognised("sparcs.csv", graded)[0] == "sparcs"


def test_one_word_of_a_name_and_common_columns_are_no_survey():
    """ELG is what many people call their emission-line galaxies."""
    table = sample("elg_figs")
    assert recognised("my_elg.csv", table)[0] is None
    assert recognised("elg_figs.csv", table)[0] == "elg_figs"
