"""Values that stand alike in the configurations of every existing pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from pz_tsm_core.errors import nearest


def one_of(*words: str) -> BeforeValidator:
    """A word in any case, or a refusal with the nearest one."""
    def checked(value: Any) -> Any:
        word = value.strip().lower() if isinstance(value, str) else str(value)
        if word not in words:
            raise ValueError(f"one of {', '.join(words)}: {nearest(word, words)}")
        return word

    return BeforeValidator(checked)


def _plain_name(value: str) -> str:
    if value in ("", ".", "..") or "/" in value or "\\" in value:
        raise ValueError("a name without folders")
    return value


def _inside(value: str) -> str:
    if value.startswith(("/", "~")) or ".." in value.split("/"):
        raise ValueError("a folder inside output_root_dir")
    return value


def _mapping(value: Any) -> Any:
    """Columns that are mapped; `null`, `""` and `"null"` map none."""
    if not isinstance(value, Mapping):
        return {} if value is None else value
    return {name: None if native in ("", "null") else native for name, native in value.items()}


Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
#: Standard name -> native name, None where there is none.
Columns = Annotated[dict[str, str | None], BeforeValidator(_mapping)]
#: A folder inside another, and a name in a folder.
Inside = Annotated[str, AfterValidator(_inside)]
PlainName = Annotated[str, AfterValidator(_plain_name)]


class Read(BaseModel):
    """Base of what is read leniently: keys that nobody knows are told elsewhere."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Executor(Read):
    """Where an existing pipeline would run; here it is read and otherwise left alone."""

    name: Annotated[str, one_of("local", "slurm")] = "local"
    args: dict[str, Any] | None = None
