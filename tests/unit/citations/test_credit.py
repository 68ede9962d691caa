"""Credit for what is in a result, and for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import parse_string
from pydantic import ValidationError

from pz_tsm_core.citations import as_bibtex, as_text
from pz_tsm_core.dust import get_coefficients, get_map
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.surveys import get_survey


def survey(key, rows):
    of = get_survey(key)
    return Cited(kind="survey", key=key, name=of.name, release=of.release, bibcodes=of.citation,
                 acknowledgement=of.acknowledgement, rows=rows)


SFD, SF11 = get_map("sfd"), get_coefficients("sf11")
CITED = (
    survey("2dfgrs", 1), survey("primus", 12_345),
    Cited(kind="own table", key="mine", name="my spectra", rows=20),
    Cited(kind="dust map", key="sfd", name=SFD.name, bibcodes=SFD.citation, rows=99),
    Cited(kind="coefficients", key="sf11", name=SF11.name, bibcodes=SF11.citation, rows=99),
)
PAGE = """\
# Acknowledgements

## Redshift surveys

- PRIMUS DR1 (`primus`), release DR1: 12,345 redshifts.
  Cite Coil et al. 2011, ApJ 741, 8; Cool et al. 2013, ApJ 767, 118.
  Acknowledge: Funding for PRIMUS is provided by NSF (AST-0607701, AST-0908246, AST-0908442, \
AST-0908354) and NASA (Spitzer-1356708, 08-ADP08-0019, NNX09AC95G).

- 2dF Galaxy Redshift Survey, final (`2dfgrs`), release final: 1 redshift.
  Cite Colless et al. 2001, MNRAS 328, 1039.

## Tables of your own

- my spectra (`mine`): 20 redshifts.
  Your own; there is nothing to cite.

## Dust map

- Schlegel, Finkbeiner & Davis 1998 (`sfd`): 99 values.
  Cite Schlegel et al. 1998, ApJ 500, 525; Green 2018, JOSS 3, 695.

## Extinction coefficients

- Schlafly & Finkbeiner 2011 (`sf11`): 99 values.
  Cite Schlafly & Finkbeiner 2011, ApJ 737, 103.
"""


@given(st.permutations(CITED))
def test_the_page_counts_and_credits_each_in_an_order_of_its_own(cited):
    assert as_text(cited) == PAGE


@given(st.permutations(CITED))
def test_the_entries_are_those_of_what_is_cited(cited):
    assert list(parse_string(as_bibtex(cited), "bibtex").entries) == [
        "1998ApJ...500..525S", "2001MNRAS.328.1039C", "2011ApJ...737..103S",
        "2011ApJ...741....8C", "2013ApJ...767..118C", "2018JOSS....3..695M"]


def test_an_own_table_alone_gives_no_entry():
    assert as_bibtex([CITED[2]]) == ""


def test_a_text_of_others_stays_in_its_paragraph():
    shouting = Cited(kind="survey", key="s", name="My\n# Results", rows=2,
                     acknowledgement="Thanks.\n\n## Redshift surveys\n- fake: 9 redshifts")
    headings = [line for line in as_text([shouting]).splitlines() if line.startswith("#")]
    assert headings == ["# Acknowledgements", "## Redshift surveys"]


@pytest.mark.parametrize("wrong", [
    {"rows": 0}, {"kind": "own table", "bibcodes": ("2001MNRAS.328.1039C",)},
    {"kind": "own table", "acknowledgement": "Thanks."}, {"kind": "galaxy"}, {"name": ""},
])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        Cited(**{"kind": "survey", "key": "s", "name": "s", "rows": 1, **wrong})
