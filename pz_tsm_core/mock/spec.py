"""What a mock sky is made from, and where its parts lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from pz_tsm_core.model.artifact import Value

#: Raised whenever an equal spec would give another sky.
MOCK_VERSION = 1


class MockSky(Value):
    """Everything that a mock sky depends on; equal specs give equal data.

    Parameters
    ----------
    seed : of all random numbers
    n_objects : rows of the Object catalogue; below 17 million, so that none need overlap
    n_redshifts : rows of all survey files together
    n_hard : pairs of objects 0.4 to 1.2 arcsec apart, both with redshifts: what matching gets
        wrong by nature. At most one per 20 redshifts; all other galaxies are more than 4 arcsec
        apart
    margin_arcsec : width of the margin of the Object catalogue
    surveys : keys of the surveys to make, all when empty
    """

    seed: int = Field(default=20_261_120, ge=0)
    n_objects: int = Field(default=60_000, ge=1_000, le=15_000_000)
    n_redshifts: int = Field(default=6_000, ge=100)
    n_hard: int = Field(default=12, ge=0, le=1_000)
    margin_arcsec: float = Field(default=5.0, gt=0, le=60)
    surveys: tuple[str, ...] = ()

    @property
    def hard_pairs(self) -> int:
        """Hard pairs that there are rows enough to measure."""
        return min(self.n_hard, self.n_redshifts // 20)

    @property
    def rows_per_partition(self) -> int:
        """Rows of the largest partition: 16 or more partitions, each in bounded memory."""
        return min(self.n_objects // 16, 250_000)

    def to_json(self) -> str:
        """Spec and version of the mock as one JSON object."""
        return json.dumps({"mock": MOCK_VERSION, "spec": self.model_dump(mode="json")},
                          sort_keys=True, indent=1) + "\n"


@dataclass(frozen=True)
class MockPaths:
    """Where a mock sky keeps what.

    Parameters
    ----------
    root : directory of the mock sky
    surveys : native file of each survey, by key
    """

    root: Path
    surveys: dict[str, Path]

    @property
    def objects(self) -> Path:
        """Object catalogue: a HATS collection with margin."""
        return self.root / "object_collection"

    @property
    def dust(self) -> Path:
        """Folder of the dust maps, laid out as dustmaps wants `data_dir`."""
        return self.root / "dust"

    @property
    def truth_objects(self) -> Path:
        """Truth of every object: redshift, class, magnitudes without dust."""
        return self.root / "truth" / "objects.parquet"

    @property
    def truth_measurements(self) -> Path:
        """Truth of every row of the survey files."""
        return self.root / "truth" / "measurements.parquet"

    @property
    def record(self) -> Path:
        """The file that says which spec made the sky; written last."""
        return self.root / "mock.json"
