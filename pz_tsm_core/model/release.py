"""The profile of an Object catalogue: which column holds what."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from typing import Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.model.artifact import Value, sha256_of

#: Such as 10**(10**10), on which a parser of units would work for ever.
_POWER_OF_NUMBER = re.compile(r"[0-9)]\s*(\*\*|\^)")
_LONGEST_UNIT = 40


@cache
def nanojansky(unit: str) -> float:
    """How many nJy a unit of flux density is; maggies are AB (Oke & Gunn 1983).

    >>> round(nanojansky("uJy"))
    1000

    Raises
    ------
    ValueError
        for what is no unit, or none of a flux density
    """
    if unit == "nJy":
        return 1.0
    from astropy import units  # here: `tsm plan` need not wait for it

    if len(unit) > _LONGEST_UNIT or _POWER_OF_NUMBER.search(unit):
        raise ValueError("no unit that a catalogue is in")
    ab = units.zero_point_flux(1 * units.ABflux)
    try:
        return float(units.Unit(unit).to(units.nJy, equivalencies=ab))
    except (TypeError, units.UnitConversionError):
        raise ValueError(f"`{unit}` is no flux density, as nJy, uJy or nmgy are") from None


class FluxColumns(Value):
    """Names of one kind of flux, or of AB magnitudes.

    In them `{b}` stands for the band, `{B}` for its capital letter.

    Parameters
    ----------
    flux, mag : one of the two: fluxes in the unit of the profile, or AB magnitudes
    err : standard deviation of it
    flag : true where the measurement failed; None where the catalogue has no such column
    not_detected : numbers in place of a value that say: observed, and not detected
    missing : numbers in place of a value that say: not observed
    """

    flux: str | None = None
    mag: str | None = None
    err: str
    flag: str | None = None
    not_detected: tuple[float, ...] = ()
    missing: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _name_the_band(self) -> FluxColumns:
        if (self.flux is None) == (self.mag is None):
            raise ValueError("exactly one of `flux` and `mag`")
        for name in (self.flux, self.mag, self.err, self.flag):
            if name is not None and "{b}" not in name and "{B}" not in name:
                raise ValueError(f"`{name}` names no band: write {{b}} where the band stands")
        return self

    @property
    def value(self) -> str:
        """The name of the flux or of the magnitude."""
        return self.flux or self.mag or ""

    def of(self, band: str, *, flag: bool = True) -> tuple[str, ...]:
        """Value, error and, where there is one and it is wanted, flag column of a band."""
        names = (self.value, self.err, self.flag if flag else None)
        return tuple(name.replace("{b}", band).replace("{B}", band.upper())
                     for name in names if name is not None)


class Release(Value):
    """What a stage must know of an Object catalogue to use its photometry.

    Parameters
    ----------
    id, ra, dec : columns of the identifier and of the ICRS position in degrees
    bands : in order of wavelength
    flux_types : column names by kind of flux
    flux_unit : anything that astropy parses to a flux density; for kinds that are fluxes
    primary_filter : boolean column that keeps one row per object; None where all rows are primary
    ebv : column of E(B-V) in mag; None where the table has none
    extendedness : column that is 0 for points and 1 for extended objects
    dereddened : whether the fluxes are corrected for the Milky Way's dust already
    data_rights : right that the principal needs; None for public data
    citation : ADS bibcodes, or names of entries in citations/references.bib
    acknowledgement : what papers must say; empty where nothing is asked
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")
    name: str
    id: str
    ra: str
    dec: str
    bands: tuple[str, ...] = Field(min_length=1)
    flux_unit: str | None = None
    flux_types: dict[str, FluxColumns] = Field(min_length=1)
    # A plain name: it becomes part of a query, and profiles are anybody's.
    primary_filter: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    ebv: str | None = None
    extendedness: str | None = None
    dereddened: bool = False
    data_rights: str | None = None
    citation: tuple[str, ...] = ()
    acknowledgement: str = ""

    @field_validator("flux_unit")
    @classmethod
    def _flux_density(cls, unit: str | None) -> str | None:
        if unit is not None:
            nanojansky(unit)
        return unit

    @field_validator("flux_types")
    @classmethod
    def _plain_names(cls, types: dict[str, FluxColumns]) -> dict[str, FluxColumns]:
        for name in types:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,31}", name):
                raise ValueError(f"`{name}`: columns are named after it; letters and digits only")
        return types

    @model_validator(mode="after")
    def _unit_of_fluxes(self) -> Release:
        if self.flux_unit is None and any(each.flux for each in self.flux_types.values()):
            raise ValueError("say `flux_unit: nJy`, or whatever unit the fluxes are in")
        return self

    @property
    def nanojansky(self) -> float:
        """How many nJy the unit of the fluxes is."""
        return nanojansky(self.flux_unit or "nJy")

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
                names = dict(zip(columns.of(band), ("value", "error", "flag"), strict=False))
                what = names.get(column)
                said = "flux" if columns.flux else "magnitude"
                unit = self.flux_unit or "" if columns.flux else "mag"
                ucd = "phot.flux.density" if columns.flux else "phot.mag"
                if what == "value":
                    return unit, ucd, f"{kind} {said} in {band}"
                if what == "error":
                    return unit, f"stat.error;{ucd}", f"Error of the {kind} {said} in {band}"
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

    def columns_for(
        self,
        flux_types: str | Iterable[str],
        bands: Iterable[str] | None = None,
        *,
        flags: bool = True,
    ) -> list[str]:
        """Every column that photometry of these kinds needs, each once.

        Identifier and position come first, then what the release has of primary filter, E(B-V)
        and extendedness, then flux, error and flag of each band.

        Raises
        ------
        TsmError
            recipe.bad-value for a kind of flux or a band that the release lacks
        """
        kinds = (flux_types,) if isinstance(flux_types, str) else tuple(flux_types)
        columns = [self.flux(kind) for kind in kinds]
        chosen = self.bands if bands is None else tuple(bands)
        for band in chosen:
            if band not in self.bands:
                raise refuse(Code.RECIPE_BAD_VALUE, f"bands for {self.name}", found=band,
                             expected="one of " + ", ".join(self.bands),
                             remedy=nearest(band, self.bands))
        general = (self.id, self.ra, self.dec, self.primary_filter, self.ebv, self.extendedness)
        named = [name for name in general if name is not None]
        return list(dict.fromkeys([*named, *(name for kind in columns for band in chosen
                                             for name in kind.of(band, flag=flags))]))

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which nothing can be matched."""
        named = (self.id, self.ra, self.dec, self.primary_filter)
        return tuple(name for name in named if name is not None)

    def flux_kinds(
        self, names: Collection[str], *, flags: bool = True
    ) -> dict[str, tuple[str, ...]]:
        """Kinds of flux with the bands that a catalogue of these columns has, most bands first.

        Parameters
        ----------
        flags : whether the columns of flags must be there
        """
        known = set(names)
        found = {kind: tuple(band for band in self.bands
                             if known.issuperset(columns.of(band, flag=flags)))
                 for kind, columns in self.flux_types.items()}
        kept = {kind: bands for kind, bands in found.items() if bands}
        return dict(sorted(kept.items(), key=lambda kind: -len(kind[1])))
