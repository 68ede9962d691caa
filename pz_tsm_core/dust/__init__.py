"""The Milky Way's dust: maps of its reddening, and what each band loses to it."""

from pz_tsm_core.dust.coefficients import Coefficients, get_coefficients
from pz_tsm_core.dust.correction import Dust, dust_digests, open_dust
from pz_tsm_core.dust.maps import DustMap, get_map
from pz_tsm_core.dust.sfd import SfdMap

__all__ = [
    "Coefficients", "Dust", "DustMap", "SfdMap", "dust_digests", "get_coefficients", "get_map",
    "open_dust",
]
