"""Prefect's worker, whose memory stays as it is: `python -m deployments.worker WORD...`.

For every run it makes some clients, each with a TLS context of its own, and leaves them to the
garbage collector. That counts objects; the half megabyte of certificates behind each context it
does not see, and so comes some hundred runs later (docs/adr/025).
"""

from __future__ import annotations

import gc
import sys
import threading
import time

import prefect.workers.process  # noqa: F401 # what a worker consists of is here before the freeze
from prefect.cli import app

#: Between two collections. One takes some milliseconds of what is not frozen.
COLLECT_SECONDS = 10.0


def main() -> None:
    """Be `prefect worker` with the words of the command line."""
    gc.freeze()
    threading.Thread(target=_collect, daemon=True).start()
    sys.argv[1:1] = ["worker"]
    app()


def _collect() -> None:
    while True:
        time.sleep(COLLECT_SECONDS)
        gc.collect()


if __name__ == "__main__":
    main()
