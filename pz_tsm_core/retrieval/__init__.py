"""From the name of a survey to its verified table in the store."""

from pz_tsm_core.retrieval.choice import PAGE, choose, fetchable
from pz_tsm_core.retrieval.door import fetch
from pz_tsm_core.retrieval.fetch import Fetched, fetch_survey
from pz_tsm_core.retrieval.looking import Seen, see

__all__ = [
    "PAGE", "Fetched", "Seen", "choose", "fetch", "fetch_survey",
    "fetchable", "see",
]
