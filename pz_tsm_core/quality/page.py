"""The report as one HTML file that needs nothing but a browser."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from pz_tsm_core.citations import cite
from pz_tsm_core.model.artifact import Access, FileEntry
from pz_tsm_core.model.citation import Cited
from pz_tsm_core.model.quality import Quality
from pz_tsm_core.model.resolution import Reason
from pz_tsm_core.quality.checks import Check, Status, check, verdict
from pz_tsm_core.quality.fates import Contribution, contributions, flags
from pz_tsm_core.quality.metrics import Found, measure
from pz_tsm_core.quality.pictures import pictures

#: What may stand in the page's way is refused by the browser itself: no script, no network.
POLICY = ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
          "form-action 'none'")

T = TypeVar("T")

MINUS = "\N{MINUS SIGN}"
_UNITS = {"deg2": "deg\N{SUPERSCRIPT TWO}"}
#: Digits behind the point.
_DIGITS = {"mas": 1, "deg2": 2}


@dataclass(frozen=True)
class Report:
    """Everything that a page shows.

    Parameters
    ----------
    recipe : what of it has a say in the result
    names : what surveys are called, by key
    compilation : address of the compilation in the store
    access : who may see the page
    """

    title: str
    recipe: Mapping[str, Any]
    found: Found
    checks: Sequence[Check]
    names: Mapping[str, str]
    files: Sequence[FileEntry]
    cited: Sequence[Cited]
    compilation: str
    access: Access
    software: str

    @property
    def kind(self) -> str:
        """What the run made."""
        return "training set" if self.found.training_set else "compilation"


def render(report: Report) -> str:
    """The page as text; equal reports give equal pages."""
    found = report.found
    surveys = contributions(found.compilation, found.training_set)
    return _template().render(
        report=report, policy=POLICY, style=Markup(_style()),  # noqa: S704 - our own file
        verdict=verdict(report.checks), **_checks(report.checks),
        surveys=surveys, flags=_grouped(flags(found.compilation), lambda line: line.survey),
        reasons=_reasons(surveys), qualities=list(Quality), pictures=pictures(found, surveys),
        recipe=_paragraphs(report.recipe),
        files=_listed(report.files), cite=cite,
    )


#: How the page calls reasons, and what they have in common.
_REASONS: Mapping[str, Mapping[Reason, str]] = {
    "speaks for its galaxy": {
        Reason.ALONE: "alone", Reason.WON: "best of several", Reason.TIED: "one of several"},
    "another was better": {
        Reason.LOST_QUALITY: "quality", Reason.LOST_INSTRUMENT: "instru&shy;ment",
        Reason.LOST_SURVEY_RANK: "survey", Reason.LOST_Z_ERR: "error of z",
        Reason.LOST_YEAR: "year", Reason.LOST_SNR: "S/N", Reason.LOST_SEPARATION: "place",
        Reason.LOST_ID: "larger id"},
    "redshifts disagree": {Reason.LOST_CONFLICT: "another picked", Reason.CONFLICT: "none kept"},
    "may not speak": {Reason.LOW_QUALITY: "low quality", Reason.EXCLUDED_CLASS: "class"},
}


def _reasons(surveys: Sequence[Contribution]) -> dict[str, dict[Reason, Markup]]:
    """The reasons that occur, as the page calls and groups them."""
    occur = {reason for each in surveys for reason, rows in each.reasons.items() if rows}
    told = {group: {reason: Markup(name)  # noqa: S704 - our own words
                    for reason, name in names.items() if reason in occur}
            for group, names in _REASONS.items()}
    return {group: names for group, names in told.items() if names}


def _checks(checks: Sequence[Check]) -> dict[str, Any]:
    """The checks as the page asks for them: by metric, by name, those that have bounds, the bad."""
    return {
        "metrics": _grouped(checks, lambda each: each.measurement.name),
        "value": {(each.measurement.name, each.measurement.of): each for each in checks},
        "checked": [each for each in checks if each.status is not Status.TOLD],
        "troubles": sorted((each for each in checks if each.status in (Status.LOOK, Status.FAIL)),
                           key=lambda each: each.status is not Status.FAIL),
    }


def _grouped(things: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """Things that follow each other under one name, by that name."""
    return {name: list(group) for name, group in groupby(things, key)}


def _paragraphs(recipe: Mapping[str, Any]) -> list[str]:
    """The recipe as YAML, cut before every key of the first level."""
    text = yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, width=30,
                          default_flow_style=None)
    return re.split(r"\n(?=[a-z])", text.rstrip())


def _listed(entries: Iterable[FileEntry]) -> list[tuple[str, str, int, int]]:
    """Name, address beside the page, bytes and number of files; a folder is one entry."""
    size, number = Counter[str](), Counter[str]()
    for entry in entries:
        parts = PurePosixPath(entry.path).parts
        name = parts[0] + ("/" if len(parts) > 1 else "")
        size[name] += entry.size
        number[name] += 1
    # A name with a colon would be read as a scheme: `./` makes it a path.
    return [(name, f"./{quote(name)}", size[name], number[name]) for name in size]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("pz_tsm_core.quality"), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count, "percent": percent, "quantity": quantity, "bytes": human_bytes,
        "drawn": Markup,  # what the plots of this room drew
    }
    return environment.get_template("page.html")


def _style() -> str:
    return (files("pz_tsm_core.quality") / "templates" / "page.css").read_text("utf-8")


def count(number: float) -> str:
    """A whole number as people write it.

    >>> count(1234567), count(-0.0)
    ('1,234,567', '0')
    """
    return f"{number:z,.0f}".replace("-", MINUS)


def percent(share: float) -> str:
    """A share in per cent; what is not quite none or all is not told as such.

    >>> percent(0.12345), percent(0.999999), percent(1e-9), percent(1)
    ('12.35 %', '>99.99 %', '<0.01 %', '100 %')
    """
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    if 0 < share < 0.0001:
        return "<0.01 %"
    if 0.9999 < share < 1:
        return ">99.99 %"
    return f"{100 * share:.2f} %"


def quantity(value: float, unit: str) -> str:
    """A value with its unit.

    >>> quantity(0.125, "fraction"), quantity(-0.0001, ""), quantity(-12.3456, "mas")
    ('12.50 %', '0.000', '\N{MINUS SIGN}12.3 mas')
    """
    if unit == "fraction":
        return percent(value)
    if float(value).is_integer() and not unit:
        return count(value)
    text = f"{value:z,.{_DIGITS.get(unit, 3)}f}".replace("-", MINUS)
    return f"{text} {_UNITS.get(unit, unit)}".rstrip()


def human_bytes(size: int) -> str:
    """A size in the largest unit that leaves a number above one.

    >>> human_bytes(999), human_bytes(1_234_567)
    ('999 B', '1.2 MB')
    """
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"


def checks_of(found: Found) -> list[Check]:
    """Every metric of a run, held against its bounds."""
    return check(measure(found))
