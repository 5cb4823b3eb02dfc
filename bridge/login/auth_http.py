"""The HTTP client of signing in: short GETs and POSTs to servers that other servers named.

Each answer is limited in time and size. No cookie, token or header of the user's is sent. Every address is checked
before a connection (`address_guard`), at each redirect again. Otherwise a server could make the bridge request
something that only this machine can reach. Nothing is sent to an address that is refused.

A host's addresses are tried in turn. Each has `_SHORT` seconds for a connection, except the last one, which has the
whole connect timeout. The address that answered last time comes first.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from bridge import PROGRAM, __version__
from bridge.login.address_guard import AddressGuard
from bridge.login.failures import explain
from bridge.login.network import Network
from bridge.login.separate_loop import may_block, on_separate_loop
from bridge.loopback import localhost_addresses
from bridge.oauth.addresses import check_endpoint
from bridge.oauth.document import MAX_BYTES
from bridge.oauth.errors import MetadataError, SignInError, Silent, Unavailable, Unreachable
from bridge.protocol import mcp, sanitize

if TYPE_CHECKING:
    import httpx

_MAX_REDIRECTS = 3
_TOTAL_SECONDS = 20.0
_SHORT = 2.0
_SHORTEST_LIFETIME, _LIFETIME, _LONGEST_LIFETIME = 60.0, 600.0, 3600.0
_MAX_CACHED = 50
_REDIRECTS = frozenset((301, 302, 303, 307, 308))

_logger = logging.getLogger("bridge.login")


class AuthResponse(NamedTuple):
    """An answer. `url` is where it came from after redirects. `location` is that of a redirect that was not followed.

    `challenges` are the values of `WWW-Authenticate`. `retry_after` is the header `Retry-After`, unparsed.
    """

    url: str
    status: int
    content_type: str
    body: bytes
    location: str = ""
    challenges: tuple[str, ...] = ()
    retry_after: str = ""


class AuthHttpClient:
    """Sends the requests of signing in. `guard` decides which addresses may be connected to."""

    def __init__(self, guard: AddressGuard, network: Network) -> None:
        self._guard = guard
        self._network = network
        self._tls: dict[bool, ssl.SSLContext] = {}
        self._answering: dict[str, str] = {}
        self._cache: dict[str, tuple[float, AuthResponse]] = {}

    @property
    def reach(self) -> str:
        """The MCP server's reach, for the record of this sign-in; empty if its address is not known."""
        return self._guard.reach

    async def metadata(self, url: str, what: str) -> AuthResponse:
        """GET a document, or take it from the cache (for its `max-age`, but between a minute and an hour).

        Raises `MetadataError` for a URL or size that is refused, `Unavailable` if no answer comes.
        """
        kept = self._cache.get(url)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        # MCP 2025-03-26, Server Metadata Discovery Headers.
        headers = {"Accept": "application/json", "MCP-Protocol-Version": mcp.LATEST_LEGACY}
        reply, lifetime = await self._ask("GET", url, what, headers)
        if reply.status == 200 and len(self._cache) < _MAX_CACHED:
            self._cache[url] = (time.monotonic() + lifetime, reply)
        return reply

    def forget_metadata(self) -> None:
        """Clear the cache, because something in the documents did not work."""
        self._cache.clear()

    async def probe(self, url: str, what: str) -> AuthResponse:
        """GET a URL as a browser would, without following redirects. Raises as `metadata` does."""
        return (await self._ask("GET", url, what, {"Accept": "text/html,*/*;q=0.8"}, follow=False))[0]

    async def get(self, url: str, what: str, headers: Mapping[str, str]) -> AuthResponse:
        """GET JSON without the cache and without following redirects. Raises as `metadata` does."""
        return (await self._ask("GET", url, what, {"Accept": "application/json", **headers}, follow=False))[0]

    async def post(self, url: str, what: str, content: bytes, headers: Mapping[str, str]) -> AuthResponse:
        """POST without following redirects. Raises as `metadata` does."""
        given = {"Accept": "application/json", **headers}
        return (await self._ask("POST", url, what, given, content=content, follow=False))[0]

    async def vet(self, url: str, what: str) -> None:
        """Check a URL's addresses without a request. Raises `MetadataError`, or `Unavailable` if it cannot be resolved.

        The MCP server's own origin is checked when a request is sent to it.
        """
        check_endpoint(url, what)
        parts = urlsplit(url)
        if not self._guard.is_own(parts):
            await self._guard.addresses(parts, what)

    async def _ask(
        self,
        method: str,
        url: str,
        what: str,
        headers: Mapping[str, str],
        *,
        content: bytes | None = None,
        follow: bool = True,
    ) -> tuple[AuthResponse, float]:
        try:
            async with asyncio.timeout(_TOTAL_SECONDS):
                for _ in range(_MAX_REDIRECTS + 1):
                    reply, lifetime = await self._exchange(method, url, what, headers, content)
                    if not follow or reply.status not in _REDIRECTS or not reply.location:
                        return reply, lifetime
                    url = _joined(url, reply.location, what)
        except Unreachable as problem:
            raise await self._told_of_proxy(problem, url) from problem
        except TimeoutError:
            raise Silent(
                f"The {what} at {sanitize.address(url)} did not answer within {_TOTAL_SECONDS:g} seconds.",
                hint="Try again later.",
            ) from None
        raise MetadataError(f"The {what} redirects more than {_MAX_REDIRECTS} times, last to {sanitize.address(url)}.")

    async def _exchange(
        self, method: str, url: str, what: str, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[AuthResponse, float]:
        """Check the URL's addresses and send the request, on a separate loop if the TLS handshake may block."""
        check_endpoint(url, what)
        parts = urlsplit(url)
        addresses = self._best_first(parts, await self._guard.addresses(parts, what))
        if parts.scheme == "https" and may_block(self._context(parts)):
            return await on_separate_loop(lambda: self._once(method, url, what, headers, content, addresses))
        return await self._once(method, url, what, headers, content, addresses)

    async def _once(
        self,
        method: str,
        url: str,
        what: str,
        headers: Mapping[str, str],
        content: bytes | None,
        addresses: Sequence[str],
    ) -> tuple[AuthResponse, float]:
        import httpx

        parts = urlsplit(url)
        address_of = self._network.proxy_for(url)
        proxy = None if address_of is None else httpx.Proxy(address_of[0], auth=address_of[1])
        extensions = {"sni_hostname": (parts.hostname or "").removesuffix(".")} if addresses else {}
        limits = httpx.Timeout(_TOTAL_SECONDS, connect=self._network.connect_timeout)
        short = httpx.Timeout(_TOTAL_SECONDS, connect=min(_SHORT, self._network.connect_timeout))
        problem: httpx.HTTPError = httpx.ConnectError("there is no address to connect to")
        async with httpx.AsyncClient(
            verify=self._context(parts), proxy=_known(proxy), trust_env=False, timeout=limits, follow_redirects=False
        ) as client:
            for address in (*addresses,) or (None,):
                request = client.build_request(
                    method,
                    url if address is None else _at(parts, address),
                    content=content,
                    extensions=extensions,
                    timeout=limits if address is None or address == addresses[-1] else short,
                    headers={
                        "User-Agent": f"{PROGRAM}/{__version__}",
                        "Accept-Encoding": "identity",
                        **headers,
                        "Host": _authority(parts),
                    },
                )
                try:
                    answer = await self._read(client, request, url, what)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    problem = error
                except httpx.HTTPError as error:
                    problem = error
                    break
                except httpx.InvalidURL:  # httpx parses `Location` even if it must not follow it.
                    raise _no_url(url, what) from None
                else:
                    self._answered(parts, address or "")
                    return answer
        _logger.debug("%s %s failed", method, url.partition("?")[0], exc_info=problem)
        never_left = isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout)
        told = explain(problem, url, what, address_of[0] if address_of else None)
        raise (Unreachable if never_left else Unavailable)(told.message, hint=told.hint) from problem

    async def _told_of_proxy(self, problem: Unreachable, url: str) -> Unreachable:
        """The same error, with the reason why the system's proxy was not used, if there is one."""
        if self._network.proxy_for(url) is not None:
            return problem
        from bridge.protocol.unreachable import Advice, without_proxy

        unused = await asyncio.to_thread(self._network.unused_proxy, url)
        told = without_proxy(Advice(problem.message, problem.hint), unused, urlsplit(url).scheme)
        return Unreachable(told.message, hint=told.hint)

    async def _read(
        self, client: httpx.AsyncClient, request: httpx.Request, url: str, what: str
    ) -> tuple[AuthResponse, float]:
        response = await client.send(request, stream=True)
        try:
            decoder = None
            if response.headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip", "deflate"}:
                decoder = zlib.decompressobj(wbits=47)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += decoder.decompress(chunk, MAX_BYTES + 1) if decoder else chunk
                if len(body) > MAX_BYTES:
                    raise MetadataError(
                        f"The {what} at {sanitize.address(url)} is larger than the limit of {MAX_BYTES // 1024} KB."
                    )
        except zlib.error:
            raise Unavailable(f"The {what} at {sanitize.address(url)} cannot be decompressed.") from None
        finally:
            await response.aclose()
        _logger.debug("%s %s: %d", request.method, url.partition("?")[0], response.status_code)
        location = response.headers.get("location", "")
        challenges = tuple(response.headers.get_list("www-authenticate"))
        content_type = response.headers.get("content-type", "")
        later = response.headers.get("retry-after", "")
        reply = AuthResponse(url, response.status_code, content_type, bytes(body), location, challenges, later)
        return reply, _lifetime(response.headers.get("cache-control", ""))

    def _context(self, parts: SplitResult) -> ssl.SSLContext:
        if parts.scheme != "https":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx wants one. It trusts no certificate.
        # Made once, because reading the system's certificates takes time.
        own = self._guard.is_own(parts)
        if own not in self._tls:
            self._tls[own] = self._network.tls(own)
        return self._tls[own]

    def _best_first(self, parts: SplitResult, addresses: list[str]) -> list[str]:
        answered = self._answering.get(parts.netloc)
        return sorted(addresses, key=lambda address: address != answered)

    def _answered(self, parts: SplitResult, address: str) -> None:
        self._answering[parts.netloc] = address
        self._guard.answered(parts, address)


def _joined(url: str, location: str, what: str) -> str:
    """The target of a redirect of `url`. Raises `MetadataError` if it must not be requested."""
    try:
        return check_endpoint(urljoin(url, location), what)
    except ValueError:
        raise _no_url(url, what) from None
    except MetadataError as problem:
        raise MetadataError(f"{problem.message} {sanitize.address(url)} redirects there.", hint=problem.hint) from None


def _no_url(url: str, what: str) -> SignInError:
    return MetadataError(
        f"The {what} at {sanitize.address(url)} redirects to something that is not a URL.",
        hint="The server is at fault; tell its operator.",
    )


def _known(proxy: httpx.Proxy | None) -> httpx.Proxy | None:
    """The proxy with an address in place of the name `localhost`, which must not be looked up (RFC 6761 6.3).

    The name stays if the proxy uses TLS, which needs it.
    """
    if proxy is None or proxy.url.scheme == "https" or not (known := localhost_addresses(proxy.url.host)):
        return proxy
    import httpx

    return httpx.Proxy(proxy.url.copy_with(host=known[0]), auth=proxy.auth)


def _at(parts: SplitResult, address: str) -> str:
    """The URL with its host replaced by one address."""
    host = f"[{address}]" if ":" in address else address
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{host}{port}").geturl()


def _authority(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _lifetime(cache_control: str) -> float:
    for directive in cache_control.lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name in {"no-store", "no-cache"}:
            return _SHORTEST_LIFETIME
        if name == "max-age" and value.strip('"').isdecimal():
            return min(_LONGEST_LIFETIME, max(_SHORTEST_LIFETIME, float(value.strip('"')[:9])))
    return _LIFETIME
