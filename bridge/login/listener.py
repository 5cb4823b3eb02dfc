"""The loopback listener that a sign-in's answer comes to (RFC 8252 7.3; RFC 6749 4.1.2).

It is bound before the authorization URL is built, so the redirect URI names a port that is ours. From then on
every request is either refused at once (`callback_connection` has the table), or its query is shown to the judge:

| when | what becomes of a request that may be an answer |
|---|---|
| before anybody waits | it is kept, and judged when `receive` is called: a browser may be faster than we are |
| while `receive` waits | None: refused, the wait goes on. A value: the wait is over. An exception: the same, page 500 |
| after the answer, the same query | it gets the same page: a reload, or a browser that asks twice |
| after the answer, another query | 409 |

A person may bring the query by hand instead (`submit`). It is judged as if it had come to the port, except that nothing
is kept of it before anybody waits, and that whatever comes after the answer is told that there is one.

Beside the callback it shows the pages that were offered (`offer`), each at an address that nobody can guess.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from bridge.login.callback_connection import CallbackConnection
from bridge.login.ports import CallbackPortTaken, derived_ports, listen_on_loopback
from bridge.login.short_address import ShortAddresses

__all__ = ["Arrival", "CallbackListener", "CallbackPortTaken", "derived_ports"]

T = TypeVar("T")

MAX_VISITS = 32
"""How many connections are kept at once; one more costs the oldest idle one its place."""
CLOSE_TIMEOUT = 1.0
"""How long `close` lets browsers fetch the page they were sent, in seconds."""


@dataclass(frozen=True)
class Arrival(Generic[T]):
    """The answer that the judge took. The browser waits until it is given a page."""

    value: T
    _respond: Callable[[bytes, int], None]

    def respond(self, page: bytes, status: int = 200) -> None:
        """Show `page` (UTF-8 HTML) in the browser. Only the first call counts; a browser that has gone is no error."""
        self._respond(page, status)


class CallbackClient(Protocol):
    """Whoever brings a query and is told how it went: a browser's `CallbackConnection`, or a person by hand."""

    def refuse(self, status: int) -> None:
        """Say that it is no answer, with the status of HTTP."""

    def answer(self, page: bytes, status: int) -> None:
        """Show how it went."""


class _PastedClient:
    """A guest who sees no page. `status` tells why the query was refused, 0 where it was not."""

    def __init__(self) -> None:
        self.status = 0

    def refuse(self, status: int) -> None:
        self.status = status

    def answer(self, page: bytes, status: int) -> None:
        pass


class _Outcome:
    """The answered query of one wait, the guests who want its page, and the page once there is one."""

    def __init__(self, query: str, guest: CallbackClient) -> None:
        self.sharing = [guest]
        self._query = query
        self._page: tuple[bytes, int] | None = None

    def join(self, guest: CallbackClient, query: str) -> None:
        """Let a later request have the same page, if it is the same request."""
        if not hmac.compare_digest(self._query, query):
            guest.refuse(409)
        elif self._page is None:
            self.sharing.append(guest)
        else:
            guest.answer(*self._page)

    def respond(self, page: bytes, status: int) -> None:
        """Give all of them the page; later calls change nothing."""
        if self._page is None:
            self._page = (page, status)
            for guest in self.sharing:
                guest.answer(page, status)
            self.sharing.clear()


class CallbackListener:
    """A bound and serving callback; made by `bind`, ended by `close` or by leaving its `async with`."""

    def __init__(self, port: int, host: str, path: str) -> None:
        self.port = port
        named = f"[{host}]" if ":" in host and not host.startswith("[") else host
        self._base = f"http://{named}:{port}"
        self._path = path
        # Whatever the redirect URI names, this is where we are bound.
        self._origin = f"http://127.0.0.1:{port}"
        self._short = ShortAddresses(self._origin)
        self._offered: dict[bytes, bytes] = {}
        hosts = {name.lower() for name in (named, "127.0.0.1", "localhost", "[::1]")}
        # A browser leaves the port out where it is HTTP's own.
        self._hosts = frozenset({f"{name}:{port}" for name in hosts} | (hosts if port == 80 else set()))
        self._servers: list[asyncio.Server] = []
        self._visits: list[CallbackConnection] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self._kept: list[tuple[CallbackClient, str]] = []
        self._consider: Callable[[CallbackClient, str], None] | None = None
        self._outcome: _Outcome | None = None

    @classmethod
    async def bind(cls, *, ports: Sequence[int], exact: bool, host: str, path: str) -> CallbackListener:
        """Listen on the first of `ports` that is free on 127.0.0.1 and ::1; not `exact`: then on any that is.

        `host` is what the redirect URI names, `path` its path ("/callback"). Raises `CallbackPortTaken` where the
        port is `exact` and held, `SignInError` where no port can be had.
        """
        sockets = await listen_on_loopback(ports, exact=exact)
        listener = cls(sockets[0].getsockname()[1], host, path)
        loop = asyncio.get_running_loop()
        try:
            for one in sockets:
                listener._servers.append(await loop.create_server(listener._visit, sock=one))
        except BaseException:
            await listener.close()
            for one in sockets:
                one.close()
            raise
        return listener

    @property
    def redirect_uri(self) -> str:
        """Where the answer is taken."""
        return self.redirect_uri_at(self._path)

    def redirect_uri_at(self, path: str) -> str:
        """What `redirect_uri` would be at another path."""
        return f"{self._base}{path}"

    def take_at(self, redirect_uri: str) -> None:
        """Take the answer at this one of `redirect_uri_at`, and nowhere else. Before anybody can know of another."""
        self._path = redirect_uri.removeprefix(self._base)

    def offer(self, page: bytes) -> str:
        """Show `page` (UTF-8 HTML) at the address that is returned, until `close`; a request for it is no answer."""
        path = f"/{secrets.token_urlsafe(16)}"
        self._offered[path.encode("ascii")] = page
        return f"{self._origin}{path}"

    async def receive(self, judge: Callable[[str], T | None], timeout: float) -> Arrival[T]:  # noqa: ASYNC109
        """Wait for the request whose query `judge` takes: it returns a value, or None for one that is not meant.

        `timeout` is in seconds. Raises TimeoutError after it, and whatever `judge` raises.
        """
        answer: asyncio.Future[Arrival[T]] = asyncio.get_running_loop().create_future()

        def consider(guest: CallbackClient, query: str) -> None:
            if answer.done():  # Nobody waits any more; `receive` is about to return.
                self._keep(guest, query)
                return
            try:
                value = judge(query)
            except Exception as error:
                self._consider = None
                guest.refuse(500)
                answer.set_exception(error)
                return
            if value is None:
                guest.refuse(400)
                return
            self._consider = None
            self._outcome = _Outcome(query, guest)
            answer.set_result(Arrival(value, self._outcome.respond))

        self._outcome = None
        self._consider = consider
        try:
            kept, self._kept = self._kept, []
            for guest, query in kept:
                self._route(guest, query)
            async with asyncio.timeout(timeout):
                return await answer
        finally:
            self._consider = None
            answer.cancel()

    def submit(self, query: str) -> int:
        """Take a query that a person brings by hand.

        Returns a status of HTTP: 202 it is the answer, 400 it is not, 409 there is an answer already, 425 nobody
        waits for one, 500 the judge failed.
        """
        if self._consider is None:
            return 425 if self._outcome is None else 409
        guest = _PastedClient()
        self._consider(guest, query)
        if self._outcome is None and not guest.status:
            return 425  # The wait was just given up.
        return guest.status or 202

    def short_address(self, url: str) -> str:
        """Return an address of this listener that leads to `url`, once: for an opener that cuts long ones.

        `url` is one that may be opened (`browser.check_openable`). The address names 127.0.0.1, whatever the redirect
        URI names: that is where the listener is bound.
        """
        return self._short.add(url)

    async def close(self) -> None:
        """Free the port. A page under way still has `CLOSE_TIMEOUT` seconds to arrive."""
        self._consider = None
        for server in self._servers:
            server.close()
        for visit in list(self._visits):
            if visit.stage == "reading":
                visit.abort()
            else:
                visit.refuse(503)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._empty.wait()
        except TimeoutError:
            for visit in list(self._visits):
                visit.abort()

    async def __aenter__(self) -> CallbackListener:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _visit(self) -> CallbackConnection:
        return CallbackConnection(self._path, self._hosts, self, short=self._short, offered=self._offered)

    def visit_started(self, visit: CallbackConnection) -> None:
        """Count the connection. One too many costs another its place."""
        if len(self._visits) >= MAX_VISITS:
            self._make_room()
        self._visits.append(visit)
        self._empty.clear()

    def visit_asked(self, visit: CallbackConnection, query: str) -> None:
        """See the table at the top."""
        self._route(visit, query)

    def visit_ended(self, visit: CallbackConnection) -> None:
        """Forget the connection."""
        if visit in self._visits:
            self._visits.remove(visit)
        if not self._visits:
            self._empty.set()

    def _make_room(self) -> None:
        """Drop the oldest connection that has not asked for anything, else the oldest that is of least worth."""
        first = self._outcome.sharing[:1] if self._outcome else []
        others = [visit for visit in self._visits if visit not in first]
        for stage in ("reading", "answered", "waiting"):
            for visit in others:
                if visit.stage == stage:
                    self._visits.remove(visit)
                    visit.abort()
                    return

    def _route(self, guest: CallbackClient, query: str) -> None:
        """See the table at the top."""
        if self._consider is not None:
            self._consider(guest, query)
        elif self._outcome is not None:
            self._outcome.join(guest, query)
        else:
            self._keep(guest, query)

    def _keep(self, guest: CallbackClient, query: str) -> None:
        self._kept = [*self._kept, (guest, query)][-MAX_VISITS:]
