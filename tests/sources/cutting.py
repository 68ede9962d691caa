"""A network that breaks connections: a proxy between a client and a server of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress


class CuttingNetwork:
    """Hands bytes on, and breaks each connection after so many bytes of the server's answers.

    Parameters
    ----------
    server : host and port to which it leads
    cuts : bytes after which connections are broken, one after the other; those after the last
        one are left alone
    renamed : exchange the address of the server in its answers, as in links to its jobs, for that
        of the network; both are of one length, as nobody corrects what is said of lengths
    """

    def __init__(self, server: str, cuts: Iterable[int], *, renamed: bool = False) -> None:
        host, _, port = server.partition(":")
        self._server = host, int(port)
        self._cuts = iter(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.broken = 0
        self._own = server.encode() if renamed else b""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client, next(self._cuts, None)),
                                 daemon=True).start()

    def _carry(self, client: socket.socket, cut: int | None) -> None:
        with closing(client), closing(socket.create_connection(self._server)) as server:
            threading.Thread(target=_pump, args=(client, server, None), daemon=True).start()
            self.broken += _pump(server, client, cut, _Renamed(self._own, self.address.encode()))
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class _Renamed:
    """Exchanges one name for another of its length, also where it comes in two parts."""

    def __init__(self, old: bytes = b"", new: bytes = b"") -> None:
        assert len(old) in (0, len(new))
        self._old, self._new, self._held = old, new, b""

    def __call__(self, data: bytes) -> bytes:
        """The next bytes to hand on; after the last ones comes nothing."""
        if not self._old:
            return data
        whole = (self._held + data).replace(self._old, self._new)
        begun = (n for n in range(len(self._old) - 1, 0, -1) if whole.endswith(self._old[:n]))
        end = len(whole) - next(begun, 0) if data else len(whole)
        self._held = whole[end:]
        return whole[:end]


def _pump(source: socket.socket, target: socket.socket, most: int | None,
          change: _Renamed | None = None) -> bool:
    """Hand on all bytes, or so many; whether there were more."""
    change, data = change or _Renamed(), b"more"
    with suppress(OSError):
        while data:
            data = source.recv(2**16 if most is None else min(2**16, most + 1))
            ready = change(data)
            if most is not None and len(ready) > most:
                target.sendall(ready[:most])
                return True
            target.sendall(ready)
            most = None if most is None else most - len(ready)
    return False


@contextmanager
def cutting_network(
    server: str, cuts: Iterable[int], *, renamed: bool = False
) -> Iterator[CuttingNetwork]:
    """A network before a server for as long as it is needed."""
    network = CuttingNetwork(server, cuts, renamed=renamed)
    try:
        yield network
    finally:
        network.close()
