"""The library hats, imported uncompiled.

HATS compiles three loops over pixels when they are first called, 7 to 10 s in every process, and
decides so on import. As plain Python they take milliseconds: it is imported here with numba's
compilation off, which stays on for everybody else.
"""

from __future__ import annotations

import numba

_wanted = numba.config.DISABLE_JIT
numba.config.DISABLE_JIT = True
try:
    import hats
    import hats.catalog.dataset.collection_properties
    import hats.io.skymap
    import hats.pixel_math.spatial_index
finally:
    numba.config.DISABLE_JIT = _wanted

__all__ = ["hats"]
