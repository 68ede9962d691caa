"""From the name of a survey to its verified table in the store."""

from pz_tsm_core.retrieval.choice import PAGE, choose, fetchable, services_of
from pz_tsm_core.retrieval.door import fetch
from pz_tsm_core.retrieval.fetch import Fetched, fetch_survey
from pz_tsm_core.retrieval.records import FetchRecords, age

__all__ = [
    "PAGE", "FetchRecords", "Fetched", "age", "choose", "fetch", "fetch_survey", "fetchable",
    "services_of",
]
