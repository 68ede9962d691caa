"""The choices of a recipe, one frozen value for each stage that reads them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from pz_tsm_core.model.artifact import Value

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
Band = Literal["u", "g", "r", "i", "z", "y"]


class StandardizePolicy(Value):
    """How a native table becomes standard."""

    bad_positions: Literal["refuse", "drop"] = "refuse"


class PartitionPolicy(Value):
    """How the galaxies are laid out on the sky; their content does not depend on it."""

    margin_arcsec: float = Field(default=5.0, gt=0, le=3600)
    rows_per_partition: int = Field(default=200_000, ge=1)


class MatchPolicy(Value):
    """Which LSST object is the galaxy's counterpart."""

    radius_arcsec: float = Field(default=1.0, gt=0, le=60)
    #: Keep one galaxy an object: the nearest; the others leave as `object_taken`.
    unique: bool = True


class Dereddening(Value):
    """Which dust map and which coefficients undo the Milky Way's dust."""

    map: Literal["sfd", "none"] = "sfd"
    coefficients: Literal["desc_dc2", "lsst_dm", "sf11"] = "desc_dc2"
    directory: str = ""  # holds sfd/SFD_dust_4096_{ngp,sgp}.fits


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
    """Where Dask runs: threads of this process, local processes, or a running scheduler."""

    kind: Literal["threads", "local", "address"] = "threads"
    workers: int = Field(default=2, ge=1, le=1024)
    address: str = ""

    @model_validator(mode="after")
    def _address_of_what(self) -> ClusterPolicy:
        if (self.kind == "address") != bool(self.address):
            raise ValueError("an address such as tcp://host:8786 for `kind: address`, else none")
        return self
