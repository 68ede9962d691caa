"""Which addresses may be contacted: those of the public internet, and what the operator allows.

A name says nothing of where it leads, and may lead elsewhere the next moment. So what is checked
is the address to which a connection is about to be made, and the connection is made to what was
checked.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

from pz_tsm_core.errors import Code, TsmError, refuse

#: Names the variable with hosts, `host:port` or networks that are allowed though not public.
ALLOW_HOSTS = "PZ_TSM_ALLOW_HOSTS"

SCHEMES = ("https", "http", "s3")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: IPv4 behind a translator: the address that counts is in the last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")
#: Global unicast; beside it and NAT64 no address of IPv6 is public.
_GLOBAL = IPv6Network("2000::/3")
#: Not all versions of Python count these: services of protocols and clouds, relays to IPv6,
#: documents; and by its number public, a service of the machine that hosts this one (Azure).
_NOT_PUBLIC = tuple(map(ip_network, (
    "192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "168.63.129.16/32")))


@dataclass(frozen=True)
class _Allowed:
    """One entry of the operator's list.

    Parameters
    ----------
    name : of a host, in lower case; empty for a network
    port : None for any
    """

    name: str = ""
    network: Network | None = None
    port: int | None = None

    def covers(self, host: str, address: Address, port: int) -> bool:
        """Whether a connection to this address, made for this host, is allowed."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return self.name == _plain(host)


def check_url(url: str, schemes: Collection[str] = SCHEMES) -> SplitResult:
    """Refuse what is no plain address of a public protocol, before anything is contacted.

    Raises
    ------
    TsmError
        `remote.forbidden` for another scheme, no host, or credentials in the address.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise _no_url(url, schemes, "an address that cannot be read") from None
    if parts.scheme not in schemes:
        raise _no_url(url, schemes, f"the scheme `{parts.scheme}`" if parts.scheme else "no scheme")
    if parts.username is not None or parts.password is not None:
        raise refuse(
            Code.REMOTE_FORBIDDEN, shown(url), found="credentials in the address",
            expected="an address that may stand in records and logs",
            remedy="leave them out; those of S3 are taken from the environment",
        )
    if not host:
        raise _no_url(url, schemes, "no host")
    return parts


def check_downgrade(url: str, target: str) -> None:
    """Refuse to be sent on to where anybody may listen, or change what comes.

    Raises
    ------
    TsmError
        `remote.forbidden`.
    """
    if url.startswith("https:") and target.lower().startswith("http:"):
        raise refuse(Code.REMOTE_FORBIDDEN, shown(url), found=f"sent on to {shown(target)}",
                     expected="an address that begins with https://",
                     remedy="correct the address in the definition")


def addresses(host: str, port: int) -> list[str]:
    """Addresses to which a connection for this host may be made, each checked; at least one.

    One address that is not public among several refuses them all: such a name is not to be
    trusted.

    Raises
    ------
    TsmError
        `remote.forbidden`.
    socket.gaierror
        When the name leads nowhere.
    """
    places = resolve(host, port)
    for place in places:
        check_address(host, place, port)
    return places


def resolve(host: str, port: int) -> list[str]:
    """Addresses of a host, in the order in which they are to be tried; none is checked.

    Raises
    ------
    socket.gaierror
        When the name leads nowhere.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def check_address(host: str, address: str, port: int) -> None:
    """Refuse an address that is neither public nor allowed.

    Parameters
    ----------
    host : for which a connection is about to be made to it, as in the URL

    Raises
    ------
    TsmError
        `remote.forbidden`.
    """
    place = _unwrapped(ip_address(address))
    if not (_is_public(place) or is_allowed(host, place, port)):
        raise _not_public(host, address, port)


def is_allowed(host: str, address: Address, port: int) -> bool:
    """Whether the operator allows a connection that would be refused."""
    entries = _allowed(os.environ.get(ALLOW_HOSTS, ""))
    return any(entry.covers(host, address, port) for entry in entries)


def shown(url: str) -> str:
    """The URL as it may be told: credentials are left out, and a query, which may hold them."""
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
    except ValueError:
        return url.partition("?")[0]
    return parts._replace(netloc=netloc, query="", fragment="").geturl()


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _GLOBAL or (address.sixtofour and not _is_public(address.sixtofour)):
            return False
    return (address.is_global and not (address.is_multicast or address.is_reserved)
            and not any(address.version == each.version and address in each
                        for each in _NOT_PUBLIC))


def _unwrapped(address: Address) -> Address:
    """An IPv4 address that is written as IPv6, as itself."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=8)
def _allowed(text: str) -> tuple[_Allowed, ...]:
    return tuple(_entry(word) for word in text.replace(",", " ").split())


def _entry(word: str) -> _Allowed:
    """One of: host, host:port, address, address:port, [address]:port, network."""
    network = _network(word.strip("[]"))
    if network is not None:
        return _Allowed(network=network)
    head, colon, tail = word.rpartition(":")
    if not colon:
        return _Allowed(name=_plain(word))
    if not tail.isdigit():
        raise refuse(Code.REMOTE_FORBIDDEN, ALLOW_HOSTS, found=word,
                     expected="host, host:port or a network such as 10.1.0.0/16, with commas",
                     remedy="correct the variable")
    network = _network(head.strip("[]"))
    return _Allowed("" if network else _plain(head), network, int(tail))


def _network(word: str) -> Network | None:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        return None


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _no_url(url: str, schemes: Collection[str], found: str) -> TsmError:
    return refuse(Code.REMOTE_FORBIDDEN, shown(url) or "address", found=found,
                  expected="an address that begins with "
                  + " or ".join(f"{scheme}://" for scheme in schemes),
                  remedy="correct the address")


def _not_public(host: str, address: str, port: int) -> TsmError:
    leads = f"{host} leads to {address}, which" if _plain(host) != address else address
    return refuse(
        Code.REMOTE_FORBIDDEN, f"{host}:{port}", found=f"{leads} is no public address",
        expected="a host of the public internet, or one that the operator allows",
        remedy=f"if you know and trust it: {ALLOW_HOSTS}={_plain(host)}:{port}",
    )
