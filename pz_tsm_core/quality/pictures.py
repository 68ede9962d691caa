"""The plots of a report, each with what it shows said in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from pz_tsm_core.quality.fates import Contribution
from pz_tsm_core.quality.metrics import Found
from pz_tsm_core.quality.plots import contributions, match, photometry, redshift, sky
from pz_tsm_core.quality.plots.style import as_svg, house_style
from pz_tsm_core.quality.summary import TrainingSet


@dataclass(frozen=True)
class Picture:
    """A drawing for a page.

    Parameters
    ----------
    svg : one `<svg>` element, safe to stand in a page as it is
    caption : how to read it
    """

    svg: str
    caption: str


def pictures(found: Found, surveys: Sequence[Contribution]) -> dict[str, Picture]:
    """Every plot by its name; without a training set those of photometry and match are absent."""
    with house_style():
        drawn = {**_redshifts(found), **_sky(found), "contributions": _contributions(surveys)}
        if found.training_set:
            drawn |= _training_set(found.training_set, list(found.fractions))
    return drawn


def _picture(name: str, figure: Figure, described: str, caption: str) -> Picture:
    return Picture(as_svg(figure, name, described), caption)


def _redshifts(found: Found) -> dict[str, Picture]:
    tally = found.redshifts
    middle = tally.median()
    described = (f"Histograms of the redshifts of {tally.total.sum():,} galaxies from "
                 f"{len(tally.counts)} surveys; their median is {middle:.3f}.")
    caption = ("Galaxies by redshift, a panel a survey; the grey shape in every panel is all "
               "surveys together. The scale is logarithmic and common.")
    return {"by_survey": _picture("by-survey", redshift.by_survey(tally), described, caption)}


def _sky(found: Found) -> dict[str, Picture]:
    rows = (found.training_set or found.compilation).sky.cells
    behind = found.compilation.sky.cells if found.training_set else None
    marked = sky.zooms(rows)
    grey = " Grey: galaxies of the compilation without an object." if behind else ""
    caption = ("All of the sky (ICRS, Mollweide, equal areas), right ascension growing to the "
               f"left. Outlined: cells of 55 arcmin with rows.{grey}")
    drawn = {"sky": _picture("sky", sky.whole(rows, behind, marked),
                             f"Map of the sky with {found.rows:,} rows.", caption)}
    if marked:
        places = "; ".join(f"ra {field.ra:.2f}, dec {field.dec:.2f}: {field.rows:,} rows"
                           for field in marked)
        caption = ("The fields that hold most rows, under the letters of the map above; equal "
                   f"areas.{grey}")
        drawn["fields"] = _picture("fields", sky.zoomed(rows, behind, marked),
                                   f"Maps of {len(marked)} fields. {places}.", caption)
    return drawn


def _contributions(surveys: Sequence[Contribution]) -> Picture:
    fates = {survey.key: survey.fates for survey in surveys}
    described = "Bars: " + "; ".join(
        f"{survey.key} {survey.rows:,} of {survey.measurements:,} measurements in the result"
        for survey in surveys)
    return _picture("contributions", contributions.contributions(fates), described,
                    "What became of the measurements of each survey.")


def _training_set(told: TrainingSet, parts: Sequence[str]) -> dict[str, Picture]:
    shown = int(told.magnitudes.counts.sum())
    return {
        "by_part": _picture(
            "by-part", redshift.by_part(told.by_part, parts),
            f"Histograms of the redshifts of the parts {', '.join(parts)}, each in per cent.",
            "The shape of N(z) of every part. Small parts scatter; a shift would be a fault."),
        "magnitude_redshift": _picture(
            "magnitude-redshift", photometry.magnitude_redshift(told.magnitudes, told.band),
            f"Redshift and {told.band} magnitude of {shown:,} galaxies, counted in cells.",
            f"Magnitude in {told.band} against redshift for the {shown:,} galaxies that have one. "
            "The colour counts galaxies, on a logarithmic scale."),
        **_match(told),
    }


def _match(told: TrainingSet) -> dict[str, Picture]:
    middle = told.separation.median()
    return {
        "separations": _picture(
            "separations", match.separations(told.separation),
            f"Histogram of separations up to {told.radius_arcsec:g} arcsec, median {middle:.3f}.",
            "Angle between redshift position and object. The line is what Gaussian errors of "
            "position would give, had each survey its observed median. Matches far above it at "
            "the right end are suspects."),
        "offsets": _picture(
            "offsets", match.offsets(told.east, told.north),
            "Offsets of objects from redshift positions, by survey, to the east and north.",
            "Object minus redshift position: the median (dot) and the middle 68 % (bar)."),
    }
