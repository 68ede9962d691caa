"""Credit for what a result is made of: as BibTeX, and as a page for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from pz_tsm_core.citations.bibliography import bibtex, cite
from pz_tsm_core.model.citation import Cited, CitedKind

_HEADINGS: dict[CitedKind, str] = {
    "survey": "Redshift surveys",
    "own table": "Tables of your own",
    "object catalogue": "Object catalogue",
    "dust map": "Dust map",
    "coefficients": "Extinction coefficients",
}
#: What is counted of each kind: one, and several.
_COUNTED: dict[CitedKind, tuple[str, str]] = {
    "survey": ("redshift", "redshifts"),
    "own table": ("redshift", "redshifts"),
    "object catalogue": ("object", "objects"),
    "dust map": ("value", "values"),
    "coefficients": ("value", "values"),
}


def as_bibtex(cited: Iterable[Cited]) -> str:
    """BibTeX entries of every work that is to be cited, each once; empty if there is none."""
    return bibtex(bibcode for one in cited for bibcode in one.bibcodes)


def as_text(cited: Iterable[Cited]) -> str:
    """A Markdown page: what survives of each survey, table, catalogue and map, and its credit.

    The order of `cited` does not matter: kinds stand in the order of the pipeline, and in each the
    largest first.
    """
    ordered = sorted(cited, key=lambda one: (-one.rows, one.key))
    sections = ["# Acknowledgements\n"]
    for kind in get_args(CitedKind):
        paragraphs = [_paragraph(one) for one in ordered if one.kind == kind]
        if paragraphs:
            sections += [f"## {_HEADINGS[kind]}\n", *paragraphs]
    return "\n".join(sections)


def _paragraph(one: Cited) -> str:
    counted = _COUNTED[one.kind][one.rows != 1]
    release = f", release {_line(one.release)}" if one.release else ""
    lines = [f"- {_line(one.name)} (`{_line(one.key)}`){release}: {one.rows:,} {counted}."]
    if one.kind == "own table":
        lines.append("  Your own; there is nothing to cite.")
    if one.bibcodes:
        lines.append(f"  Cite {'; '.join(map(cite, map(_line, one.bibcodes)))}.")
    if one.acknowledgement:
        lines.append(f"  Acknowledge: {_line(one.acknowledgement)}")
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    """A text of others on one line: it can begin no section of its own."""
    return " ".join(text.split())
