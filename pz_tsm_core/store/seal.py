"""JSON records for people and programs that tell whether a bit of them has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import canonical_json


class DamageError(Exception):
    """What stands in the store is not what was written there; the text says how it differs."""


def sealed(said: Mapping[str, Any]) -> bytes:
    """A record as indented JSON with a seal: the sha256 of all that stands beside it."""
    return _render({**said, "seal": _seal(said)})


def unsealed(content: bytes, where: str, *, schema: int) -> dict[str, Any]:
    """Read what `sealed` wrote.

    Parameters
    ----------
    where : what the record is called in a refusal
    schema : the newest that this release reads; earlier ones are given as they are

    Raises
    ------
    DamageError
        When it is not exactly what was written.
    TsmError
        `store.unsupported` when a later release of this program wrote it.
    """
    try:
        said: dict[str, Any] = json.loads(content)
        seal = said.pop("seal")
        whole = seal == _seal(said) and content == _render({**said, "seal": seal})
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise DamageError(f"the record is no sealed JSON ({error})") from error
    if not whole:
        raise DamageError("the record differs from its seal")
    if said.get("schema") not in range(1, schema + 1):
        raise refuse(
            Code.STORE_UNSUPPORTED, where, found=f"a record of schema {said.get('schema')}",
            expected=f"schema {schema}" + (" or an earlier one" if schema > 1 else ""),
            remedy="open the store with the release of pz-tsm that wrote it, or a later one",
        )
    return said


def _seal(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(said)).hexdigest()


def _render(said: Mapping[str, Any]) -> bytes:
    return (json.dumps(said, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
