"""The one door to LSDB: how it is imported and what of it is private."""

from __future__ import annotations

import warnings
from typing import Any


def import_lsdb() -> Any:
    """Import lsdb without the 7-10 s that numba takes to compile a few loops of hats.

    The loops run over pixels, not rows: as plain Python they take milliseconds. Only what is
    imported here is touched; numba stays on for everybody else.
    """
    import numba  # here, because lsdb and numba cost seconds that only a match should pay

    wanted = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="mode.chained_assignment")
            import lsdb
    finally:
        numba.config.DISABLE_JIT = wanted
    return lsdb
