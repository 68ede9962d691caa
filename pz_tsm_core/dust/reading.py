"""Dust maps read through dustmaps: E(B-V) at positions on the sky."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pz_tsm_core.dust.maps import get_map
from pz_tsm_core.errors import Code, refuse

Floats = npt.NDArray[np.float64]
#: E(B-V) at ICRS positions (ra, dec) in degrees.
Query = Callable[[Floats, Floats], Floats]

#: Below it lies what HEALPix files write where they know nothing (-1.6375e30, and its multiples).
_UNSEEN = -1e30
#: Two of the larger ones take half a GB of memory.
_OPEN_AT_ONCE = 2
_one_opens = threading.Lock()


def read_ebv(name: str, directory: str | Path, ra: Floats, dec: Floats) -> Floats:
    """E(B-V) in mag of a map at ICRS positions in degrees, shape (n,).

    NaN where the position is none, or where the map knows nothing. The map is read on first use
    in a process, and again when its files have changed.

    Parameters
    ----------
    name : of a map, as `get_map` knows it
    directory : folder of the maps; empty for the usual one

    Raises
    ------
    TsmError
        `dust.map` when a file is missing or is no such map.
    """
    query = open_map(name, directory)
    ebv = np.full(len(ra), np.nan)
    somewhere = np.isfinite(ra) & (np.abs(dec) <= 90)
    if somewhere.any():
        ebv[somewhere] = query(ra[somewhere], dec[somewhere])
    return np.where(ebv < _UNSEEN, np.nan, ebv)


def open_map(name: str, directory: str | Path) -> Query:
    """The map in memory, as dustmaps holds it; read once however many ask.

    Raises
    ------
    TsmError
        `dust.map` when a file is missing or is no such map.
    """
    paths = get_map(name).require(directory)
    stamps = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    with _one_opens:
        return _opened(name, stamps)


@lru_cache(maxsize=_OPEN_AT_ONCE)
def _opened(name: str, stamps: tuple[tuple[str, int, int], ...]) -> Query:
    from astropy.coordinates import SkyCoord  # here: a plan must not wait for it

    dust_map, paths = get_map(name), [path for path, _, _ in stamps]

    def ask(ra: Floats, dec: Floats) -> Floats:
        # Some maps answer in the byte order of their file.
        return np.asarray(query(SkyCoord(ra, dec, unit="deg", frame="icrs")), dtype=np.float64)

    try:
        query = _query(dust_map.reader, paths)
        ask(np.zeros(2), np.array([-90.0, 90.0]))  # a file of something else is told here
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise refuse(
            Code.DUST_MAP, ", ".join(paths), found=str(error) or type(error).__name__,
            expected=f"the map {dust_map.name}",
            remedy="fetch the map again; a download may have been cut") from error
    return ask


def _query(reader: str, paths: Sequence[str]) -> Any:
    """Have dustmaps open files where they lie.

    Told where they are, it has no use for the user's configuration; that is for others in this
    process, and stays as it is.
    """
    with warnings.catch_warnings():
        # dustmaps warns on import when it finds no configuration, or one of another name.
        warnings.simplefilter("ignore")
        from dustmaps import csfd, planck, sfd
    if reader == "SFDQuery":
        return sfd.SFDQuery(map_dir=str(Path(paths[0]).parent))
    if reader == "CSFDQuery":
        return csfd.CSFDQuery(map_fname=paths[0], mask_fname=paths[1])
    if reader == "PlanckQuery":
        return planck.PlanckQuery(map_fname=paths[0])
    return planck.PlanckGNILCQuery(map_fname=paths[0])
