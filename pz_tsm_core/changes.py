"""Who else must hear of it when the products of a store have changed."""

from __future__ import annotations

import logging
import os
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.store import Store

_LOG = logging.getLogger(__name__)

#: Entry points that are called with the store; the application has one, for the forms of a service.
GROUP = "pz_tsm.changes"


def tell_changed(store: Store) -> None:
    """Tell the service that PZ_TSM_SITE describes, if there is one.

    The change itself stands. A service that does not hear of it has the choices of a moment ago,
    and learns of it from the next run.
    """
    if not os.environ.get("PZ_TSM_SITE"):
        return
    for entry in entry_points(group=GROUP):
        try:
            entry.load()(store)
        except Exception as error:  # noqa: BLE001 - of a server, its client or its site
            said = printable(str(error).strip().split("\n")[0])
            _LOG.warning("the forms of the service do not know yet: %s", said)
