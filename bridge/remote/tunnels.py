"""Tunnels through a proxy, opened by CONNECT (RFC 9110, 9.3.6) or SOCKS 5 (RFC 1928, 1929).

In a tunnel the bridge speaks first, with a TLS handshake or an HTTP request. Bytes that arrive with the proxy's answer
come from a proxy that adds a page to its 200, or from a server that is not an HTTP server. They would be taken for the
answer to the first request, so such a tunnel is not used.

SOCKS is implemented here, because replies may arrive in any pieces: the available library (socksio) accepts only
complete messages, and fails on lengths that the format does not allow.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from typing import TYPE_CHECKING

import h11

from bridge.protocol import tls_failures
from bridge.protocol.sanitize import excerpt
from bridge.remote.http1 import Disconnected, Header, HttpConnection, NotHttp
from bridge.remote.proxy import Proxy, ProxyRefused
from bridge.remote.responses import Head, said_by
from bridge.remote.wire import Wire

if TYPE_CHECKING:
    from bridge.remote.connecting import Origin

_PAGE_SECONDS = 1.0
_MAY_PASS = frozenset((502, 503, 504))
_PROXY_AUTHENTICATE = b"proxy-authenticate"
# For each status that asks for a sign-in, the headers that name the schemes. The proxy answers CONNECT, so a 401 is its
# answer too (Tinyproxy sends it for a wrong password).
_WANTS_SIGN_IN = {407: (_PROXY_AUTHENTICATE,), 401: (_PROXY_AUTHENTICATE, b"www-authenticate")}

_NO_SIGN_IN, _PASSWORD = 0, 2
_LONGEST = 255
_ADDRESS_LENGTHS = {1: 4, 4: 16}
_DOMAIN = 3
# A refusal because of the server may pass; one because of the proxy's rules does not.
_SOCKS_REFUSALS = {
    1: ("general server failure", True),
    2: ("connection not allowed by ruleset", False),
    3: ("network unreachable", True),
    4: ("host unreachable", True),
    5: ("connection refused", True),
    6: ("ttl expired", True),
    7: ("command not supported", False),
    8: ("address type not supported", False),
}


def authorization(proxy: Proxy) -> tuple[Header, ...]:
    """The header that signs in to an HTTP proxy (RFC 7617); empty if its URL has no user."""
    if proxy.auth is None:
        return ()
    credentials = base64.b64encode(":".join(proxy.auth).encode())
    return ((b"proxy-authorization", b"Basic " + credentials),)


async def ask_http(proxy: Proxy, wire: Wire, origin: Origin) -> None:
    """Ask an HTTP proxy to connect `wire` to `origin`. Raises `ProxyRefused`, and OSError for a lost connection."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = f"{host}:{origin.port}".encode("ascii")
    http = HttpConnection(wire)
    try:
        response = await http.request(b"CONNECT", target, ((b"host", target), *authorization(proxy)), None, None)
    except h11.RemoteProtocolError as problem:
        beginning = problem.beginning if isinstance(problem, NotHttp) else b""
        what = "it uses TLS: its URL should begin with https://" if tls_failures.answers_in_tls(beginning) else ""
        raise ProxyRefused(what or f"its response is not HTTP: {problem}") from problem
    status = response.status_code
    if 200 <= status < 300:
        _check_nothing_follows(http.unread + wire.received())
        return
    said = f"{status} {excerpt(response.reason, 80)}".strip()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PAGE_SECONDS):
            page = await said_by(Head(response), http)
            said = f"{said}: {page}" if page else said
    raise ProxyRefused(
        said,
        may_pass=status in _MAY_PASS,
        wants_sign_in=status in _WANTS_SIGN_IN,
        schemes=_schemes(response),
        signed_in=proxy.auth is not None,
    )


async def ask_socks(proxy: Proxy, wire: Wire, origin: Origin) -> None:
    """Ask a SOCKS 5 proxy to connect `wire` to `origin`; the proxy looks up the name. Raises as `ask_http`."""
    replies = _Replies(wire)
    method = _PASSWORD if proxy.auth else _NO_SIGN_IN
    await wire.write(bytes((5, 1, method)))
    version, chosen = await replies.take(2)
    if version != 5:
        raise ProxyRefused("it does not speak SOCKS 5")
    if chosen != method:
        # If it was offered no password, it most likely requires one.
        raise ProxyRefused("it requires another kind of authentication", wants_sign_in=proxy.auth is None)
    if proxy.auth:
        await wire.write(b"\1" + b"".join(_counted(part.encode(), "its user or password") for part in proxy.auth))
        _, refused = await replies.take(2)
        if refused:
            raise ProxyRefused("it rejected the user name and password", wants_sign_in=True, signed_in=True)
    await wire.write(b"\5\1\0" + _address(origin.host) + origin.port.to_bytes(2))
    version, code, _, kind = await replies.take(4)
    if version != 5:
        raise ProxyRefused("it does not speak SOCKS 5")
    if code:
        said, may_pass = _SOCKS_REFUSALS.get(code, (f"it refused with code {code}", False))
        raise ProxyRefused(said, may_pass=may_pass)
    length = (await replies.take(1))[0] if kind == _DOMAIN else _ADDRESS_LENGTHS.get(kind)
    if length is None:
        raise ProxyRefused("it does not speak SOCKS 5")
    await replies.take(length + 2)  # The address that the proxy connected from; it is not needed.
    _check_nothing_follows(replies.rest())


class _Replies:
    """Reads the replies of a SOCKS proxy in pieces of a given length."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._come = b""

    async def take(self, length: int) -> bytes:
        while len(self._come) < length:
            data = await self._wire.read()
            if not data:
                raise Disconnected("the proxy closed the connection without a response")
            self._come += data
        taken, self._come = self._come[:length], self._come[length:]
        return taken

    def rest(self) -> bytes:
        return self._come + self._wire.received()


def _check_nothing_follows(rest: bytes) -> None:
    if rest:
        raise ProxyRefused(f"it sent data after its response: {excerpt(rest, 60)}")


def _schemes(response: h11.Response) -> tuple[str, ...]:
    """The authentication schemes that a proxy offers if it asks for a sign-in (RFC 9110, 11.7.1), in lower case."""
    names = _WANTS_SIGN_IN.get(response.status_code)
    if names is None:
        return ()
    from bridge.oauth.challenge import parse_challenges

    values = (value.decode("latin-1") for name in names for value in Head(response).every(name))
    return tuple(dict.fromkeys(challenge.scheme for challenge in parse_challenges(values)))


def _address(host: str) -> bytes:
    for kind, family in ((1, socket.AF_INET), (4, socket.AF_INET6)):
        with contextlib.suppress(OSError):
            return bytes((kind,)) + socket.inet_pton(family, host)
    return bytes((_DOMAIN,)) + _counted(host.encode("ascii"), "the host name")


def _counted(text: bytes, what: str) -> bytes:
    if len(text) > _LONGEST:
        raise ProxyRefused(f"{what} is longer than SOCKS allows")
    return bytes((len(text),)) + text
