"""The private Prefect server's own process: serve on a socket handed down, die with the parent.

Started by `flows.private_server` as `python server_process.py SOCKET LEASH`, two inherited file
descriptors: a socket that listens already, and the reading end of a pipe whose writing end
the parent alone holds. The kernel closes that end however the parent dies, kill -9 included.
"""

from __future__ import annotations

import os
import socket
import sys
import threading


def _die_with_parent(leash: int) -> None:
    """Wait for the end of the pipe, then leave at once: nothing here needs to be saved."""
    os.read(leash, 1)
    os._exit(0)


def main() -> None:
    """Serve Prefect's API until the parent lets go of the leash."""
    listening, leash = map(int, sys.argv[1:])
    # Before the imports, which take seconds in which the parent may die.
    threading.Thread(target=_die_with_parent, args=(leash,), daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(ephemeral=True), log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listening)])


if __name__ == "__main__":
    main()
