"""Guards against DNS rebinding: the server's name must not lead the bridge to this machine later.

The owner of a name decides its addresses, and may give an address of this machine beside a public one, or later in its
place. A server on this machine has no public address, so:

| the addresses of the server's name | addresses of this machine are |
|---|---|
| some are public | ignored |
| none is public, and the server was reached at a public one earlier in this run | ignored |
| any other | used |

Addresses of this machine are loopback, the unspecified address, which systems connect to themselves, and 169.254/16,
where cloud machines have their metadata. Private addresses are not ignored: when a laptop comes home or a VPN comes up,
the same name may lead into a private network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, TypeVar

from bridge.loopback import connects_to_this_machine, unmapped

_Found = TypeVar("_Found", bound="tuple[Any, ...]")


class Rebound(OSError):
    """The server was reached at a public address, and its name leads to this machine now."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"its name now resolves to this computer ({address}), although it was reached at a public address before; "
            "if this is intended, restart the bridge"
        )


def not_this_machine(addresses: Sequence[_Found]) -> list[_Found]:
    """Without the addresses of this machine, if some are public. The entries are those of `socket.getaddrinfo`."""
    if any(_is_public(address) for address in addresses):
        return [address for address in addresses if not _is_here(address)]
    return list(addresses)


class RebindingGuard:
    """Remembers where the server was reached in this run."""

    def __init__(self) -> None:
        self._was_public = False

    def usable(self, addresses: Sequence[_Found]) -> list[_Found]:
        """The addresses to connect to, at least one. Raises `Rebound`."""
        left = not_this_machine(addresses)
        if self._was_public:
            left = [address for address in left if not _is_here(address)]
        if not left:
            raise Rebound(_text(addresses[0]))
        return left

    def reached(self, peer: tuple[Any, ...]) -> None:
        """A connection to `peer`, the address of a socket, was made."""
        self._was_public = self._was_public or _ip(str(peer[0])).is_global


def _is_public(found: tuple[Any, ...]) -> bool:
    return _ip(_text(found)).is_global


def _is_here(found: tuple[Any, ...]) -> bool:
    ip = _ip(_text(found))
    return connects_to_this_machine(ip) or (ip.version == 4 and ip.is_link_local)


def _text(found: tuple[Any, ...]) -> str:
    return str(found[4][0])


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; of an IPv4-mapped one, the IPv4 address that systems connect to (RFC 4291 2.5.5.2)."""
    return unmapped(ipaddress.ip_address(text.partition("%")[0]))
