"""Two ways to one result, each in a process of its own: time, CPU, and memory beyond imports."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

#: Bytes that are shared are counted in each process; that is more than there are.
SAMPLE_SECONDS = 0.05

#: What a process does after its imports: it yields once when all is done, then what came of it.
Work = Callable[[], Iterator[dict[str, Any]]]


def compare(script: str, work: str, ours: str, rival: str, *told: str, **more: Any) -> None:
    """Do a piece of work in both ways and print the figures as one JSON object on a line.

    Parameters
    ----------
    script : that calls `be_child`
    ours, rival : names of the ways, as that script knows them; `told` goes to both
    more : what else the line says
    """
    theirs, own = (apart(script, way, *told) for way in (rival, ours))
    tell(work, own, rival, theirs, **more)


def tell(work: str, own: dict[str, Any], rival: str, theirs: dict[str, Any], **more: Any) -> None:
    """Print what two ways took, how they compare, and whether they came to one result."""
    print(json.dumps({
        "work": work, "rows": own["result"]["rows"], **_named("ours", own), "rival": rival,
        **_named("rival", theirs), "ratio": _ratio(own, theirs, "wall_s"),
        "cpu_ratio": _ratio(own, theirs, "cpu_s"), "equal": own["result"] == theirs["result"],
        **more,
    }), flush=True)


def _ratio(own: dict[str, Any], theirs: dict[str, Any], clock: str) -> float:
    return float(f"{own[clock] / theirs[clock]:.3g}")


def _named(whose: str, figures: dict[str, Any]) -> dict[str, Any]:
    return {f"{whose}_{key}": value for key, value in figures.items() if key != "result"}


def be_child(ways: Mapping[str, Callable[..., Work]]) -> None:
    """Do what the arguments say: prepare, which is imports, then work, then tell the result."""
    way, *told = sys.argv[1:]
    work = ways[way](*told)
    _forget_peak()
    print("ready", flush=True)
    steps = work()
    next(steps)
    print(peak_gb(), flush=True)
    print(json.dumps(next(steps)), flush=True)


def summed(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What equal rows have in common, in whatever order they came: of `id`, `z` and `Name`."""
    rows = ids = letters = known = 0
    for part in parts:
        rows += len(part["id"])
        ids = (ids + int(part["id"].astype("u8").sum())) % 2**64
        known += int(np.isfinite(part["z"].astype("f4")).sum())
        letters += sum(len((name or "").strip()) for name in part["Name"])
    return {"rows": rows, "ids": ids, "known": known, "letters": letters}


def apart(script: str, *arguments: str) -> dict[str, Any]:
    """Seconds and gigabytes that a way takes in a process of its own, and its result.

    `imports_cpu_s` is all CPU before the work begins, for imports and what else prepares it.
    `rss_gb` is the peak of that process alone; `rss_above_imports_gb` that of it and its children,
    less what there was before.
    """
    with subprocess.Popen([sys.executable, script, *arguments], stdout=subprocess.PIPE,
                          text=True) as process:
        tree, over = psutil.Process(process.pid), threading.Event()
        assert process.stdout.readline(), f"{arguments} failed"
        memory, cpu, began = [_memory(tree)], _cpu(tree), time.monotonic()
        watch = threading.Thread(target=_watch, args=(tree, over, memory))
        watch.start()
        done = process.stdout.readline()
        wall, used = time.monotonic() - began, _cpu(tree) - cpu
        over.set()
        watch.join()
        assert done, f"{arguments} failed"
        result = json.loads(process.stdout.readline())
    return {"wall_s": round(wall, 2), "cpu_s": round(used, 2), "imports_cpu_s": round(cpu, 2),
            "rss_gb": round(float(done), 2),
            "rss_above_imports_gb": round((max(memory) - memory[0]) / 2**30, 3), "result": result}


def _watch(tree: psutil.Process, over: threading.Event, memory: list[int]) -> None:
    while not over.wait(SAMPLE_SECONDS):
        memory.append(_memory(tree))


def _memory(tree: psutil.Process) -> int:
    """Bytes of the process and its children."""
    total = 0
    for one in (tree, *tree.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _cpu(tree: psutil.Process) -> float:
    times = tree.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def peak_gb() -> float:
    """The most memory that this process had since its work began.

    What `getrusage` tells begins with the memory of the parent that forked the process.
    """
    return int(_STATUS.read_text().split("VmHWM:")[1].split()[0]) / 2**20


def _forget_peak() -> None:
    _STATUS.with_name("clear_refs").write_text("5")


_STATUS = Path("/proc/self/status")
