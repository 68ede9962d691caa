"""Which maps and coefficients go together, and what else may be wrong with a choice of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from pz_tsm_core.dust.coefficients import get_coefficients
from pz_tsm_core.dust.maps import SFD_TO_TRUE, EbvScale, get_map, get_reddening
from pz_tsm_core.errors import Code, Problem, TsmError
from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.release import Release

#: Factors this near to 0.86, or its inverse, are meant to be it.
_NEAR = 0.01
#: What the key `map` of a recipe says where there is no map.
NO_MAP = ("none", "catalog")


def mistakes(photometry: PhotometryPolicy, release: Release | None) -> Iterator[Problem]:
    """What is wrong with a choice of map and coefficients; each problem names its key.

    Files are not looked for.

    Parameters
    ----------
    release : None where it is not known, or there is none
    """
    choice = photometry.dereddening
    unknown: list[Problem] = []
    if choice.map not in NO_MAP:
        unknown += _refused("map", lambda: get_map(choice.map))
    if choice.coefficients != "custom":
        unknown += _refused("coefficients", lambda: get_coefficients(choice.coefficients))
    yield from unknown
    if choice.map == "none":
        return
    if choice.map == "catalog" and release and release.ebv is None:
        yield Problem(Code.RECIPE_BAD_VALUE, "map", f"`catalog`, and {release.name} has no E(B-V)",
                      "a dust map, or `none`", "take `map: sfd`")
    if not unknown:
        yield from _lacking(photometry)
        yield from _mismatch(photometry)


def _refused(key: str, attempt: Callable[[], object]) -> list[Problem]:
    try:
        attempt()
    except TsmError as error:
        return [replace(each, where=key) for each in error.problems]
    return []


def _lacking(photometry: PhotometryPolicy) -> Iterator[Problem]:
    """Bands without a coefficient of one's own."""
    values = photometry.dereddening.values
    lacking = [band for band in photometry.bands if values and band not in values]
    if lacking:
        yield Problem(Code.RECIPE_BAD_VALUE, "values", f"none for {', '.join(lacking)}",
                      "a coefficient for every band of photometry.bands",
                      "add them, or leave out the bands")


def ebv_scale(name: str, factor: float) -> EbvScale:
    """Scale of the E(B-V) of a map, or of `catalog`, times a factor.

    By 0.86 SFD becomes true, and by its inverse the true one SFD: Schlafly & Finkbeiner (2011),
    ApJ 737, 103. Other factors are somebody's own, and change no scale.

    Examples
    --------
    >>> ebv_scale("csfd", 1.0), ebv_scale("csfd", 0.86), ebv_scale("planck", 1 / 0.86)
    ('sfd', 'true', 'sfd')
    """
    own = get_reddening(name).ebv_scale
    turns = SFD_TO_TRUE if own == "sfd" else 1 / SFD_TO_TRUE
    if abs(factor / turns - 1) > _NEAR:
        return own
    return "true" if own == "sfd" else "sfd"


def _mismatch(photometry: PhotometryPolicy) -> Iterator[Problem]:
    """A set of coefficients for another E(B-V) than the map gives."""
    choice = photometry.dereddening
    if choice.coefficients == "custom":
        return
    coefficients = get_coefficients(choice.coefficients)
    if coefficients.ebv_scale in ("any", ebv_scale(choice.map, choice.scale)):
        return
    if ebv_scale(choice.map, 1.0) == coefficients.ebv_scale:
        yield Problem(
            Code.RECIPE_BAD_VALUE, "scale", f"{choice.scale:g} with `{choice.coefficients}`",
            f"1: {coefficients.why}",
            "leave `scale` out; with it, `desc_dc2` or `lsst_dm` are for what comes out")
    else:
        yield Problem(
            Code.RECIPE_BAD_VALUE, "coefficients",
            f"`{choice.coefficients}`, which is for E(B-V) as SFD has it, with the true E(B-V) of "
            f"`{choice.map}`", f"coefficients for true E(B-V): {coefficients.why}",
            "take `coefficients: lsst_dm`; or `map: csfd` with these; or turn the map to SFD's "
            f"scale with `scale: {1 / SFD_TO_TRUE:.3f}`")
