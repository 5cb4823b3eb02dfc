"""Hosts whose addresses are known without a name service: IP addresses and `localhost` (RFC 6761, 6.3).

This module is imported first in a run, so it imports little.
"""

from __future__ import annotations

import contextlib
import socket

from bridge.loopback import localhost_addresses

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""An entry of `socket.getaddrinfo`: family, kind, protocol, canonical name, address."""


def known_addresses(host: str, port: int) -> list[Address]:
    """The addresses of a host that needs no lookup; empty for a name that needs one."""
    return [address for known in localhost_addresses(host) or (host,) if (address := _literal(known, port))]


def _literal(host: str, port: int) -> Address | None:
    for family, address in ((socket.AF_INET, (host, port)), (socket.AF_INET6, (host, port, 0, 0))):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address
    return None
