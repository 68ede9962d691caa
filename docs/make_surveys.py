"""Write the page of all surveys from their definitions: `make survey-page`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pz_tsm_core.model.survey import RuleList, Source, Survey
from pz_tsm_core.surveys import registry

PAGE = Path(__file__).parent / "reference" / "surveys.md"

INTRODUCTION = """\
# The surveys

Made from the definitions in `pz_tsm_core/surveys/data` by `make survey-page`; a test holds the two
equal. What stands here is what `tsm.standardize` and recipes do.

A survey is *verified* when a table or page is cited for its columns and its flags, and no fact of
its definition is marked as unsure; what is unsure stands with the survey. Quality 4 is a redshift
that is right for more than 99 % of the objects that have it; 3, for 90 to 99 %; 2, for 70 to 90 %;
1, for less; 0 is no redshift to be used. Of several rules the first that holds decides.

*From* names the services that `tsm fetch` can ask, the preferred one first; *by hand* is what only
people can download, for `file:` in a recipe or `tsm put`.

Who says so, in short: a bibcode is a paper, as are the words of a table or README of the survey;
*pzserver_combine_redshift_dedup* is the rule file of the existing pipeline
(linea-it/pzserver_combine_redshift_dedup, flags_translation.yaml of June 2026) with the key that it
has there; *DES compilation* is the compilation of spectroscopic redshifts of the Dark Energy
Survey's science portal, which grades the flags of its surveys; *curated* is a choice made here,
where no document decides. [How the rules differ from the existing
pipeline's](surveys_agreement.md), and [the language of the rules](rules.md), have pages of their
own.
"""


def page() -> str:
    """The whole page, in Markdown."""
    surveys = tuple(registry().values())
    verified = sum(survey.verified for survey in surveys)
    fetched = sum(bool(survey.services) for survey in surveys)
    counted = (f"{len(surveys)} surveys, of which {verified} are verified. `tsm fetch` can "
               f"ask services for {fetched}; the others are downloaded by hand.")
    parts = (INTRODUCTION, counted + "\n", _table(_overview(surveys)), *map(_section, surveys))
    return "\n".join(parts)


def _overview(surveys: Iterable[Survey]) -> Iterator[list[str]]:
    yield ["key", "survey", "facility, year", "release", "objects", "from", "verified",
           "to be cited"]
    for survey in surveys:
        objects = survey.footprint.objects
        yield [f"[{survey.key}](#{survey.key})", survey.name, f"{survey.facility}, {survey.year}",
               survey.release, f"{objects:,}" if objects else "",
               ", ".join(survey.services) or "by hand", "yes" if survey.verified else "",
               ", ".join(map(_work, survey.citation))]


def _section(survey: Survey) -> str:
    """One survey: what its columns and flags become, and what they rest on."""
    evidence = survey.evidence
    lines = [f"- redshift: {_redshift(survey)}"]
    lines += [f"- flag: {_code(survey.columns.native_flag.from_)}"
              ] if survey.columns.native_flag else []
    lines += [f"- from: {_place(source)}" for source in survey.sources]
    lines += [f"- columns: {evidence.columns}", f"- flags: {evidence.flags}"] if evidence else []
    lines += [f"- **not verified**: {fact}" for fact in survey.unverified]
    return "\n".join((f"## {survey.key}\n", f"{survey.name}, {survey.release}.\n", *lines, "",
                      _table(_rules(survey))))


def _place(source: Source) -> str:
    """Where a catalogue, or a part of it, is published."""
    part = f", part {source.part}" if source.part else ""
    if source.service == "page":
        return f"by hand, <{source.url}>"
    table = _code(source.table) if source.table else ""
    release = f"release {source.release}" if source.release else ""
    at = _code(source.url) if source.url else ""
    return f"{source.service} {' '.join(filter(None, (release, table, at)))}{part}"


def _redshift(survey: Survey) -> str:
    z = survey.columns.z
    origin = z.formula or ", else ".join(z.natives)
    return _code(origin) + (f" [{z.unit}]" if z.unit else "")


def _rules(survey: Survey) -> Iterator[list[str]]:
    yield ["becomes", "where", "says who"]
    for name in ("quality", "object_class", "instrument_type"):
        decision: RuleList[Any] = getattr(survey, name)
        word = name.replace("_", " ")
        for rule in decision.rules:
            yield [f"{word} {rule.then}", _code(rule.when), rule.source]
        otherwise = "otherwise" if decision.rules else "everywhere"
        then = "a mistake" if decision.otherwise is None else f"{word} {decision.otherwise}"
        yield [then, otherwise, decision.source]


def _table(rows: Iterable[list[str]]) -> str:
    """A table of Markdown, the first row its head; numbers of objects to the right."""
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    line = ["---:" if name == "objects" else "---" for name in head]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, line, *body))


def _work(bibcode: str) -> str:
    """A link to a paper; a bibcode has 19 characters, other works have a DOI."""
    if len(bibcode) != 19:
        return bibcode
    return f"[{bibcode}](https://ui.adsabs.harvard.edu/abs/{bibcode.replace('&', '%26')})"


def _code(text: str) -> str:
    mark = "``" if "`" in text else "`"
    return f"{mark}{text}{mark}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
