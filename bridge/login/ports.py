"""The loopback port of the callback, bound on both 127.0.0.1 and ::1 (RFC 8252 7.3, 8.3).

A browser may use either address for `localhost`. A program that listens on the other one could receive the code, so a
port is used only if both addresses can be bound.

| system | option | reason |
|---|---|---|
| Windows | `SO_EXCLUSIVEADDRUSE` | without it, another program can bind the same port too |
| Linux | `SO_REUSEADDR` | without it, a port is refused for a minute after a login; it shares no listening port |
| macOS, BSD | `SO_REUSEADDR` after a test connection | the same, but it binds beside a listener on all addresses |
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

FIRST_DYNAMIC = 49152  # RFC 6335 6: dynamic ports, which are never assigned.
LAST_DYNAMIC = 65535

_DERIVED = 8
_FREE_TRIES = 20
_BACKLOG = 64
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_NO_SUCH_ADDRESS = frozenset(
    (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, 10047, 10049)  # The last two are Windows'.
)
_REGISTER = "If you registered the client yourself, register its new redirect URI too."
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM, 10013))


class CallbackPortTaken(SignInError):
    """The configured callback port cannot be used; the message says which program listens on it."""


def derived_ports(server: str, profile: str) -> list[int]:
    """Return eight different dynamic ports, always the same ones for a server URL and profile.

    So a redirect URI stays the same from run to run, for authorization servers that compare its port.
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
    """Return listening sockets on the first of `ports` that is free: on 127.0.0.1 and, if the machine has it, ::1.

    If none is free, raises `CallbackPortTaken` if `exact`, else uses any port that the system chooses. Raises
    `SignInError` if no port can be used.
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
        except OSError as error:  # The port is free on one of the two addresses only, so try another.
            failure = error
    raise SignInError(
        "The bridge cannot listen on any port of this machine for the answer from the browser"
        f" ({failure.strerror if failure else 'none was free'}).",
        hint="A security program or a sandbox may forbid it: allow it, or choose a port with --callback-port.",
    )


def bind_pair(port: int) -> list[socket.socket]:
    """Listen on `port` of both loopback addresses (0: the system chooses). Raises OSError if one is taken."""
    bound: list[socket.socket] = []
    try:
        for family, address in _LOOPBACK:
            try:
                one = _listening(family, address, port)
            except OSError as error:
                if family == socket.AF_INET6 and error.errno in _NO_SUCH_ADDRESS:
                    continue  # Without an IPv6 loopback address, no other program can listen there either.
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
    """Whether a program accepts connections there. Loopback answers at once; the limit is for packet filters."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((address, port)) == 0
    return False


async def _taken(port: int, failure: OSError | None) -> CallbackPortTaken:
    if failure is not None and failure.errno in _FORBIDDEN:
        return CallbackPortTaken(
            f"The system does not allow the bridge to listen on the callback port {port} ({failure.strerror}).",
            hint=f"Choose another port above 1023 with --callback-port. {_REGISTER}",
        )
    port_owner = await asyncio.to_thread(describe_port_owner, port)
    return CallbackPortTaken(
        f"The callback port {port} is taken: {port_owner} listens on it.",
        hint=f"End that program, or choose another port with --callback-port. {_REGISTER}",
    )
