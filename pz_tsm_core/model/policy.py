"""The choices of a recipe, one frozen value for each stage that reads them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from pz_tsm_core.model.artifact import Value

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
Band = Literal["u", "g", "r", "i", "z", "y"]

#: Rows from which processes are faster than threads.
PROCESSES_FROM = 10_000_000


class StandardizePolicy(Value):
    """How a native table becomes standard."""

    bad_positions: Literal["refuse", "drop"] = "refuse"


class PartitionPolicy(Value):
    """How the galaxies are laid out on the sky; their content does not depend on it."""

    margin_arcsec: float = Field(default=5.0, gt=0, le=3600)
    rows_per_partition: int = Field(default=200_000, ge=1)


class MatchPolicy(Value):
    """Which LSST object is the galaxy's counterpart."""

    radius_arcsec: float = Field(
        default=1.0, gt=0, le=60, description="Objects up to so far away count as the same.")
    min_radius_arcsec: float = Field(
        default=0.0, ge=0, le=60, description="Ignore objects nearer than this; 0 ignores none.")
    n_neighbors: int = Field(
        default=1, ge=1, le=100, title="Objects kept per galaxy",
        description="The nearest ones: a row for each.")
    unique: bool = Field(
        default=True, title="One galaxy per object",
        description="Each object is given to its nearest galaxy; others leave as `object_taken`.")
    how: Literal["inner", "left"] = Field(
        default="inner", title="Galaxies without an object",
        description="They leave (inner), or stay without photometry (left).")
    offsets: Literal["none", "fit"] = Field(
        default="none", title="Offsets of surveys",
        description="`fit` moves the positions of each survey by its median offset from the "
        "objects.")
    engine: Literal["range", "lsdb"] = Field(
        default="range",
        description="The range join, or LSDB's own crossmatch, which finds the same and takes "
        "longer.")

    @model_validator(mode="after")
    def _radii_and_ranks(self) -> MatchPolicy:
        if self.min_radius_arcsec >= self.radius_arcsec:
            raise ValueError("min_radius_arcsec smaller than radius_arcsec")
        if self.unique and self.n_neighbors > 1:
            raise ValueError("`unique: false` for more than one of n_neighbors")
        return self


class Dereddening(Value):
    """Which dust map and which coefficients undo the Milky Way's dust.

    What maps and sets there are, and which of them go together, the room `dust` knows.

    Parameters
    ----------
    map : of `dust/maps.yaml`; or `catalog`, the release's own E(B-V), or `none`
    coefficients : of `dust/coefficients.yaml`; or `custom`
    values : R_b = A_b / E(B-V) by band, for `coefficients: custom`
    scale : by which the E(B-V) of the map is multiplied
    directory : that holds the maps, as dustmaps lays them out; empty for the usual one
    """

    map: Name = "sfd"
    coefficients: Name = "desc_dc2"
    values: dict[Band, Annotated[float, Field(gt=0, le=100)]] = Field(default_factory=dict)
    scale: float = Field(default=1.0, gt=0, le=100)
    directory: str = ""

    @model_validator(mode="after")
    def _values_of_custom(self) -> Dereddening:
        if (self.coefficients == "custom") != bool(self.values):
            raise ValueError("`values` by band for `coefficients: custom`, else none")
        return self


class SplitPolicy(Value):
    """Named fractions, in an order that is part of the contract, and the seed."""

    fractions: dict[Name, Annotated[float, Field(gt=0, le=1)]] = Field(
        default={"train": 0.7, "validation": 0.15, "test": 0.15}, min_length=1
    )
    seed: int = Field(default=2026, ge=0, lt=2**63)

    @field_validator("fractions")
    @classmethod
    def _sum_to_one(cls, fractions: dict[str, float]) -> dict[str, float]:
        total = sum(fractions.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"fractions must sum to 1, these sum to {total:g}")
        return fractions


class OutputPolicy(Value):
    """Where the files go, and in which formats."""

    directory: str
    formats: tuple[Literal["parquet", "hdf5"], ...] = Field(("parquet", "hdf5"), min_length=1)


class ClusterPolicy(Value):
    """Where the work is done: threads of this process, local processes, or a running scheduler.

    `auto` takes what is fastest for the size: threads below ten million rows, then processes.
    """

    kind: Literal["auto", "threads", "local", "address"] = "auto"
    workers: int = Field(default=2, ge=1, le=1024)
    address: str = ""
    #: No piece of work takes so long: whoever does not answer until then is taken for dead.
    patience_seconds: float = Field(default=900.0, gt=0, le=86_400)

    @model_validator(mode="after")
    def _address_of_what(self) -> ClusterPolicy:
        if (self.kind == "address") != bool(self.address):
            raise ValueError("an address such as tcp://host:8786 for `kind: address`, else none")
        return self

    def runs_in(self, rows: int) -> Literal["threads", "local", "address"]:
        """Where work on so many rows is done.

        Each process takes seconds for its imports, which fewer rows do not win back.
        """
        if self.kind != "auto":
            return self.kind
        return "threads" if rows < PROCESSES_FROM else "local"
