"""A product: a name for people, under which whole results stand in numbered versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import Access, ArtifactRef, Value
from pz_tsm_core.model.guard import Judgement

_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
_REF = re.compile(rf"{_NAME}(@(latest|[1-9][0-9]{{0,8}}))?")
_FORM = "NAME, NAME@latest or NAME@7; names of at most 63 lower-case letters, digits, - and _"


def is_ref(text: str) -> str:
    """Give the text back if it names a product, as pydantic's validators do.

    Raises
    ------
    ValueError
    """
    if not _REF.fullmatch(text):
        raise ValueError(_FORM)
    return text


ProductName = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
#: `NAME`, `NAME@latest` or `NAME@7`; the address of an artifact (64 digits) is none.
ProductRef = Annotated[str, AfterValidator(is_ref)]

#: What a product is: redshifts of one row a galaxy, a training set, or a table that a user put.
ProductKind = Literal["compilation", "training_set", "table"]

#: The table that people mean by a product of each kind.
MAIN_TABLE: dict[ProductKind, str] = {
    "table": "native", "compilation": "galaxies", "training_set": "training_set",
}

#: Key of the note by which the artifact of a user's table names the columns that were not taken in.
LEFT_ALONE = "left alone"


class Promotion(Value):
    """By whom, and when, a candidate was found good enough."""

    by: str  # name of the principal
    at: str  # UTC, ISO 8601


class ProductVersion(Value):
    """One version of a product: appended once, never changed, its number never used again.

    Parameters
    ----------
    artifacts : everything that the version rests on, by the label of its stage
    result : label of the artifact that is handed out
    owner : who asked a service for it; empty: it is the operator's
    candidate : it was appended to wait for a decision
    judgement : what a guard found before it was appended
    promoted : that decision
    withdrawn : the version is no longer handed out, and what it alone rested on may be collected
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[2] = Field(default=2, alias="schema")  # 1 knew no candidates and no owners
    name: ProductName
    version: int = Field(ge=1)
    kind: ProductKind
    artifacts: dict[str, ArtifactRef]
    result: str
    access: Access
    created: str  # UTC, ISO 8601
    owner: str = ""
    candidate: bool = False
    judgement: Judgement | None = None
    promoted: Promotion | None = None
    withdrawn: bool = False

    @model_validator(mode="after")
    def _has_its_result(self) -> ProductVersion:
        if self.result not in self.artifacts:
            raise ValueError(f"`{self.result}` is none of the artifacts of the version")
        return self

    @property
    def ref(self) -> ArtifactRef:
        """What is handed out."""
        return self.artifacts[self.result]

    @property
    def waits(self) -> bool:
        """Whether it is a candidate about which nobody has decided: `latest` passes it by."""
        return self.candidate and self.promoted is None and not self.withdrawn

    @property
    def table(self) -> str:
        """Name of the table that people mean by it."""
        return MAIN_TABLE[self.kind]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def latest_of(versions: Iterable[ProductVersion]) -> ProductVersion | None:
    """The one that a name without a number stands for; versions come the newest first."""
    return next((each for each in versions if not each.withdrawn and not each.waits), None)


def candidates_of(versions: Iterable[ProductVersion]) -> tuple[ProductVersion, ...]:
    """Those that wait and may become the latest; versions of one name come the newest first.

    A candidate that a newer version has passed by is none any more.
    """
    newer = takewhile(lambda each: each.withdrawn or each.waits, versions)
    return tuple(each for each in newer if each.waits)


def split_ref(text: str) -> tuple[str, int | None]:
    """Name and version of `NAME`, `NAME@latest` (None: the latest) or `NAME@7`.

    Raises
    ------
    TsmError
        `product.name` for anything else.

    Examples
    --------
    >>> split_ref("specz-compilation@7"), split_ref("specz-compilation")
    (('specz-compilation', 7), ('specz-compilation', None))
    """
    if not _REF.fullmatch(text):
        raise refuse(
            Code.PRODUCT_NAME, text, found="no name of a product", expected=_FORM,
            remedy="correct the name; `tsm products list` shows those that there are",
        )
    name, _, version = text.partition("@")
    return name, int(version) if version.isdigit() else None
