"""The standard columns: declared once, used by every stage, export and document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from pz_tsm_core.model.photometry import PhotometryPolicy
from pz_tsm_core.model.resolution import Reason


@dataclass(frozen=True)
class Column:
    """One standard column: what it is called, holds and means.

    Parameters
    ----------
    unit : a string that `astropy.units.Unit` parses; empty for pure numbers
    ucd : IVOA UCD1+ word; empty where none fits
    """

    name: str
    type: pa.DataType
    description: str
    unit: str = ""
    ucd: str = ""
    nullable: bool = True

    @property
    def field(self) -> pa.Field:
        """Arrow field that carries unit, UCD and description as metadata."""
        metadata = {"unit": self.unit, "ucd": self.ucd, "description": self.description}
        kept = {key: value for key, value in metadata.items() if value}
        return pa.field(self.name, self.type, nullable=self.nullable, metadata=kept)


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """Arrow schema of the columns, in their order."""
    return pa.schema([column.field for column in columns])


#: One row a measurement, as `ops.standardize` leaves it.
MEASUREMENT = (
    Column("row_id", pa.int64(), "Id of this measurement", ucd="meta.id;meta.main", nullable=False),
    Column("survey", pa.string(), "Key of the survey", ucd="meta.curation", nullable=False),
    Column("survey_ordinal", pa.int32(), "Ordinal of the survey in the registry", nullable=False),
    Column("release", pa.string(), "Data release of the survey", nullable=False),
    Column("native_id", pa.string(), "Id that the survey gave, if it gave one", ucd="meta.id"),
    Column("native_key", pa.string(), "What the row is known by within its survey (docs: ids)",
           nullable=False),
    Column("native_rank", pa.int32(), "Rank among rows of one native_key", nullable=False),
    Column("ra", pa.float64(), "Right ascension, ICRS", "deg", "pos.eq.ra;meta.main",
           nullable=False),
    Column("dec", pa.float64(), "Declination, ICRS", "deg", "pos.eq.dec;meta.main",
           nullable=False),
    Column("z", pa.float64(), "Redshift", ucd="src.redshift", nullable=False),
    Column("z_err", pa.float64(), "Error of the redshift", ucd="stat.error;src.redshift"),
    Column("quality", pa.int8(), "Confidence in z: 0 none, 1 <70%, 2 70-90%, 3 90-99%, 4 >99%",
           ucd="stat.rank", nullable=False),
    Column("object_class", pa.string(), "galaxy, qso, agn, star, galactic or unknown",
           ucd="src.class", nullable=False),
    Column("instrument_type", pa.string(), "s spectroscopic, g grism, p photometric",
           nullable=False),
    Column("native_flag", pa.string(), "Flag as the survey gave it", ucd="meta.code.qual"),
    Column("pos_err", pa.float64(), "Error of the position on each axis, 1 sigma", "arcsec",
           "stat.error;pos.eq"),
    Column("snr", pa.float64(), "Signal-to-noise ratio of the spectrum", ucd="stat.snr"),
    Column("year", pa.int16(), "Year of the survey's release", "yr", "time.release"),
    Column("survey_rank", pa.int16(), "Rank of the survey: the larger is preferred"),
)

GALAXY_ID = Column("galaxy_id", pa.int64(), "Id of the galaxy (group of measurements)",
                   ucd="meta.id", nullable=False)

_REASONS = "Why it won or lost: " + ", ".join(f"{r.value} {r.name.lower()}" for r in Reason)

#: What `combine` adds to every measurement.
RESOLUTION = (
    GALAXY_ID,
    Column("reason", pa.int8(), _REASONS, nullable=False),
)

#: What `combine` adds to the winning measurement of every galaxy.
GALAXY = (
    GALAXY_ID,
    Column("n_measurements", pa.int32(), "Measurements in the group", nullable=False),
    Column("n_eligible", pa.int32(), "Measurements good enough to win", nullable=False),
    Column("n_agreeing", pa.int32(), "Those of them whose z is that of the best", nullable=False),
    Column("z_spread", pa.float64(), "(max - min) of the eligible z, over 1 + z", nullable=False),
    Column("extent", pa.float64(), "Largest separation of a measurement of the group from the best",
           "arcsec", "pos.angDistance", nullable=False),
    Column("z_conflict", pa.bool_(), "Whether measurements of the highest rank disagree in z",
           "", "meta.code.qual", nullable=False),
    Column("class_conflict", pa.bool_(), "Whether something of an excluded class, as a star, and "
           "good enough is in the same place", "", "meta.code.class", nullable=False),
)

SEPARATION = Column("separation", pa.float64(), "Angle between the two", "arcsec",
                    "pos.angDistance", nullable=False)

#: All pairs of measurements within the grouping radius.
PAIR = (
    Column("row_id_1", pa.int64(), "The smaller row_id", nullable=False),
    Column("row_id_2", pa.int64(), "The larger row_id", nullable=False),
    SEPARATION,
)

#: What the preset `crc` says beside: the names and verdicts of the pipeline that it follows.
CRD = (
    Column("row_id", pa.int64(), "Id of the measurement", nullable=False),
    Column("CRD_ID", pa.string(), "Number of the input and place in it", nullable=False),
    Column("tie_result", pa.int8(), "0 lost, 1 won, 2 tied with others, 3 a star", nullable=False),
    Column("compared_to", pa.string(), "CRD_IDs within the radius"),
    Column("group_id", pa.int64(), "Hash of the smallest CRD_ID of the group", nullable=False),
    Column("is_in_DP1_fields", pa.bool_(), "Within 2.5 deg of a field of DP1", nullable=False),
    Column("is_in_rubin_footprint", pa.bool_(), "In the footprint of the LSST", nullable=False),
)

#: What `crossmatch` adds to a galaxy, beside its `separation` and the columns of its object.
CANDIDATES = Column("n_candidates", pa.int32(), "Objects within the match radius, "
                    "whatever of them was kept", nullable=False)
RANK = Column("match_rank", pa.int16(), "1 for the nearest object, 2 for the next; null for none")
MATCH = (
    Column(SEPARATION.name, SEPARATION.type, "Angle between redshift and object", SEPARATION.unit,
           SEPARATION.ucd),
    RANK,
    CANDIDATES,
)

#: The objects near galaxies, in the order of the galaxies, the nearest first.
NEIGHBOR = (
    Column("row_id", pa.int64(), "Id of the galaxy's measurement", nullable=False),
    Column("object_id", pa.int64(), "Id of the object", "", "meta.id;src", nullable=False),
    Column("object_ra", pa.float64(), "Right ascension of the object, ICRS", "deg", "pos.eq.ra",
           nullable=False),
    Column("object_dec", pa.float64(), "Declination of the object, ICRS", "deg", "pos.eq.dec",
           nullable=False),
    SEPARATION,
    RANK,
    CANDIDATES,
    Column("norder", pa.int8(), "HEALPix order of the object's partition", nullable=False),
    Column("npix", pa.int64(), "HEALPix pixel of the object's partition", nullable=False),
    Column("part", pa.int32(), "Number of the object's file in its partition", nullable=False),
    Column("row", pa.int64(), "Number of the object's row in its file", nullable=False),
)

#: What `correct` adds, and for every band `photometric_columns`.
EBV = Column("ebv_applied", pa.float32(), "E(B-V) for which the magnitudes are corrected", "mag",
             "phot.color.excess")
# UCD1+ has no em.opt.Z or em.opt.Y; z and y lie in its band I, g in B.
_EM = {"u": "em.opt.U", "g": "em.opt.B", "r": "em.opt.R", "i": "em.opt.I", "z": "em.opt.I",
       "y": "em.opt.I"}


def photometric_columns(band: str, kind: str = "") -> dict[str, Column]:
    """Columns of a band by what they hold; which of them a table has is the policy's choice.

    Parameters
    ----------
    kind : of flux; empty for the one whose columns bear no name of it
    """
    end = f"_{kind}" if kind else ""
    of = f" from the {kind} flux" if kind else ""
    told = {
        "mag": (f"AB magnitude in {band}{of}, corrected for ebv_applied", "mag", "phot.mag"),
        "asinh": (f"asinh magnitude in {band}{of}, corrected for ebv_applied", "mag", "phot.mag"),
        "flux": (f"Flux in {band}{of}, corrected for ebv_applied", "nJy", "phot.flux.density"),
    }
    columns = {}
    for name, (description, unit, word) in told.items():
        ucd = f"{word};{_EM[band]}"
        columns[name] = Column(f"{name}_{band}{end}", pa.float64(), description, unit, ucd)
        columns[f"{name}_err"] = Column(f"{name}_err_{band}{end}", pa.float64(),
                                        f"Error of {name}_{band}{end}", unit, f"stat.error;{ucd}")
    columns["snr"] = Column(f"snr_{band}{end}", pa.float64(),
                            f"Signal-to-noise ratio of the flux in {band}{of}", "",
                            f"stat.snr;{_EM[band]}")
    columns["det"] = Column(f"det_{band}{end}", pa.int8(), f"1 detected in {band}{of}, 0 observed "
                            "and not detected, null without a measurement", "", "meta.code")
    return columns


def photometry_added(policy: PhotometryPolicy) -> list[Column]:
    """Everything that `correct` appends under a policy, in order."""
    added = [EBV]
    for kind, suffix in policy.suffixes.items():
        for band in policy.bands:
            columns = photometric_columns(band, kind if suffix else "")
            added += [columns["mag"], columns["mag_err"]]
            for name in ("flux", "asinh"):
                if name in policy.values:
                    added += [columns[name], columns[f"{name}_err"]]
            added += [columns["snr"], columns["det"]]
    return added


#: What `split` adds.
SPLIT = Column("split", pa.string(), "Name of the part that the galaxy belongs to", nullable=False)

MEASUREMENT_SCHEMA = arrow_schema(MEASUREMENT)
RESOLVED_SCHEMA = arrow_schema((*RESOLUTION, *MEASUREMENT))
GALAXY_SCHEMA = arrow_schema((*GALAXY, *MEASUREMENT))
PAIR_SCHEMA = arrow_schema(PAIR)
NEIGHBOR_SCHEMA = arrow_schema(NEIGHBOR)
CRD_SCHEMA = arrow_schema(CRD)

#: What `crossmatch` appends to a column of the object catalogue that a galaxy has as well.
OBJECT_SUFFIX = "_lsst"


def object_column(name: str) -> str:
    """Name, after the match, of a column of the object catalogue.

    >>> object_column("ra"), object_column("coord_ra")
    ('ra_lsst', 'coord_ra')
    """
    return name + OBJECT_SUFFIX if name in GALAXY_SCHEMA.names else name


def described(table: pa.Table) -> pa.Table:
    """The table with units, UCDs and descriptions on the standard columns that lost theirs."""
    standard = (*GALAXY, *RESOLUTION, *MEASUREMENT, *PAIR, *MATCH, EBV, SPLIT)
    known = {column.name: column.field.metadata for column in standard}
    for band in _EM:
        known |= {column.name: column.field.metadata
                  for column in photometric_columns(band).values()}
    fields = [field if field.metadata else field.with_metadata(known.get(field.name))
              for field in table.schema]
    return table.cast(pa.schema(fields))
