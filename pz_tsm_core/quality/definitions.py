"""What each metric is called, means and may be, as data: `metrics.yaml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from pz_tsm_core.files import read_document
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.document import build

#: Smallest and largest value that is as it should be; None for no bound.
Bounds = tuple[float | None, float | None]


class Definition(Value):
    """One metric.

    Parameters
    ----------
    unit : a string that `astropy.units.Unit` parses, or `fraction`; empty for pure numbers
    each : what there is a value for each of; empty for one value of the whole
    pass_ : beyond these a person should look
    hold : beyond these the result must not be used
    remedy : what to do then
    """

    title: str
    unit: str = ""
    each: Literal["", "survey", "part", "band"] = ""
    about: str
    pass_: Bounds | None = Field(default=None, alias="pass")
    hold: Bounds | None = None
    remedy: str = ""

    @model_validator(mode="after")
    def _say_what_to_do(self) -> Definition:
        if bool(self.pass_ or self.hold) != bool(self.remedy):
            raise ValueError("bounds need a remedy, and a remedy needs bounds")
        return self


class _Metrics(Value):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(alias="schema")
    metrics: dict[str, Definition]


@cache
def definitions() -> dict[str, Definition]:
    """Every metric by its name, in the order of the file."""
    return build(_Metrics, read_document(files("pz_tsm_core.quality") / "metrics.yaml")).metrics
