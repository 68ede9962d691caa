"""Where the command line begins and ends: its commands, and how a failure is told."""

from __future__ import annotations

import logging
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

from pz_tsm_core.cli import (
    combine,
    diff,
    dustmaps,
    fetch,
    inspect,
    match,
    mock,
    new,
    products,
    promote,
    releases,
    surveys,
)
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.errors import Code, TsmError, refuse

#: Modules whose import adds their commands to `app`.
COMMANDS = (mock, new, combine, match, inspect, surveys, releases, fetch, dustmaps, products,
            promote, diff)


def main() -> None:
    """Run the command line; mistakes go to standard error, and the exit status is not 0."""
    for entry in sorted(entry_points(group="pz_tsm.commands"), key=lambda entry: entry.name):
        _add(entry)
    _show_warnings()
    told_plainly(app)


def _show_warnings() -> None:
    """Warnings of the library, such as an artifact set aside, as plain lines on standard error."""
    log = logging.getLogger("pz_tsm_core")
    log.addHandler(logging.StreamHandler())
    log.propagate = False  # Prefect's handlers would say the same again


def told_plainly(command: Callable[[], Any]) -> None:
    """Run a command; tell what went wrong on standard error, without a traceback, and end with 1.

    What no refusal foresaw is told in one line too; its traceback goes to a file for those who
    mend it.
    """
    try:
        command()
    except TsmError as error:
        told = error
    except OSError as error:
        told = refuse(Code.STORE_IO, str(error.filename or "a file"),
                      found=error.strerror or str(error), expected="a place to read and write",
                      remedy="make room, or give permission, and run the same command again")
    except Exception as error:  # noqa: BLE001 - the outermost edge
        told = _internal(error)
    else:
        return
    sys.stderr.write(f"{told}\n")
    sys.exit(1)


def _internal(error: Exception) -> TsmError:
    with tempfile.NamedTemporaryFile("w", prefix="pz-tsm-", suffix=".log", delete=False) as log:
        traceback.print_exception(error, file=log)
    return refuse(Code.INTERNAL, type(error).__name__, found=str(error).strip().split("\n")[0],
                  expected="no such thing: this is a mistake of ours",
                  remedy=f"run the same command again; if it stays, report it with {log.name}")


def _add(entry: EntryPoint) -> None:
    """Add the command of an entry point, or one that says what is missing to run it."""
    try:
        app.command(name=entry.name, **shown(entry.name))(entry.load())
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in (
                "deployments", "flows", "tasks", "prefect"):
            raise
        # Whatever stands behind it on the line: the answer is the same.
        anything = {"ignore_unknown_options": True, "allow_extra_args": True}
        panel = shown(entry.name)["rich_help_panel"]
        app.command(name=entry.name, context_settings=anything, rich_help_panel=panel)(
            _absent(entry.name))


def _absent(name: str) -> Callable[[], None]:
    def command() -> None:
        raise refuse(
            Code.APPLICATION_MISSING, f"tsm {name}", found="the library alone",
            expected="the application: flows and tasks, and Prefect",
            remedy=f"run it from a checkout of pz-tsm {version('pz-tsm')} (see its README)",
        )

    command.__doc__ = "Needs the application: run it from a checkout of pz-tsm."
    return command
