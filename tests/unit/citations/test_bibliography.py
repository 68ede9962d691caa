"""The BibTeX file: whole, without a stray entry, and true to the bibcodes that key it."""

import re
from importlib.resources import files

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import parse_string

from pz_tsm_core.citations import bibtex, cite
from pz_tsm_core.dust import get_coefficients, get_map
from pz_tsm_core.releases import get_release, release_keys
from pz_tsm_core.surveys import registry

#: Characters 5 to 9 of a bibcode, and what they stand for.
JOURNALS = {
    "MNRAS": "Monthly Notices of the Royal Astronomical Society",
    "ApJ..": "The Astrophysical Journal",
    "ApJS.": "The Astrophysical Journal Supplement Series",
    "AJ...": "The Astronomical Journal",
    "A&A..": "Astronomy and Astrophysics",
    "A&C..": "Astronomy and Computing",
    "PASA.": "Publications of the Astronomical Society of Australia",
    "JOSS.": "The Journal of Open Source Software",
    "RAA..": "Research in Astronomy and Astrophysics",
    "ASSL.": "Astrophysics and Space Science Library",
    "SPIE.": "Proceedings of the SPIE",
    "arXiv": "arXiv e-prints",
}
#: Pages that the five characters of a bibcode do not hold.
PAGES = {"2012SPIE.8446E..0JM": "84460J", "2016PASA...33....1L": "e001"}
#: ADS took a middle name for the author's.
INITIALS = {"2018JOSS....3..695M": "G"}
WITHOUT_BIBCODE = {"rubin_dp1", "rubin_dp1_paper", "zenodo_12728524"}


def dust(name):
    return yaml.safe_load((files("pz_tsm_core.dust") / name).read_text("utf-8"))


def named():
    """Every work that the library's data name, with what names it."""
    works = {(survey.key, work) for survey in registry().values() for work in survey.citation}
    works |= {(key, work) for key in release_keys() for work in get_release(key).citation}
    works |= {(key, work) for key in dust("maps.yaml")["maps"] for work in get_map(key).citation}
    return works | {(key, work) for key in dust("coefficients.yaml")["sets"]
                    for work in get_coefficients(key).citation}


@pytest.fixture(scope="module")
def entries():
    text = (files("pz_tsm_core.citations") / "references.bib").read_text("utf-8")
    return dict(parse_string(text, "bibtex").entries.items())


def test_every_survey_release_map_and_set_of_coefficients_names_a_work():
    naming = {key for key, _ in named()}
    published = set(release_keys()) - {"generic"}  # names that anybody's catalogue may have
    assert naming == {*registry(), *published, *dust("maps.yaml")["maps"],
                      *dust("coefficients.yaml")["sets"]}


def test_every_named_work_has_an_entry_and_every_entry_is_named(entries):
    assert {work for _, work in named()} == set(entries)


def test_an_entry_says_what_its_bibcode_says(entries):
    """Year, journal, volume, page and the first author's initial are parts of a bibcode."""
    for code in entries.keys() - WITHOUT_BIBCODE:
        assert len(code) == 19, code
        entry = entries[code]
        fields = entry.fields
        assert fields["year"] == code[:4], code
        assert fields.get("journal", fields.get("series")) == JOURNALS[code[4:9]], code
        first = "".join(entry.persons["author"][0].last_names).strip("{}")
        assert first[0].upper() == INITIALS.get(code, code[18]), code
        assert fields["adsurl"] == f"https://ui.adsabs.harvard.edu/abs/{code}"
        page = PAGES.get(code, code[13:18].strip(".").replace(".", ""))
        if code[4:9] == "arXiv":
            assert fields["eprint"] == f"{code[9:13]}.{page}", code
        else:
            assert fields["volume"] == code[9:13].strip("."), code
            assert fields["pages"].split("--")[0] == page, code
        assert fields.get("eid", fields["pages"]) == fields["pages"], code


def test_an_address_of_the_iop_says_volume_and_page(entries):
    checked = 0
    for code, entry in entries.items():
        doi = entry.fields.get("doi", "")
        if match := re.fullmatch(r"10\.(?:1088|3847)/[0-9X-]+/(\d+)/\d+/(\d+)", doi):
            assert match.groups() == (entry.fields["volume"], entry.fields["pages"]), code
            checked += 1
    assert checked >= 6


def test_no_address_stands_twice(entries):
    dois = [entry.fields["doi"] for entry in entries.values() if "doi" in entry.fields]
    assert len(set(dois)) == len(dois)


def test_what_is_given_is_what_is_stored(entries):
    given = parse_string(bibtex(entries), "bibtex").entries
    assert list(given) == sorted(entries)
    for code, entry in entries.items():
        assert given[code] == entry, code
    assert "A&A...647A.150G}" in bibtex(["2021A&A...647A.150G"])  # an address is not escaped


def test_one_survey_gives_exactly_its_works():
    given = parse_string(bibtex(registry()["primus"].citation), "bibtex").entries
    assert set(given) == {"2011ApJ...741....8C", "2013ApJ...767..118C"}


def test_neither_order_nor_repeats_change_what_is_given():
    codes = ["2015A&A...576A..79L", "mine", "1998ApJ...500..525S"]
    assert bibtex([*codes, *codes]) == bibtex(reversed(codes))
    assert bibtex([]) == ""


def test_an_unknown_work_becomes_an_entry_with_its_address():
    entry = parse_string(bibtex(["2024A&A...999A...1X"]), "bibtex").entries["2024A&A...999A...1X"]
    assert entry.type == "misc"
    assert entry.fields["adsurl"] == "https://ui.adsabs.harvard.edu/abs/2024A&A...999A...1X"
    assert entry.fields["title"] == r"2024A\&A...999A...1X"  # else LaTeX begins a column


@given(st.lists(st.text(min_size=1, max_size=25), max_size=4))
def test_whatever_a_user_calls_a_work_the_file_stays_readable(codes):
    given = parse_string(bibtex(["2001MNRAS.328.1039C", *codes]), "bibtex").entries
    assert given["2001MNRAS.328.1039C"].fields["volume"] == "328"
    assert len(given) <= 1 + len(codes)


@pytest.mark.parametrize(("code", "line"), [
    ("2001MNRAS.328.1039C", "Colless et al. 2001, MNRAS 328, 1039"),
    ("2011ApJ...737..103S", "Schlafly & Finkbeiner 2011, ApJ 737, 103"),
    ("1998ApJ...500..525S", "Schlegel et al. 1998, ApJ 500, 525"),
    ("2015A&A...576A..79L", "Le Fèvre et al. 2015, A&A 576, A79"),
    ("2016ApJS..225...27M", "Momcheva et al. 2016, ApJS 225, 27"),
    ("2025arXiv250314745D", "DESI Collaboration et al. 2025, arXiv:2503.14745"),
    ("rubin_dp1", "NSF-DOE Vera C. Rubin Observatory 2025, doi:10.71929/rubin/2570308"),
    ("2024A&A...999A...1X", "2024A&A...999A...1X"),
])
def test_a_short_line_names_authors_year_and_place(code, line):
    assert cite(code) == line


def test_every_work_has_a_short_line(entries):
    assert all(entry.fields["year"] in cite(code) for code, entry in entries.items())


def test_credit_does_not_change_the_digest_of_a_release():
    release = get_release("dp1")
    assert release.model_copy(update={"citation": (), "acknowledgement": ""}).digest == (
        release.digest)
