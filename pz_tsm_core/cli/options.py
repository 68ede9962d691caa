"""Options that many commands share: where the store is, and who opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from pz_tsm_core.cli import completion

if TYPE_CHECKING:
    from pz_tsm_core.model.retrieval import FetchPolicy
    from pz_tsm_core.store import Store

StoreOption = Annotated[
    str | None,
    typer.Option("--store", envvar="PZ_TSM_STORE",
                 help="Folder that keeps every result, or s3://BUCKET/PREFIX. "
                      "(default: in your data folder)"),
]
PrincipalOption = Annotated[
    str, typer.Option("--principal", envvar="PZ_TSM_PRINCIPAL", help="Who opens the store.")
]
RightOption = Annotated[
    list[str] | None,
    typer.Option("--right", help="A data right that the principal holds; repeat for more."),
]
SurveyPathOption = Annotated[
    Path | None,
    typer.Option("--survey-path", envvar="PZ_TSM_SURVEY_PATH", autocompletion=completion.files,
                 help="Folder of survey definitions of your own. (default: the registry alone)"),
]


def located(store: str | None) -> str:
    """Location of the store that a command was told, or of the usual one, from the root.

    A worker has another working folder than the person who types.
    """
    from pz_tsm_core.files import expanded
    from pz_tsm_core.store import default_location

    location = store or default_location()
    return location if "://" in location else str(expanded(location).absolute())


def opened(store: str | None, principal: str, rights: list[str] | None) -> Store:
    """Open the store that a command was told."""
    from pz_tsm_core.model.artifact import Principal
    from pz_tsm_core.store import open_store

    return open_store(located(store), Principal(name=principal, rights=frozenset(rights or ())))


def policy_named(text: str, option: str) -> FetchPolicy:
    """The policy that an option names: when sources are asked."""
    from pz_tsm_core.errors import Code, nearest, refuse
    from pz_tsm_core.model.retrieval import FetchPolicy

    policies: tuple[FetchPolicy, ...] = get_args(FetchPolicy)
    for policy in policies:
        if text == policy:
            return policy
    raise refuse(Code.VALUE_RANGE, option, found=f"`{text}`", expected=", ".join(policies),
                 remedy=nearest(text, policies))
