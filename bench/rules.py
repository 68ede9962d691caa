"""Time flag rules over ten million rows on one core, beside Python's eval: `make bench-rules`.

One JSON object on a line for each survey, and one for hostile texts. Rival: the same rules, each
compiled once and evaluated by Python row by row, the first that holds deciding, over fewer rows;
its times are scaled to all rows. CPU is that of the process, without imports, which stand beside;
memory is the peak of the process with its table and the decided values, before the rival starts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import runpy
import sys
import time
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pz_tsm_core.errors import TsmError
from pz_tsm_core.rules import first_match, parse
from pz_tsm_core.surveys import get_survey, survey_rules

ROWS, RIVAL_ROWS = 10_000_000, 200_000
ROOT = Path(__file__).parents[1]
HOSTILE = ROOT / "tests" / "hostile" / "hostile_rules.py"
REFUSALS = 20

#: What is decided: a name, rules as (expression, outcome, the same in Python), the value otherwise.
Decision = tuple[str, list[tuple[Any, Any, str]], Any]


def main() -> None:
    """Print a line for each survey asked for, each timed in a process of its own."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("surveys", nargs="*", default=list(TABLES))
    options.add_argument("--rows", type=int, default=ROWS)
    options.add_argument("--rival-rows", type=int, default=RIVAL_ROWS)
    asked = options.parse_args()
    for survey in asked.surveys:
        _apart(_time_survey, survey, asked.rows, min(asked.rival_rows, asked.rows))
    if asked.surveys == list(TABLES):
        _apart(_time_refusals)


def _apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> None:
    """Do a piece of work in a fresh process on one core, and print what it tells."""
    with get_context("spawn").Pool(1, _one_core) as pool:
        print(json.dumps(pool.apply(work, arguments)), flush=True)


def _one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def _time_survey(survey: str, rows: int, rival_rows: int) -> dict[str, Any]:
    imports = time.process_time()
    decisions = _decisions(survey)
    table = TABLES[survey](rows)
    cpu, wall = time.process_time(), time.monotonic()
    ours = {name: _decide(rules, otherwise, table) for name, rules, otherwise in decisions}
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    few = table.slice(0, rival_rows).to_pylist()
    rival_cpu, rival_wall = time.process_time(), time.monotonic()
    rival = {name: _evaluate(rules, otherwise, few) for name, rules, otherwise in decisions}
    scale = rows / rival_rows
    rival_cpu = (time.process_time() - rival_cpu) * scale
    rival_wall = (time.monotonic() - rival_wall) * scale
    return {
        "work": f"rules of {survey}", "rows": rows,
        "rules": sum(len(rules) for _, rules, _ in decisions),
        "ours_cpu_s": round(cpu, 2), "ours_wall_s": round(wall, 2),
        "ours_imports_cpu_s": round(imports, 2), "ours_rss_gb": round(peak / 2**20, 2),
        "table_gb": round(table.nbytes / 2**30, 2),
        "rival": f"Python's eval, row by row, over {rival_rows} rows and scaled",
        "rival_cpu_s": round(rival_cpu, 1), "rival_wall_s": round(rival_wall, 1),
        "ratio": round(cpu / rival_cpu, 4),
        "equal": all(ours[name].slice(0, rival_rows).to_pylist() == rival[name] for name in ours),
    }


def _decisions(survey: str) -> list[Decision]:
    """The rules of a survey: of quality, object class and instrument type."""
    definition, parsed = get_survey(survey), survey_rules(get_survey(survey))
    return [
        (name, [(rule, then, _as_python(rule.text)) for rule, then in getattr(parsed, name)],
         getattr(definition, name).otherwise)
        for name in ("quality", "object_class", "instrument_type")
    ]


def _as_python(rule: str) -> str:
    """A simple rule of ours as Python says it."""
    for ours, python in ((r"([\w.]+) is finite", r"isfinite(\1)"), (r"\btrue\b", "True"),
                         (r"([\w.]+) is not null", r"(\1 == \1)"),
                         (r"([\w.]+) is null", r"(\1 != \1)"), (r"\bfalse\b", "False"),
                         (r"([\w.]+) between ([\w.-]+) and ([\w.-]+)", r"(\2 <= \1 <= \3)")):
        rule = re.sub(ours, python, rule)
    return rule


def _decide(rules: list[tuple[Any, Any, str]], otherwise: Any, table: pa.Table) -> pa.Array:
    """Ours: decide all rows, and make the column of what was decided."""
    match = first_match([(rule, then) for rule, then, _ in rules], table, otherwise=otherwise)
    texts = isinstance(otherwise, str)
    return match.values(pa.string() if texts else pa.float64())


def _evaluate(
    rules: list[tuple[Any, Any, str]], otherwise: Any, rows: Iterable[dict[str, Any]]
) -> list[Any]:
    """The rival: the first rule that holds for a row, by eval."""
    compiled = [(compile(python, "rule", "eval"), then) for _, then, python in rules]
    names = {"__builtins__": {}, "isfinite": math.isfinite}
    decided = []
    for row in rows:
        for rule, then in compiled:
            if eval(rule, names, row):
                decided.append(then)
                break
        else:
            decided.append(otherwise)
    return decided


def _time_refusals() -> dict[str, Any]:
    """How long it takes to refuse hostile texts: the best of several for each, the worst of all."""
    parse("a == 1")  # the parser is made once
    texts = runpy.run_path(str(HOSTILE))["HOSTILE"]
    cpu = time.process_time()
    slowest = sorted((min(_refusal_ms(text) for _ in range(REFUSALS)), name)
                     for name, text in texts.items())
    return {
        "work": "hostile rules refused", "rows": len(texts),
        "ours_cpu_s": round((time.process_time() - cpu) / REFUSALS, 3),
        "slowest_ms": round(slowest[-1][0], 2), "slowest": slowest[-1][1], "limit_ms": 50,
        "equal": slowest[-1][0] < 50,
    }


def _refusal_ms(text: str) -> float:
    began = time.perf_counter()
    try:
        parse(text, "survey x, quality")
    except TsmError as error:
        if "character" in error.problems[0].where:
            return (time.perf_counter() - began) * 1_000
    raise SystemExit(f"not refused with its place: {text[:80]!r}")


def _desi(rows: int) -> pa.Table:
    """DESI's redshift catalogue: most fibres on galaxies, one row in five with a warning."""
    random = np.random.default_rng(2025)
    kinds, classes = np.array(["TGT", "SKY", "BAD"]), np.array(["GALAXY", "STAR", "QSO"])
    error = random.exponential(3e-4, rows)
    error[random.random(rows) < 0.01] = np.nan
    return pa.table({
        "OBJTYPE": kinds[random.choice(3, rows, p=[0.96, 0.03, 0.01])],
        "TARGETID": random.integers(-(2**40), 2**60, rows),
        "ZWARN": random.choice([0, 4, 5, 2053], rows, p=[0.8, 0.1, 0.05, 0.05]),
        "ZCAT_PRIMARY": random.random(rows) < 0.95,
        "ZERR": error,
        "SPECTYPE": classes[random.choice(3, rows, p=[0.7, 0.2, 0.1])],
    })


def _cosmos(rows: int) -> pa.Table:
    """LePhare's columns of COSMOS2020: redshifts with their 68 per cent limits, some missing."""
    random = np.random.default_rng(2020)
    z = random.gamma(2.0, 0.7, rows)
    width = random.gamma(2.0, 0.05, rows)
    columns = {
        "lp_zBEST": z, "lp_zPDF": z + random.normal(0, 0.08, rows),
        "lp_zMinChi2": z + random.normal(0, 0.08, rows),
        "lp_zPDF_l68": z - width, "lp_zPDF_u68": z + width,
    }
    for values in columns.values():
        values[random.random(rows) < 0.02] = np.nan
    return pa.table({
        **columns, "lp_type": random.choice([0, 1, 2, -9], rows, p=[0.85, 0.05, 0.05, 0.05]),
        "lp_NbFilt": random.integers(5, 41, rows),
    })


TABLES: dict[str, Callable[[int], pa.Table]] = {"desi_dr1": _desi, "cosmos2020_classic": _cosmos}


if __name__ == "__main__":
    sys.exit(main())
