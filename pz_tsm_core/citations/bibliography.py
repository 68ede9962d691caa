"""Works by their ADS bibcodes: as BibTeX, and as a short line for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from pybtex.database import Entry, parse_string

#: Up to so many authors are all named in a short line.
_ALL_NAMED = 2

#: What a BibTeX key may not hold, and all else that is not in a bibcode.
_NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9.&+:/_-]")


def bibtex(bibcodes: Iterable[str]) -> str:
    """BibTeX entries of the works, each once, in the order of their bibcodes.

    A bibcode that the library does not know (a user's survey definition may name any) becomes an
    entry with its address at ADS and nothing else.

    Examples
    --------
    >>> print(bibtex(["2024arXiv240100001X"]))
    @misc{2024arXiv240100001X,
      title = {2024arXiv240100001X},
      adsurl = {https://ui.adsabs.harvard.edu/abs/2024arXiv240100001X},
    }
    <BLANKLINE>
    """
    # BibTeX does not tell the cases of a key apart.
    codes = {_key(code).lower(): code for code in sorted(set(bibcodes), reverse=True)}
    return "\n".join(_known(code) or _unknown(code) for code in sorted(codes.values()))


def cite(bibcode: str) -> str:
    """A short line for people; the bibcode itself where the work is not known.

    >>> cite("2001MNRAS.328.1039C")
    'Colless et al. 2001, MNRAS 328, 1039'
    >>> cite("rubin_dp1")
    'NSF-DOE Vera C. Rubin Observatory 2025, doi:10.71929/rubin/2570308'
    """
    entry = _references().get(bibcode)
    if entry is None:
        return bibcode
    return f"{_authors(entry)} {entry.fields['year']}, {_where(bibcode, entry.fields)}"


def _where(bibcode: str, fields: Mapping[str, str]) -> str:
    if "volume" in fields:
        journal, page = bibcode[4:9].rstrip("."), fields["pages"].split("--")[0]
        return f"{journal} {fields['volume']}, {page}"
    return f"arXiv:{fields['eprint']}" if "eprint" in fields else f"doi:{fields['doi']}"


@cache
def _references() -> Mapping[str, Entry]:
    """Entries of references.bib by their keys."""
    text = (files(__package__) / "references.bib").read_text("utf-8")
    return dict(parse_string(text, "bibtex").entries.items())


def _known(bibcode: str) -> str:
    """The entry of a work in one layout (pybtex's writer escapes addresses); empty if unknown."""
    entry = _references().get(bibcode)
    if entry is None:
        return ""
    authors = " and ".join(str(person) for person in entry.persons["author"])
    return _entry(entry.type, bibcode, {"author": authors, **entry.fields})


def _unknown(bibcode: str) -> str:
    title = re.sub(r"([&_])", r"\\\1", _key(bibcode))  # LaTeX gives them another meaning
    address = f"https://ui.adsabs.harvard.edu/abs/{quote(bibcode, safe='&+:')}"
    return _entry("misc", _key(bibcode), {"title": title, "adsurl": address})


def _key(bibcode: str) -> str:
    return _NOT_IN_A_KEY.sub("_", bibcode)


def _entry(type_: str, key: str, fields: Mapping[str, str]) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{type_}{{{key},\n{lines}}}\n"


def _authors(entry: Entry) -> str:
    persons = entry.persons["author"]
    names = ["".join(map(str, person.rich_last_names)) for person in persons]
    if len(names) > _ALL_NAMED or names[-1] == "others":
        return f"{names[0]} et al."
    return " & ".join(names)
