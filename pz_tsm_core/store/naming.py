"""What may be named how, and for whom; and how the rest is refused."""

from __future__ import annotations

from collections.abc import Mapping

from pz_tsm_core.errors import Code, TsmError, refuse
from pz_tsm_core.model.artifact import Access, strictest
from pz_tsm_core.model.product import ProductVersion, split_ref
from pz_tsm_core.store.records import Decided, RecordDamageError


def standing(numbers: Mapping[int, Decided]) -> list[int]:
    """Numbers of the versions that were not withdrawn, ascending."""
    return [number for number, decided in numbers.items() if not decided.withdrawn]


def plain(name: str) -> str:
    """The name, if it is one without a version.

    Raises
    ------
    TsmError
        `product.name`
    """
    if split_ref(name)[1] is not None or "@" in name:
        raise refuse(Code.PRODUCT_NAME, name, found="a name with a version",
                     expected="a name alone", remedy="leave out what follows the @")
    return name


def narrowed(name: str, own: Access, wanted: Access | None) -> Access:
    """Who may see a version: as its artifacts say, or fewer.

    Raises
    ------
    TsmError
        `store.access` when it would be others, or more.
    """
    if wanted is None or strictest((own, wanted)) == wanted:
        return wanted or own
    raise refuse(Code.STORE_ACCESS, name, found=f"artifacts for {own}",
                 expected=f"artifacts that all may see who may see {wanted}",
                 remedy=f"leave it for {own}, or for fewer")


def taken(name: str, found: str, expected: str) -> TsmError:
    """A name that stands for something else."""
    return refuse(Code.PRODUCT_NAME, name, found=f"the name of {found}",
                  expected=f"a name that is free, or of {expected}", remedy="choose another name")


def no_such_version(name: str, asked: int | None, numbers: Mapping[int, Decided]) -> TsmError:
    """A product that has versions, and not this one.

    Parameters
    ----------
    asked : its number; None for the latest
    """
    left = standing(numbers)
    if asked is None:
        found = "candidates alone" if left else "every version withdrawn"
        remedy = f"name one by its number, or let one become it: `tsm promote {name}`"
    else:
        found = f"version {asked}, withdrawn" if asked in numbers else f"no version {asked}"
        remedy = f"use {name}@latest"
    return refuse(
        Code.PRODUCT_UNKNOWN, name if asked is None else f"{name}@{asked}", found=found,
        expected=("one of its versions: " + ", ".join(map(str, left)) if left
                  else "a version that is not withdrawn"),
        remedy=remedy if left else "run its recipe or put its file again",
    )


def none_waits(name: str) -> TsmError:
    """A product of which nothing can be promoted."""
    return refuse(Code.PRODUCT_UNKNOWN, name, found="no candidate that waits",
                  expected="a version that `latest` passes by until somebody decides",
                  remedy="`tsm products list` shows which versions there are")


def superseded(version: ProductVersion, latest: ProductVersion) -> TsmError:
    """A version that would not become the latest if it were promoted."""
    return refuse(
        Code.PRODUCT_SUPERSEDED, str(version), found=f"{latest}, which is newer and the latest",
        expected="a candidate that would become the latest",
        remedy=f"withdraw what is newer first, if it is wrong: `tsm products withdraw {latest}`",
    )


def damaged(location: str, damage: RecordDamageError, expected: str, *, seen: bool) -> TsmError:
    """A damaged record; which one, only if it is for the eyes of who asks."""
    where = damage.key if seen else "a record of another principal"
    return refuse(
        Code.STORE_CORRUPT, f"{location}: {where}",
        found=str(damage) if seen else "damage", expected=expected,
        remedy="put the folder back from a backup; without one, remove it: what only that "
        "version named is then collected",
    )
