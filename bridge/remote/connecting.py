"""The route to the server: directly or through a proxy, with TLS or without.

| target | proxy | route |
|---|---|---|
| any | none | direct |
| http | http, https | requests to the proxy name the whole URL (RFC 9112, 3.2.2) |
| https | http, https | a tunnel by CONNECT (RFC 9110, 9.3.6), with TLS in it |
| any | socks5, socks5h | a tunnel by SOCKS (RFC 1928); the proxy looks up the name |
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from bridge.config import ascii_host
from bridge.remote.dialing import Begun, open_wire
from bridge.remote.http1 import Header, HttpConnection
from bridge.remote.lookups import Lookups, NameServiceSilent
from bridge.remote.proxy import WITH_SETTINGS, Proxy, ProxyRefused, unused_proxy
from bridge.remote.rebinding import RebindingGuard
from bridge.remote.wire import Wire

if TYPE_CHECKING:
    from bridge.protocol.unreachable import Step

TELL_AFTER = 2.0
"""Seconds of connecting after which the delay is reported. Hosts give up later."""


class Origin(NamedTuple):
    """Scheme, host and port of a URL (RFC 6454), in lower case, with the scheme's default port if it names none.

    The host is in ASCII (IDNA). It keeps a dot at its end, which tells the name service to add no search domain.
    """

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The host for certificates and servers: without a dot at its end (RFC 6066, 3)."""
        return self.host.removesuffix(".")

    @property
    def authority(self) -> bytes:
        """The value of the `Host` header, with the port if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.name
        own = self.port == (443 if self.scheme == "https" else 80)
        return (host if own else f"{host}:{self.port}").encode("ascii")


def origin_of(url: str) -> Origin:
    """The origin of an http or https URL. Raises ValueError for any other text."""
    parts = urlsplit(url)
    scheme, host = parts.scheme, ascii_host(parts.hostname or "")
    if scheme not in {"http", "https"} or not host:
        raise ValueError("not an http or https URL")
    return Origin(scheme, host, parts.port or (443 if scheme == "https" else 80))


class NotConnected(Exception):
    """Connecting failed with `reason` in `step`, `seconds` after the beginning of that step.

    `at_proxy`: the proxy could not be reached or did not answer. `unused` is a clause that says why the system's proxy
    was not used, where the route was direct and the system seems to have one.
    """

    def __init__(
        self, reason: Exception, *, at_proxy: bool, step: Step = "connection", seconds: float | None = None
    ) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.at_proxy = at_proxy
        self.step = step
        self.seconds = seconds
        self.unused = ""


class Route:
    """How to reach one origin. `tls` is for the origin, and for a proxy with an https URL.

    All connections share `lookups`. `on_delay`, if it is set, is called when connecting takes longer than `TELL_AFTER`,
    with the error that a timeout now would raise.

    Where the proxy may change while the program runs, `choose` returns the current one. Each connection goes through
    the proxy of its time, and keeps that route as its `route`. `latest` is the route of the connection begun last.
    """

    def __init__(
        self,
        origin: Origin,
        proxy: Proxy | None,
        tls: ssl.SSLContext | None,
        lookups: Lookups | None = None,
        *,
        choose: Callable[[], Proxy | None] | None = None,
    ) -> None:
        self.origin = origin
        self.proxy = proxy
        self.tls = tls
        self.on_delay: Callable[[NotConnected], None] | None = None
        self._lookups = lookups or Lookups()
        self.latest = self
        self._choose = choose
        self._unused: str | None = None
        self._rebinding = RebindingGuard()

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy forwards each request, which then names the whole URL."""
        return self.proxy is not None and self.proxy.scheme in {"http", "https"} and self.origin.scheme == "http"

    @property
    def first_hop(self) -> tuple[str, int]:
        """Host and port of the first TCP connection: the proxy's, or the origin's."""
        if self.proxy is None:
            return self.origin.host, self.origin.port
        parts = urlsplit(self.proxy.url)
        return parts.hostname or "", parts.port or 0

    async def connect(self, seconds: float, begun: Begun | None = None) -> HttpConnection:
        """Open a connection within `seconds`. Raises `NotConnected`.

        `begun` returns a socket that is connected to `first_hop` already; the next steps are the same.
        """
        if begun is None and self._choose is not None and (proxy := self._choose()) != self.latest.proxy:
            self.latest = Route(self.origin, proxy, self.tls, self._lookups)
            self.latest._rebinding = self._rebinding  # What is known of the server's addresses stays.
        self.latest.on_delay = self.on_delay
        return await (self if begun is not None else self.latest)._connect(seconds, begun)

    async def _connect(self, seconds: float, begun: Begun | None) -> HttpConnection:
        wire: Wire | None = None
        progress = _Progress(at_proxy=self.proxy is not None)
        telling = asyncio.get_running_loop().call_later(TELL_AFTER, self._tell, progress)
        try:
            async with asyncio.timeout(seconds):
                host, port = self.first_hop
                rebinding = self._rebinding if self.proxy is None else None  # The user chose the proxy's name.
                wire = await open_wire(
                    host, port, begun, lookups=self._lookups, rebinding=rebinding, begins=progress.begins
                )
                if self.proxy is not None:
                    if self.proxy.scheme == "https" and self.tls is not None:
                        progress.begins("handshake")
                        await wire.secure(self.tls, host.removesuffix("."))
                    progress.begins("proxy")
                    await self._through(self.proxy, wire)
                    progress.at_proxy = False
                if self.origin.scheme == "https" and self.tls is not None:
                    progress.begins("handshake")
                    await wire.secure(self.tls, self.origin.name)
            connection = HttpConnection(wire)
            connection.route = self
            return connection
        except BaseException as problem:
            if wire is not None:
                wire.abort()
            if isinstance(problem, OSError | ValueError | ProxyRefused):
                failed = progress.failed(problem)
                failed.unused = await self._unused_proxy()
                raise failed from problem
            raise
        finally:
            telling.cancel()

    def forward_headers(self) -> tuple[Header, ...]:
        """The headers for a forwarding proxy, on each request."""
        if self.proxy is None or self.proxy.auth is None or not self.is_forwarded:
            return ()
        from bridge.remote.tunnels import authorization

        return authorization(self.proxy)

    async def _unused_proxy(self) -> str:
        """The clause for `NotConnected.unused`. It is found once, when it is first needed."""
        if self.proxy is not None or sys.platform not in WITH_SETTINGS:
            return ""
        if self._unused is None:
            scheme, host, port = self.origin
            url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"
            self._unused = await asyncio.to_thread(unused_proxy, url, os.environ)
        return self._unused

    def _tell(self, progress: _Progress) -> None:
        if self.on_delay is not None:
            self.on_delay(progress.failed(TimeoutError()))

    async def _through(self, proxy: Proxy, wire: Wire) -> None:
        from bridge.remote.tunnels import ask_http, ask_socks  # Few users have a proxy.

        if proxy.scheme in {"socks5", "socks5h"}:
            await ask_socks(proxy, wire, self.origin)
        elif not self.is_forwarded:
            await ask_http(proxy, wire, self.origin)


class _Progress:
    """The current step of connecting, when it began, and whether it concerns the proxy."""

    def __init__(self, *, at_proxy: bool) -> None:
        self.at_proxy = at_proxy
        self._step: Step = "connection"
        self._now = asyncio.get_running_loop().time
        self._since = self._now()

    def begins(self, step: Step) -> None:
        self._step = step
        self._since = self._now()

    def failed(self, reason: Exception) -> NotConnected:
        seconds = reason.seconds if isinstance(reason, NameServiceSilent) else self._now() - self._since
        at_proxy = self.at_proxy and not isinstance(reason, ProxyRefused)
        return NotConnected(reason, at_proxy=at_proxy, step=self._step, seconds=seconds)
