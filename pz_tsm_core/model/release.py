"""The profile of an LSST data release: which column holds what."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.model.artifact import Value, sha256_of


class FluxColumns(Value):
    """Names of one kind of flux; `{b}` stands for the band."""

    flux: str
    err: str
    flag: str | None = None

    @model_validator(mode="after")
    def _name_the_band(self) -> FluxColumns:
        for name in (self.flux, self.err, self.flag):
            if name is not None and "{b}" not in name:
                raise ValueError(f"`{name}` names no band: write {{b}} where the band stands")
        return self

    def of(self, band: str) -> tuple[str, ...]:
        """Flux, error and, where there is one, flag column of a band."""
        return tuple(name.replace("{b}", band)
                     for name in (self.flux, self.err, self.flag) if name is not None)


class Release(Value):
    """What a stage must know of an Object catalogue to use its photometry.

    Parameters
    ----------
    id, ra, dec : columns of the identifier and of the ICRS position in degrees
    bands : in order of wavelength
    flux_types : column names by kind of flux
    primary_filter : boolean column that keeps one row per object; None where all rows are primary
    ebv : column of E(B-V) in mag; None where the table has none
    extendedness : column that is 0 for points and 1 for extended objects
    data_rights : right that the principal needs; None for public data
    citation : ADS bibcodes, or names of entries in citations/references.bib
    acknowledgement : what papers must say; empty where nothing is asked
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    key: str
    name: str
    id: str
    ra: str
    dec: str
    bands: tuple[str, ...] = Field(min_length=1)
    flux_unit: Literal["nJy"]
    flux_types: dict[str, FluxColumns] = Field(min_length=1)
    primary_filter: str | None
    ebv: str | None
    extendedness: str | None
    data_rights: str | None
    citation: tuple[str, ...] = ()
    acknowledgement: str = ""

    @property
    def digest(self) -> str:
        """sha256 of the profile as canonical JSON: changes when a stage's result may change."""
        credit = {"citation", "acknowledgement"}
        return sha256_of(self.model_dump(mode="json", exclude=credit))

    def describe(self, column: str) -> dict[str, str]:
        """Unit, UCD1+ word and description of a column that the profile names; else nothing."""
        general = {
            self.id: ("", "meta.id;src", f"Object id of {self.name}"),
            self.ra: ("deg", "pos.eq.ra", "Right ascension of the object, ICRS"),
            self.dec: ("deg", "pos.eq.dec", "Declination of the object, ICRS"),
            self.ebv: ("mag", "phot.color.excess", f"E(B-V) as {self.name} gives it"),
            self.extendedness: ("", "src.class.starGalaxy", "0 for points, 1 for extended objects"),
        }
        told = general.get(column) or self._describe_flux(column)
        named = zip(("unit", "ucd", "description"), told, strict=True)
        return {key: value for key, value in named if value}

    def _describe_flux(self, column: str) -> tuple[str, str, str]:
        for kind, columns in self.flux_types.items():
            for band in self.bands:
                names = dict(zip(columns.of(band), ("flux", "error", "flag"), strict=False))
                what = names.get(column)
                if what == "flux":
                    return self.flux_unit, "phot.flux.density", f"{kind} flux in {band}"
                if what == "error":
                    ucd = "stat.error;phot.flux.density"
                    return self.flux_unit, ucd, f"Error of the {kind} flux in {band}"
                if what == "flag":
                    shared = [name for name, other in self.flux_types.items()
                              if other.flag == columns.flag]
                    what = kind if len(shared) == 1 else "one of " + ", ".join(shared)
                    return "", "meta.code.error", f"Whether {what} failed in {band}"
        return "", "", ""

    def flux(self, flux_type: str) -> FluxColumns:
        """Column names of a kind of flux.

        Raises
        ------
        TsmError
            recipe.bad-value, naming the kinds that the release has
        """
        if flux_type not in self.flux_types:
            raise refuse(Code.RECIPE_BAD_VALUE, f"flux type for {self.name}", found=flux_type,
                         expected="one of " + ", ".join(self.flux_types),
                         remedy=nearest(flux_type, self.flux_types))
        return self.flux_types[flux_type]

    def columns_for(self, flux_type: str, bands: tuple[str, ...] | None = None) -> list[str]:
        """Every column that photometry of this kind needs, each once.

        Identifier and position come first, then what the release has of primary filter, E(B-V)
        and extendedness, then flux, error and flag of each band.

        Raises
        ------
        TsmError
            recipe.bad-value for a kind of flux or a band that the release lacks
        """
        columns = self.flux(flux_type)
        chosen = self.bands if bands is None else bands
        for band in chosen:
            if band not in self.bands:
                raise refuse(Code.RECIPE_BAD_VALUE, f"bands for {self.name}", found=band,
                             expected="one of " + ", ".join(self.bands),
                             remedy=nearest(band, self.bands))
        general = (self.id, self.ra, self.dec, self.primary_filter, self.ebv, self.extendedness)
        named = [name for name in general if name is not None]
        return list(dict.fromkeys([*named, *(name for band in chosen
                                             for name in columns.of(band))]))
