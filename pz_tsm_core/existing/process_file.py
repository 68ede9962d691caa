"""`process.yml`: what a service that started a run reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pz_tsm_core.errors import TsmError
from pz_tsm_core.files import read_document

NAME = "process.yml"


@dataclass
class ProcessFile:
    """The file and what stands in it; what others wrote there stays.

    Its status is `Failed` from the beginning, so that a run that is killed has failed.
    """

    path: Path
    content: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, folder: Path, log_file: str) -> ProcessFile:
        """Write the file into the folder of a run, from which `log_file` counts."""
        path = folder / NAME
        try:
            content = read_document(path).content if path.is_file() else {}
        except TsmError:  # half a file, or none of ours: it is written anew
            content = {}
        process = cls(path, {key: value for key, value in content.items()
                             if key not in ("end_time", "outputs")})
        process._write(status="Failed", start_time=_now(), log_file=log_file)
        return process

    def fail(self) -> None:
        """Write when the run failed."""
        self._write(status="Failed", end_time=_now())

    def succeed(
        self, product: str, root: str, associated: Mapping[str, str], **more: Any
    ) -> None:
        """Write what the run made.

        Parameters
        ----------
        product : its path below `root`
        associated : the service's name of each column that it knows -> its name in the product
        more : what else others may want to know of the run
        """
        output = {"path": product, "root_dir": root, "role": "main",
                  "columns_assoc": dict(associated)}
        self._write(outputs=[output], status="Successful", end_time=_now(), **more)

    def _write(self, **more: Any) -> None:
        self.content.update(more)
        aside = self.path.with_name(f".{self.path.name}.partial")
        aside.write_text(yaml.safe_dump(self.content), "utf-8")
        aside.replace(self.path)


def _now() -> str:
    """The time where the run is, without a zone, as the existing pipeline writes it."""
    return datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")
