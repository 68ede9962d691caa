"""The page that sets our grades beside those of an existing pipeline tells the truth."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from pz_tsm_core.surveys import get_survey, registry

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "surveys_agreement.md"

#: What the other pipeline calls each survey.
THEIR_NAMES = {
    "2dfgrs": "2DFGRS", "6dfgs": "6DFGS", "primus": "PRIMUS", "3dhst": "3D-HST",
    "vandels": "VANDELS", "desi_dr1": "DESI", "2dflens": "2DFLENS", "2mrs": "2MRS",
    "mosdef": "MOSDEF", "vimos_goods": "VIMOS", "vuds_dr1": "VUDS",
    "astrodeep_gs43": "ASTRODEEP", "candels": "CANDELS",
}
#: Their id is this part of ours, counted from 0, where ours has several.
PART = {"3dhst": 1, "mosdef": 1}
STAR = 6  # the quality of a star there
NOT_EXTRAGALACTIC = ["star", "galactic"]
SAME_ROW = ["id", "ra", "dec", "z", "copy"]


def tables():
    """The two tables of the page, each a list of rows, each a list of cells."""
    blocks, rows = [], []
    for line in [*PAGE.read_text("utf-8").splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            blocks.append(rows[2:])  # without the head and the line below it
            rows = []
    return blocks


@pytest.fixture(scope="module")
def balance():
    """Survey -> rows, equal, different, left out, as the page says."""
    return {row[0]: tuple(map(int, row[1:])) for row in tables()[0]}


@pytest.fixture(scope="module")
def kinds():
    """(Survey, there, here) -> rows, as the page says."""
    return {(key, there, here): int(rows) for key, there, here, rows, _ in tables()[1]}


def test_the_page_lists_every_survey_and_every_kind_once_with_a_reason(kinds):
    assert [row[0] for row in tables()[0]] == [key for key in registry() if key in THEIR_NAMES]
    assert len(kinds) == len(tables()[1])
    assert all(len(why) > 5 for *_, why in tables()[1])


def test_the_page_adds_up(balance, kinds):
    assert sum(rows for rows, *_ in balance.values()) == 12_698
    told = Counter()
    for (key, _, here), rows in kinds.items():
        told[key, " " in here] += rows  # a reason to leave is one word
    for key, (rows, equal, different, left) in balance.items():
        assert rows == equal + different + left
        assert (told[key, True], told[key, False]) == (different, left)


def theirs(shared_data, key):
    """Rows of the other pipeline's result, with what tells a row from all others."""
    frame = pd.read_parquet(shared_data / "linea" / "crd_13_catalogues.parquet")
    frame = frame[frame.survey == THEIR_NAMES[key]]
    frame = frame.astype(dict.fromkeys(("ra", "dec", "z"), float))
    return with_copies(frame.assign(id=frame.id.str.strip().str.removesuffix(".0")))


def ours(standardized, key):
    frame = standardized(key).table.to_pandas()
    ids = frame.native_id.astype(object)  # null in all rows of CANDELS
    return with_copies(frame.assign(id=[
        None if pd.isna(id_) else id_.split("/")[PART.get(key, 0)] for id_ in ids]))


def with_copies(frame):
    """Number the rows that are equal in all by which rows are matched."""
    return frame.assign(copy=frame.groupby(SAME_ROW[:-1], dropna=False).cumcount())


def reason(key, z):
    """Why a redshift cannot be used, from the values alone."""
    sentinels = get_survey(key).columns.z.nulls
    unknown = pd.isna(z) or any(abs(z - sentinel) < 1e-5 for sentinel in sentinels)
    return "no_redshift" if unknown else "redshift_out_of_range"


def compared(there, here, key):
    """(Survey, there, here) -> rows, of those that differ; and how many are equal."""
    both = there.merge(here, on=SAME_ROW, how="left", suffixes=("_there", ""), indicator=True)
    found, equal = Counter(), 0
    for row in both.itertuples():
        flag, kind = int(row.z_flag_homogenized), row.instrument_type_homogenized
        if row.quality != row.quality:  # NaN: the row is not here
            found[key, f"{flag} {kind}", reason(key, row.z)] += 1
        elif (flag, kind, flag == STAR) == (
                row.quality, row.instrument_type, row.object_class in NOT_EXTRAGALACTIC):
            equal += 1
        else:
            mine = f"{int(row.quality)} {row.object_class} {row.instrument_type}"
            found[key, f"{flag} {kind}", mine] += 1
    return found, equal


@pytest.mark.parametrize("key", THEIR_NAMES)
def test_the_page_says_of_every_real_row_what_became_of_it(
        key, shared_data, standardized, balance, kinds):
    there, here = theirs(shared_data, key), ours(standardized, key)
    assert here.merge(there, on=SAME_ROW).row_id.nunique() == len(here)  # each of ours is there
    found, equal = compared(there, here, key)
    assert found == {kind: rows for kind, rows in kinds.items() if kind[0] == key}
    assert (len(there), equal) == balance[key][:2]
    left = Counter()
    for (_, _, what), rows in found.items():
        if " " not in what:
            left[what] += rows
    assert left == standardized(key).rows.dropped
