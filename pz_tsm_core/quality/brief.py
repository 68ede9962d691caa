"""A run in brief, as Markdown: for pages that others draw, which show it beside what is not ours.

Such pages take HTML inside Markdown for HTML. So whatever comes from outside is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pz_tsm_core.errors import Problem, TsmError, printable
from pz_tsm_core.model.artifact import Manifest, Rows
from pz_tsm_core.quality.balance import balance
from pz_tsm_core.quality.checks import Status
from pz_tsm_core.quality.definitions import definitions
from pz_tsm_core.quality.drawings import Drawing
from pz_tsm_core.quality.page import quantity

#: A row of the table `metrics` that a report leaves.
Metric = Mapping[str, Any]

#: What the page says of a verdict.
VERDICTS = {Status.FAIL: "Do not use", Status.LOOK: "Usable, after a look"}
GOOD = "Good"

_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+!|~$^=-]")


def plain(text: str) -> str:
    r"""The text as Markdown that shows it letter by letter, on one line.

    >>> plain("<b>a_b|c</b>")
    '&lt;b&gt;a\\_b\\|c&lt;/b&gt;'
    """
    safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # What looks like an address would become a link.
    return _SPECIAL.sub(r"\\\g<0>", safe).replace("://", "&#58;//").replace("www.", "www&#46;")


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> list[str]:
    """A table; its last so many columns are numbers."""
    rule = ["---"] * (len(head) - numbers) + ["--:"] * numbers
    return ["", *(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)), ""]


def verdict_of(metrics: Iterable[Metric]) -> str:
    """The verdict of a report in its own words."""
    found = {Status(each["status"]) for each in metrics}
    return next((words for status, words in VERDICTS.items() if status in found), GOOD)


def figures(metrics: Sequence[Metric], manifests: Mapping[str, Manifest]) -> str:
    """What a person wants to know first: the verdict, warnings, parts, surveys, key figures."""
    return "\n".join([
        f"Verdict: **{verdict_of(metrics)}**", "", *_warnings(metrics), *_parts(manifests),
        "## Surveys", *_surveys(manifests), "## Key figures", *_key_figures(metrics)])


def _warnings(metrics: Iterable[Metric]) -> Iterator[str]:
    """What asks for a look, the worst first, and what to do."""
    known = definitions()
    troubles = [each for each in metrics if Status(each["status"]) in VERDICTS]
    for each in sorted(troubles, key=lambda each: str(each["status"])):  # fail before look
        of = f", {plain(each['of'])}" if each["of"] else ""
        definition = known[each["name"]]
        yield (f"- **{each['status']}** {definition.title}{of}: "
               f"{quantity(each['value'], each['unit'])}. {definition.remedy}")
    yield ""


def _parts(manifests: Mapping[str, Manifest]) -> Iterator[str]:
    if "split" in manifests:
        counts = manifests["split"].counts["split"].items()
        yield "## Parts"
        yield from grid(("part", "rows"), ((plain(part), f"{count:,}") for part, count in counts),
                        numbers=1)


def _surveys(manifests: Mapping[str, Manifest]) -> list[str]:
    """From the native rows of every survey to those in the result."""
    galaxies = manifests["combine"].counts["galaxies by survey"]
    standard = {label.split()[1]: manifest.rows for label, manifest in manifests.items()
                if label.startswith("standardize ") and manifest.rows}
    head = ["survey", "native rows", "measurements", "galaxies"]
    columns = [galaxies]
    if "split" in manifests:
        head.append("in the result")
        columns.append(manifests["split"].counts["galaxies by survey"])
    return grid(head, (
        [plain(key), *_native(standard.get(key)),
         *(f"{counts.get(key, 0):,}" for counts in columns)]
        for key in dict.fromkeys([*standard, *galaxies])), numbers=len(head) - 1)


def _native(rows: Rows | None) -> tuple[str, str]:
    """Of a survey that came with an earlier compilation nothing is known."""
    return (f"{rows.taken:,}", f"{rows.given:,}") if rows else ("", "")


def _key_figures(metrics: Iterable[Metric]) -> list[str]:
    known = definitions()
    return grid(("figure", "value"), (
        (known[each["name"]].title, quantity(each["value"], each["unit"]))
        for each in metrics if not each["of"]), numbers=1)


def rows_by_stage(manifests: Mapping[str, Manifest]) -> list[dict[str, str]]:
    """The balance of the rows as a table: a mapping a line."""
    return [{
        "stage": step.label, "rows in": f"{step.rows.taken:,}", "rows out": f"{step.rows.given:,}",
        "dropped": ", ".join(f"{count:,} {why}" for why, count in step.rows.dropped.items()),
    } for step in balance(manifests)]


def album(drawings: Iterable[Drawing]) -> str:
    """Pictures with what they show."""
    return "\n\n".join(f"![{plain(each.described)}]({each.address})\n\n{plain(each.caption)}"
                       for each in drawings)


def mistakes(error: BaseException) -> str:
    """What went wrong, each with what to do; also of all that an error groups."""
    errors = list(_ungrouped(error))
    problems = dict.fromkeys(problem for each in errors if isinstance(each, TsmError)
                             for problem in each.problems)
    others = [f"- {plain(type(each).__name__)}: {plain(str(each))}" for each in errors
              if not isinstance(each, TsmError)]
    if others:
        others = ["### Not foreseen", "", *others, "", "The log of the run says where."]
    return "\n".join([*map(_problem, problems), *others])


def _problem(problem: Problem) -> str:
    return (f"### {plain(problem.code)}\n\n- **where** {plain(problem.where)}\n- **found** "
            f"{plain(problem.found)}\n- **expected** {plain(problem.expected)}\n- **do** "
            f"{plain(problem.remedy)}\n")


def _ungrouped(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _ungrouped(each)
    else:
        yield error
