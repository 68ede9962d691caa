"""How fluxes become magnitudes, and which rows stay: the recipe's `photometry` and `select`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    field_serializer,
    field_validator,
    model_validator,
)

from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.policy import Band, Dereddening

BANDS: tuple[Band, ...] = ("u", "g", "r", "i", "z", "y")

#: AB zero point of a flux in nJy: 8.90 (for Jy) + 22.5.
NJY_ZERO_POINT = 31.4

#: Softening b of asinh magnitudes in nJy: 1.042 sigma (Lupton, Gunn & Szalay 1999, AJ 118, 1406,
#: eq. 6), where sigma is the flux of RAIL's limiting magnitudes `mag_limits`, which are of 1 sigma:
#: u 27.79, g 29.04, r 29.06, i 28.62, z 27.98, y 27.05.
SOFTENING_NJY: dict[Band, float] = {
    "u": 29.0, "g": 9.2, "r": 9.0, "i": 13.5, "z": 24.3, "y": 57.3,
}

Quantity = Literal["magnitude", "flux", "asinh"]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]


def _listed(value: Any) -> Any:
    """One word as a list of it."""
    return (value,) if isinstance(value, str) else value


def once(values: tuple[str, ...]) -> tuple[str, ...]:
    """Give values back if each stands once, as pydantic's validators do."""
    if len(set(values)) < len(values):
        raise ValueError("every one once")
    return values


class PhotometryPolicy(Value):
    """Which fluxes become which magnitudes, and what follows where there is none.

    Parameters
    ----------
    flux : kinds of flux; the first names columns `mag_i`, the others `mag_i_psf`
    values : what is made of them; magnitudes always, as reports and photo-z codes read them
    flagged : a flux whose flag is set is no measurement (blank), is believed (keep), or its row
        leaves (drop)
    missing : an object without a flux has no magnitude (blank), or its row leaves (drop)
    not_detected : a flux that is not positive, or below `min_snr`, has no magnitude (blank), has
        the magnitude of `limit_sigma` errors (limit), or its row leaves (drop)
    softening_njy : b of asinh magnitudes, by band
    """

    flux: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(("cModel",), min_length=1)
    bands: tuple[Band, ...] = Field(default=BANDS, min_length=1)
    values: Annotated[tuple[Quantity, ...], BeforeValidator(_listed)] = ("magnitude",)
    zero_point: float = Field(default=NJY_ZERO_POINT, ge=20, le=40)
    flagged: Literal["blank", "keep", "drop"] = "blank"
    missing: Literal["blank", "drop"] = "blank"
    not_detected: Literal["blank", "limit", "drop"] = "blank"
    min_snr: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    limit_sigma: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    softening_njy: dict[Band, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = SOFTENING_NJY
    dereddening: Dereddening = Dereddening()

    @field_validator("flux", "bands", "values")
    @classmethod
    def _each_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return once(values)

    @field_validator("values")
    @classmethod
    def _magnitudes_too(cls, values: tuple[Quantity, ...]) -> tuple[Quantity, ...]:
        if "magnitude" not in values:
            raise ValueError("`magnitude` among them: reports and photo-z codes read magnitudes")
        return values

    @model_validator(mode="after")
    def _softened(self) -> PhotometryPolicy:
        if "asinh" in self.values and (lacking := set(self.bands) - set(self.softening_njy)):
            raise ValueError(f"softening_njy for {', '.join(sorted(lacking))} as well")
        return self

    @field_serializer("flux", "values")
    def _plainly(self, values: tuple[str, ...]) -> str | list[str]:
        return values[0] if len(values) == 1 else list(values)

    @property
    def suffixes(self) -> dict[str, str]:
        """What stands behind the names of columns, by kind of flux: nothing for the first."""
        return {kind: "" if index == 0 else f"_{kind}" for index, kind in enumerate(self.flux)}

    @property
    def reads_flags(self) -> bool:
        """Whether flags have a say."""
        return self.flagged != "keep"


class SelectPolicy(Value):
    """Which rows stay, by expressions over their columns.

    Parameters
    ----------
    columns : columns that are computed, in order, such as `{g_r: mag_g - mag_r}`
    keep : conditions in the order in which they are asked; a row of which one is not true leaves
    """

    columns: dict[ColumnName, str] = Field(default={})
    keep: tuple[str, ...] = ()

    @property
    def does_nothing(self) -> bool:
        """Whether all rows stay as they are."""
        return not (self.columns or self.keep)
