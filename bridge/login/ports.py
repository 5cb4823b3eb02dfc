"""The loopback port a sign-in's answer comes to, held on 127.0.0.1 and on ::1 at once (RFC 8252 7.3, 8.3).

A browser may take either address for `localhost`. Whoever held the other one could receive the code, so a port
counts only where both are ours.

| system | option | why |
|---|---|---|
| Windows | `SO_EXCLUSIVEADDRUSE` | without it another program may bind the same port over ours |
| Linux | `SO_REUSEADDR` | without it the port is refused for a minute after a login; it shares no listening port |
| macOS, BSD | `SO_REUSEADDR`, after a look | the same, but it binds beside a program that listens on all addresses |
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import socket
import sys
from collections.abc import Sequence

from bridge.login.port_owner import describe_port_owner
from bridge.oauth.errors import SignInError

FIRST_DYNAMIC = 49152  # RFC 6335 6: the dynamic ports, which nobody is given.
LAST_DYNAMIC = 65535

_DERIVED = 8
_FREE_TRIES = 20
_BACKLOG = 64
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_NO_SUCH_ADDRESS = frozenset(
    (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, 10047, 10049)  # The last two are Windows'.
)
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM, 10013))


class CallbackPortTaken(SignInError):
    """The one port that the callback may come to cannot be listened on; the message says who holds it."""


def derived_ports(server: str, profile: str) -> list[int]:
    """Return eight different dynamic ports that stay the same for a server URL and profile, on every machine.

    Authorization servers that compare redirect URIs with their port go on knowing the client from run to run.
    """
    found: list[int] = []
    for count in range(256):
        digest = hashlib.sha256(f"{server}\n{profile}\n{count}".encode(errors="surrogatepass")).digest()
        port = FIRST_DYNAMIC + int.from_bytes(digest[:4], "big") % (LAST_DYNAMIC - FIRST_DYNAMIC + 1)
        if port not in found:
            found.append(port)
        if len(found) == _DERIVED:
            break
    return found


async def listen_on_loopback(ports: Sequence[int], *, exact: bool) -> list[socket.socket]:
    """Return listening sockets on the first of `ports` that is free: 127.0.0.1's and, where there is one, ::1's.

    Where none is free: with `exact` raises `CallbackPortTaken`, else any port the system gives is taken. Raises
    `SignInError` where there is none at all.
    """
    failure: OSError | None = None
    for port in ports:
        try:
            return bind_pair(port)
        except OSError as error:
            failure = error
    if exact:
        raise await _taken(ports[0], failure)
    for _ in range(_FREE_TRIES):
        try:
            return bind_pair(0)
        except OSError as error:  # The port is free on one of the two addresses only: ask for another.
            failure = error
    raise SignInError(
        "Cannot listen on any port of this machine for the browser's return"
        f" ({failure.strerror if failure else 'none was free'}).",
        hint="A security program or a sandbox may forbid it: allow it, or name a port with --callback-port.",
    )


def bind_pair(port: int) -> list[socket.socket]:
    """Listen on `port` of both loopback addresses (0: one of the system's choice). Raises OSError where one is held."""
    bound: list[socket.socket] = []
    try:
        for family, address in _LOOPBACK:
            try:
                one = _listening(family, address, port)
            except OSError as error:
                if family == socket.AF_INET6 and error.errno in _NO_SUCH_ADDRESS:
                    continue  # This machine has no IPv6 loopback, so nobody else can listen there either.
                raise
            bound.append(one)
            port = one.getsockname()[1]
    except OSError:
        for one in bound:
            one.close()
        raise
    return bound


def _listening(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    if port and may_bind_beside(sys.platform) and _is_answered(family, address, port):
        raise OSError(errno.EADDRINUSE, "Address already in use")
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        option = ownership_option(sys.platform)
        if option is not None:
            one.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setblocking(False)
        one.bind((address, port))
        # Not later: on Linux it is listening that makes the port ours alone.
        one.listen(_BACKLOG)
    except BaseException:
        one.close()
        raise
    return one


def ownership_option(platform: str) -> int | None:
    """Return the socket option that `platform` (as `sys.platform`) wants for a port of one's own; see the table."""
    if platform == "win32":
        return getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
    return socket.SO_REUSEADDR


def may_bind_beside(platform: str) -> bool:
    """Whether `ownership_option` lets one bind an address where another program listens on all of them."""
    return platform not in {"win32", "linux"}


def _is_answered(family: socket.AddressFamily, address: str, port: int) -> bool:
    """Whether someone takes connections there. The loopback tells at once; the limit is for the odd filter."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((address, port)) == 0
    return False


async def _taken(port: int, failure: OSError | None) -> CallbackPortTaken:
    if failure is not None and failure.errno in _FORBIDDEN:
        return CallbackPortTaken(
            f"The system does not let this program listen on the callback port {port} ({failure.strerror}).",
            hint="Give another one with --callback-port, above 1023, and register its redirect URI.",
        )
    port_owner = await asyncio.to_thread(describe_port_owner, port)
    return CallbackPortTaken(
        f"The callback port {port} is taken: {port_owner} listens on it.",
        hint="End that program, or give another port with --callback-port and register its redirect URI.",
    )
