"""pz-tsm: training sets for photometric redshifts, with a reason for every row.

In a notebook::

    import pz_tsm_core as tsm

    redshifts = tsm.standardize(tsm.read("desi_dr1.fits"), "desi_dr1")
    galaxies = tsm.combine(redshifts)
    matches = tsm.match(galaxies, "object_collection")
    training_set = tsm.split(tsm.magnitudes(matches, dust_maps="dust"), train=0.8, test=0.2)
    tsm.write(training_set, "training_set.parquet")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pz_tsm_core.errors import TsmError

if TYPE_CHECKING:
    from pz_tsm_core.api import (
        check_survey,
        combine,
        combine_catalogs,
        crossmatch,
        explain_flags,
        fetch,
        homogenize,
        list_products,
        list_surveys,
        magnitudes,
        match,
        match_catalogs,
        open_product,
        own_survey,
        propose_recipe,
        put,
        read,
        select,
        show_survey,
        split,
        standardize,
        write,
    )

__all__ = [
    "TsmError", "check_survey", "combine", "combine_catalogs", "crossmatch", "explain_flags",
    "fetch", "homogenize", "list_products", "list_surveys", "magnitudes", "match", "match_catalogs",
    "open_product", "own_survey", "propose_recipe", "put", "read", "select", "show_survey", "split",
    "standardize", "write",
]


def __getattr__(name: str) -> Any:
    """Load the notebook functions when first asked for: importing the package stays quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pz_tsm_core import api

    return getattr(api, name)
