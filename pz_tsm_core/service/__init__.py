"""A place that serves many people: what its operator set up, and what may be asked of it."""

from pz_tsm_core.service.choices import Choices, choices_of
from pz_tsm_core.service.forms import form
from pz_tsm_core.service.requests import (
    CompilationRequest,
    FetchRequest,
    MaintenanceRequest,
    RefreshRequest,
    Request,
    TrainingSetRequest,
)
from pz_tsm_core.service.site import SITE, Site, load_site, site_here

__all__ = [
    "SITE", "Choices", "CompilationRequest", "FetchRequest", "MaintenanceRequest",
    "RefreshRequest", "Request", "Site", "TrainingSetRequest", "choices_of", "form", "load_site",
    "site_here",
]
