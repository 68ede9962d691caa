"""The one door to LSDB: how it is imported."""

from __future__ import annotations

import warnings
from typing import Any

from pz_tsm_core.hats_layout import hats


def import_lsdb() -> Any:
    """Import lsdb, which costs two seconds that only a match should pay.

    It uses the hats that was imported uncompiled, or numba would take seconds more.
    """
    assert hats  # noqa: S101 - imported first, and for its effect
    with warnings.catch_warnings():
        # lsdb 0.11.1 sets an option that pandas 4 will drop, which says nothing to our users.
        warnings.filterwarnings("ignore", message=".*mode.chained_assignment")
        import lsdb
    return lsdb
