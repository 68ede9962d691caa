"""The Milky Way's dust: maps of its reddening, and what each band loses to it."""

from pz_tsm_core.dust.coefficients import Coefficients, coefficient_keys, get_coefficients
from pz_tsm_core.dust.correction import Dust, check_dust, dust_digests, open_dust
from pz_tsm_core.dust.maps import (
    SFD_TO_TRUE,
    DustMap,
    MapFile,
    default_directory,
    get_map,
    get_reddening,
    is_fits,
    map_keys,
)
from pz_tsm_core.dust.pairs import NO_MAP, ebv_scale, mistakes
from pz_tsm_core.dust.reading import open_map, read_ebv

__all__ = [
    "NO_MAP", "SFD_TO_TRUE", "Coefficients", "Dust", "DustMap", "MapFile", "check_dust",
    "coefficient_keys", "default_directory", "dust_digests", "ebv_scale", "get_coefficients",
    "get_map", "get_reddening", "is_fits", "map_keys", "mistakes", "open_dust", "open_map",
    "read_ebv",
]
