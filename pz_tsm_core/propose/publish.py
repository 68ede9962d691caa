"""Files for a person's own folder: all of them, whole, and never over another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pz_tsm_core.errors import Code, Problems, refuse


@contextmanager
def publish(texts: Mapping[Path, str]) -> Iterator[None]:
    """Put texts in place, and take them away again when what follows fails.

    Raises
    ------
    TsmError
        `output.exists` for every name that is taken, `output.write` where nothing can be written.
    """
    _require_free(texts)
    placed: list[Path] = []
    try:
        for path, text in texts.items():
            _place(path, text)
            placed.append(path)
        yield
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        raise


def _require_free(paths: Mapping[Path, str]) -> None:
    problems = Problems()
    for path in paths:
        if os.path.lexists(path):
            problems.add(Code.OUTPUT_EXISTS, str(path), found="something of that name",
                         expected="a name that is free",
                         remedy="remove it, or name another file with --output")
    problems.raise_if_any()


def _place(path: Path, text: str) -> None:
    """Write a file aside and link it in place: nobody sees half of it, and no other is lost."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=f".{path.name[:100]}-",
        ) as aside:
            aside.write(text)
            aside.flush()
            os.fsync(aside.fileno())
            os.chmod(aside.name, 0o644)  # noqa: PTH101
            os.link(aside.name, path)  # fails where something stands
    except FileExistsError:
        _require_free({path: text})
        raise
    except OSError as error:
        raise refuse(Code.OUTPUT_WRITE, str(path), found=error.strerror or str(error),
                     expected="a folder that can be written to",
                     remedy="make the folder, or name another file with --output") from None
