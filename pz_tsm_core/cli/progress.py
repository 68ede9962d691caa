"""How far transfers have come, for whoever watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pz_tsm_core.errors import printable

if TYPE_CHECKING:
    from pz_tsm_core.remote import Moved


@contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[Moved], None] | None]:
    """Bars on a terminal that a person watches; nothing elsewhere."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<32}"), BarColumn(bar_width=24),
               TextColumn("{task.fields[moved]}"), TimeRemainingColumn())
    bars: dict[tuple[str, str], Any] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def hear(moved: Moved) -> None:
            key = (moved.what, moved.unit)
            if key not in bars:
                bars[key] = bar.add_task(printable(moved.what)[:32], total=None, moved="")
            bar.update(bars[key], total=moved.total, completed=moved.done, moved=_told(moved))

        yield hear


def _told(moved: Moved) -> str:
    from rich.filesize import decimal

    return f"{moved.done:,} rows" if moved.unit == "rows" else decimal(moved.done)
