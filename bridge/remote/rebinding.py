"""Where the server was reached: its name must not lead the relay to this machine later (DNS rebinding).

Whoever owns a name writes its addresses: a public one, and one of this machine beside it or in its place. A server on
this machine has no public address, so:

| the addresses of the server's name | those of this machine |
|---|---|
| some are public | are left out |
| none is, and the server was reached at a public one before, in this run | are left out |
| else | are as good as any |

Of this machine are loopback, the unspecified address, which systems connect to themselves, and 169.254/16, where a
cloud's machines have their metadata. Other addresses are not judged here: a laptop comes home or a VPN comes up, and
the same name leads into a private network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, TypeVar

_Found = TypeVar("_Found", bound="tuple[Any, ...]")


class Rebound(OSError):
    """The name of a server that was reached at a public address leads to this machine now."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"its name leads to this machine now ({address}), though it was reached at a public address; if that is "
            "meant, start the bridge again"
        )


def not_this_machine(addresses: Sequence[_Found]) -> list[_Found]:
    """Of what `socket.getaddrinfo` found, all but those of this machine, where some are public; else all."""
    if any(_is_public(address) for address in addresses):
        return [address for address in addresses if not _is_here(address)]
    return list(addresses)


class RebindingGuard:
    """Where the server of one run was reached."""

    def __init__(self) -> None:
        self._was_public = False

    def usable(self, addresses: Sequence[_Found]) -> list[_Found]:
        """Those to connect to, at least one. Raises `Rebound`."""
        left = not_this_machine(addresses)
        if self._was_public:
            left = [address for address in left if not _is_here(address)]
        if not left:
            raise Rebound(_text(addresses[0]))
        return left

    def reached(self, peer: tuple[Any, ...]) -> None:
        """A connection came about to this end of a socket."""
        self._was_public = self._was_public or _ip(str(peer[0])).is_global


def _is_public(found: tuple[Any, ...]) -> bool:
    return _ip(_text(found)).is_global


def _is_here(found: tuple[Any, ...]) -> bool:
    ip = _ip(_text(found))
    return ip.is_loopback or ip.is_unspecified or (ip.version == 4 and ip.is_link_local)


def _text(found: tuple[Any, ...]) -> str:
    return str(found[4][0])


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address, an IPv4 address where it stands for one that systems connect to in its place (RFC 4291 2.5.5.2)."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip
