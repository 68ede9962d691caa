"""The Milky Way's dust: maps of its reddening, and what each band loses to it."""

from pz_tsm_core.dust.coefficients import Coefficients, get_coefficients
from pz_tsm_core.dust.correction import Dust, dust_digests, open_dust
from pz_tsm_core.dust.sfd import SfdMap

__all__ = ["Coefficients", "Dust", "SfdMap", "dust_digests", "get_coefficients", "open_dust"]
