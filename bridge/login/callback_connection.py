"""One connection to the callback port: read one request, decide whether it may be an answer, write one page, close.

A request must pass these checks, in this order (h11 has the grammar):

| request | status |
|---|---|
| not HTTP/1, no Host header or two, a target that is not a path | 400 |
| a head of more than 16 KB | 431 |
| a Host that is not ours, as in DNS rebinding | 421 |
| a path that is not ours | 404 |
| a method other than GET, such as a form or a preflight | 405 |
| an image, frame, script or worker of a page (`Sec-Fetch-Dest`) | 403 |

A request for the callback's path may then be an answer. A request for a page that the listener offers gets that page. A
request for a short address (`short_address`) is redirected:

| request for a short address | status |
|---|---|
| a prefetch (`Sec-Purpose: prefetch`, Fetch) | 403, and the address can still be used |
| the first | 302 to the authorization URL |
| any later one | 410 |

`Origin` is not checked. A consent page that fetches the callback by script sends one, although a navigation does not.
Another page gains nothing by a request, because it cannot read the answer, and `state` decides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Literal, Protocol, cast

import h11

from bridge.login.page import CONTENT_SECURITY_POLICY, refused_page
from bridge.login.short_address import ShortAddresses

MAX_HEAD = 16 * 1024
"""The longest head of a request, in bytes."""
HEAD_TIMEOUT = 10.0
"""How long a connection may take to send its head, in seconds. Browsers open some and never use them."""
LINGER = 2.0
"""How long the browser may take to close after the page, in seconds. If we closed first, it could lose the page."""

Stage = Literal["reading", "waiting", "answered"]

_HEADERS = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Cache-Control", b"no-store"),
    (b"Content-Security-Policy", CONTENT_SECURITY_POLICY.encode("ascii")),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Connection", b"close"),
)
_DESTINATIONS = frozenset((b"document", b"empty"))
_PURPOSE = frozenset((b"sec-purpose", b"purpose", b"x-moz"))  # The first is the standard's.


class CallbackRefused(Exception):
    """A request that is not an answer; `status` is the HTTP status for it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def target_of(request: h11.Request, hosts: frozenset[str], is_ours: Callable[[bytes], bool]) -> tuple[bytes, str]:
    """Return the path and the query ("" if there is none) of a request that passes the checks of the first table.

    `hosts` are the values of Host that name this listener, in lower case. `is_ours` says whether a path is ours. Raises
    `CallbackRefused`.
    """
    named = [value for name, value in request.headers if name == b"host"]
    if len(named) != 1 or not request.target.startswith(b"/"):
        raise CallbackRefused(400)
    if named[0].decode("latin-1").lower() not in hosts:
        raise CallbackRefused(421)
    asked, _, query = request.target.partition(b"?")
    if not is_ours(asked):
        raise CallbackRefused(404)
    if request.method != b"GET":
        raise CallbackRefused(405)
    if any(value not in _DESTINATIONS for name, value in request.headers if name == b"sec-fetch-dest"):
        raise CallbackRefused(403)
    return asked, query.decode("ascii")


def _is_prefetch(request: h11.Request) -> bool:
    return any(name in _PURPOSE and b"prefetch" in value.lower() for name, value in request.headers)


class ConnectionHandler(Protocol):
    """What is told about each connection."""

    def connection_started(self, connection: CallbackConnection) -> None:
        """A connection was accepted."""

    def request_received(self, connection: CallbackConnection, query: str) -> None:
        """Its request may be an answer to the sign-in. It waits for `refuse` or `answer`."""

    def connection_ended(self, connection: CallbackConnection) -> None:
        """The connection is closed."""


class CallbackConnection(asyncio.Protocol):
    """A browser's connection. `short` are the short addresses, `offered` the pages by their path."""

    def __init__(
        self,
        path: str,
        hosts: frozenset[str],
        handler: ConnectionHandler,
        short: ShortAddresses | None = None,
        offered: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> None:
        self.stage: Stage = "reading"
        self._path = path.encode("utf-8", "surrogateescape")
        self._short = short or ShortAddresses("")
        self._hosts = hosts
        self._handler = handler
        self._offered = offered
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._received = 0
        self._head_only = False
        self._half_closed = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(HEAD_TIMEOUT, self.abort)
        self._handler.connection_started(self)

    def data_received(self, data: bytes) -> None:
        if self.stage != "reading":
            return  # Each connection serves one request. A body or another request is ignored.
        self._received += len(data)
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                return
            if not isinstance(event, h11.Request):
                raise CallbackRefused(400)
            self._head_only = event.method == b"HEAD"
            # h11 measures only an incomplete head; a long head in one piece would pass.
            if self._received - len(self._http.trailing_data[0]) > MAX_HEAD:
                raise CallbackRefused(431)
            path, query = target_of(event, self._hosts, self._is_ours)
            page = self._offered.get(path)
            url = self._url_at(path, event) if path in self._short else ""
        except CallbackRefused as refused:
            self.refuse(refused.status)
        except h11.RemoteProtocolError as error:
            self.refuse(error.error_status_hint if error.error_status_hint == 431 else 400)
        else:
            self._stop_timer()
            if url:
                self.answer(b"", 302, url)
            elif page is not None:
                self.answer(page, 200)
            else:
                self.stage = "waiting"
                self._handler.request_received(self, query)

    def _is_ours(self, path: bytes) -> bool:
        return path == self._path or path in self._short or path in self._offered

    def _url_at(self, path: bytes, request: h11.Request) -> str:
        """The URL for a short address. Raises `CallbackRefused`."""
        if _is_prefetch(request):
            raise CallbackRefused(403)
        if url := self._short.take(path):
            return url
        raise CallbackRefused(410)

    def eof_received(self) -> bool:
        # The browser may have closed only its half of the connection, and still reads.
        self._half_closed = True
        return self.stage == "waiting"

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.stage = "answered"
        self._transport = None
        self._handler.connection_ended(self)

    def refuse(self, status: int) -> None:
        """Answer with the page for this status."""
        self.answer(refused_page(status), status)

    def answer(self, page: bytes, status: int, location: str = "") -> None:
        """Send the page and close. Does nothing if an answer was sent or the connection is closed."""
        if self._transport is None or self.stage == "answered":
            return
        self.stage = "answered"
        headers = [*_HEADERS, (b"Content-Length", str(len(page)).encode("ascii"))]
        if status == 405:
            headers.append((b"Allow", b"GET"))
        if location:
            headers.append((b"Location", location.encode("ascii")))
        # A new h11 connection, because the request may have put the other one into an error state.
        head = h11.Connection(h11.SERVER)
        phrase = HTTPStatus(status).phrase.encode("ascii")
        written = head.send(h11.Response(status_code=status, headers=headers, reason=phrase)) or b""
        self._transport.write(written if self._head_only else written + page)
        if self._half_closed:
            self._transport.close()
            return
        with contextlib.suppress(OSError, NotImplementedError):
            self._transport.write_eof()
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(LINGER, self.abort)

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
