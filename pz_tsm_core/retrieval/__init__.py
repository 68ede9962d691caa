"""From the name of a survey to its verified table in the store; of a dust map, to its folder."""

from pz_tsm_core.retrieval.choice import PAGE, choose, fetchable
from pz_tsm_core.retrieval.door import fetch
from pz_tsm_core.retrieval.dustmaps import FetchedMap, fetch_map
from pz_tsm_core.retrieval.fetch import Fetched, fetch_survey
from pz_tsm_core.retrieval.looking import Seen, see

__all__ = [
    "PAGE", "Fetched", "FetchedMap", "Seen", "choose", "fetch", "fetch_map", "fetch_survey",
    "fetchable", "see",
]
