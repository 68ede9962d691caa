"""How many matches are due to chance."""

from __future__ import annotations

from pydantic import Field

from pz_tsm_core.model.artifact import Value


class Chance(Value):
    """What a match finds where no counterpart is: at positions shifted away from the galaxies.

    Parameters
    ----------
    positions : shifted positions, of a sample of the galaxies
    hits : those of them that have an object in reach
    galaxies : all galaxies
    matched : those with an object in reach
    wrong : estimated number of `matched` whose nearest object is not their counterpart
    """

    positions: int = Field(ge=0)
    hits: int = Field(ge=0)
    galaxies: int = Field(ge=0)
    matched: int = Field(ge=0)
    wrong: float = Field(ge=0)

    @property
    def random(self) -> float:
        """Share of random positions near the galaxies that have an object in reach."""
        return self.hits / self.positions if self.positions else float("nan")

    @property
    def wrong_share(self) -> float:
        """Share of the matches whose object is not the counterpart."""
        return self.wrong / self.matched if self.matched else float("nan")
