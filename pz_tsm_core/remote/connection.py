"""Connections that are made to checked addresses alone, and that end at the deadline."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from pz_tsm_core.remote import guard
from pz_tsm_core.remote.deadline import Deadline


class _Hurried:
    """A socket that never waits beyond the deadline, however slowly bytes drip in.

    A timeout of a socket begins anew with each byte, and those that read lines and chunks above
    it wait for many.
    """

    deadline: Deadline | None = None

    def recv_into(self: Any, *args: Any) -> int:
        if self.deadline is not None:
            left, timeout = self.deadline.left(), self.gettimeout()
            if not left:
                raise TimeoutError("the deadline has passed")
            if timeout is None or left < timeout:
                self.settimeout(left)
        return int(super().recv_into(*args))  # type: ignore[misc]


class _Socket(_Hurried, socket.socket):
    pass


class HurriedTLS(_Hurried, ssl.SSLSocket):
    """What contexts of TLS wrap sockets in; the connection sets its deadline."""


class _Guarded(HTTPConnection):
    """A connection that resolves a name once and goes to an address that was checked."""

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline = deadline

    def _new_conn(self) -> socket.socket:
        """Connect to the first checked address that answers.

        The certificate is still compared with the name: only where to connect is decided here.
        """
        try:
            places = guard.addresses(self._dns_host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        for place in places[:-1]:
            try:
                return self._connect(place)
            except (ConnectTimeoutError, NewConnectionError):
                continue
        return self._connect(places[-1])

    def _connect(self, place: str) -> socket.socket:
        timeout = self.timeout
        left = self.deadline.left() or 0.001
        try:
            plain = create_connection(
                (place, self.port), left if timeout is None else min(timeout, left),
                source_address=self.source_address, socket_options=self.socket_options)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} did not answer in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"{self.host}: {error.strerror or error}") from error
        hurried = _Socket(fileno=plain.detach())
        hurried.settimeout(timeout)
        hurried.deadline = self.deadline
        return hurried


class _GuardedTLS(_Guarded, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, HurriedTLS):
            self.sock.deadline = self.deadline


class _Pool(HTTPConnectionPool):
    """Connections to one host: no more at a time than its queue has places for."""

    connection: type[_Guarded] = _Guarded

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        self.ConnectionCls = partial(self.connection, deadline=deadline)  # type: ignore[assignment]
        super().__init__(*args, **kwargs)
        self.deadline = deadline

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        """As in urllib3, and never waiting for a free connection beyond the deadline."""
        kwargs.setdefault("pool_timeout", self.deadline.left() or 0.001)
        return super().urlopen(*args, **kwargs)


class _PoolTLS(_Pool, HTTPSConnectionPool):
    connection = _GuardedTLS


def pool_classes(deadline: Deadline) -> dict[str, Any]:
    """For `PoolManager.pool_classes_by_scheme`."""
    return {"http": partial(_Pool, deadline=deadline),
            "https": partial(_PoolTLS, deadline=deadline)}
