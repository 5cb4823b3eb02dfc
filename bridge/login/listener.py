"""The loopback listener that receives the authorization response (RFC 8252 7.3; RFC 6749 4.1.2).

It is bound before the authorization URL is built, so the redirect URI has a port that is already ours. Each request is
either refused at once (`callback_connection` has the table), or its query is passed to a function, the judge:

| when | what happens to a request that may be an answer |
|---|---|
| before `receive` is called | it is kept until then, because a browser may be faster |
| while `receive` waits, the judge returns None | the request is refused, and the wait goes on |
| while `receive` waits, the judge returns a value | the wait ends with this value |
| while `receive` waits, the judge raises | the browser gets status 500, and `receive` raises the exception |
| after the answer, the same query | it gets the same page: the user reloaded it, or the browser sent it twice |
| after the answer, another query | 409 |

The user can paste the query instead (`submit`). It is judged in the same way, but it is not kept before `receive` is
called, and any query after the answer is told that there is one.

The listener also serves pages that were given to `offer`, each at a path that cannot be guessed.
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

MAX_CONNECTIONS = 32
"""The most connections at once. A further one replaces the oldest idle one."""
CLOSE_TIMEOUT = 1.0
"""How long `close` waits for browsers to read their last page, in seconds."""


@dataclass(frozen=True)
class Arrival(Generic[T]):
    """The answer that the judge accepted. The browser waits for `respond`."""

    value: T
    _respond: Callable[[bytes, int], None]

    def respond(self, page: bytes, status: int = 200) -> None:
        """Show `page` (UTF-8 HTML) in the browser. Only the first call counts. A closed connection is no error."""
        self._respond(page, status)


class CallbackClient(Protocol):
    """The source of a query, which is told the outcome: a browser's connection, or text that the user pasted."""

    def refuse(self, status: int) -> None:
        """Tell it that this is not the answer, by an HTTP status."""

    def answer(self, page: bytes, status: int) -> None:
        """Tell it the outcome."""


class _PastedClient:
    """A pasted query, which gets no page. `status` says why it was refused; 0 if it was not."""

    def __init__(self) -> None:
        self.status = 0

    def refuse(self, status: int) -> None:
        self.status = status

    def answer(self, page: bytes, status: int) -> None:
        pass


class _Outcome:
    """The query that was accepted, the requests that wait for its page, and the page when there is one."""

    def __init__(self, query: str, client: CallbackClient) -> None:
        self.sharing = [client]
        self._query = query
        self._page: tuple[bytes, int] | None = None

    def join(self, client: CallbackClient, query: str) -> None:
        """Give a later request the same page, if it has the same query."""
        if not hmac.compare_digest(self._query, query):
            client.refuse(409)
        elif self._page is None:
            self.sharing.append(client)
        else:
            client.answer(*self._page)

    def respond(self, page: bytes, status: int) -> None:
        """Send the page to all of them. Later calls change nothing."""
        if self._page is None:
            self._page = (page, status)
            for client in self.sharing:
                client.answer(page, status)
            self.sharing.clear()


class CallbackListener:
    """A bound and serving callback; made by `bind`, ended by `close` or by leaving its `async with`."""

    def __init__(self, port: int, host: str, path: str) -> None:
        self.port = port
        named = f"[{host}]" if ":" in host and not host.startswith("[") else host
        self._base = f"http://{named}:{port}"
        self._path = path
        # The listener is bound here, whatever host the redirect URI names.
        self._origin = f"http://127.0.0.1:{port}"
        self._short = ShortAddresses(self._origin)
        self._offered: dict[bytes, bytes] = {}
        hosts = {name.lower() for name in (named, "127.0.0.1", "localhost", "[::1]")}
        # Browsers leave out port 80.
        self._hosts = frozenset({f"{name}:{port}" for name in hosts} | (hosts if port == 80 else set()))
        self._servers: list[asyncio.Server] = []
        self._connections: list[CallbackConnection] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self._kept: list[tuple[CallbackClient, str]] = []
        self._consider: Callable[[CallbackClient, str], None] | None = None
        self._outcome: _Outcome | None = None

    @classmethod
    async def bind(cls, *, ports: Sequence[int], exact: bool, host: str, path: str) -> CallbackListener:
        """Listen on the first of `ports` that is free on both 127.0.0.1 and ::1.

        If none is free, any other free port is used, unless `exact`. `host` and `path` ("/callback") are those of the
        redirect URI. Raises `CallbackPortTaken` if `exact` and the port is taken, `SignInError` if no port can be used.
        """
        sockets = await listen_on_loopback(ports, exact=exact)
        listener = cls(sockets[0].getsockname()[1], host, path)
        loop = asyncio.get_running_loop()
        try:
            for one in sockets:
                listener._servers.append(await loop.create_server(listener._new_connection, sock=one))
        except BaseException:
            await listener.close()
            for one in sockets:
                one.close()
            raise
        return listener

    @property
    def redirect_uri(self) -> str:
        """The URL where the answer is accepted."""
        return self.redirect_uri_at(self._path)

    def redirect_uri_at(self, path: str) -> str:
        """The redirect URI with another path."""
        return f"{self._base}{path}"

    def take_at(self, redirect_uri: str) -> None:
        """Accept the answer only at this URL, which came from `redirect_uri_at`. Call it before the URL is used."""
        self._path = redirect_uri.removeprefix(self._base)

    def offer(self, page: bytes) -> str:
        """Serve `page` (UTF-8 HTML) at the returned address until `close`. A request for it is not an answer."""
        path = f"/{secrets.token_urlsafe(16)}"
        self._offered[path.encode("ascii")] = page
        return f"{self._origin}{path}"

    async def receive(self, judge: Callable[[str], T | None], timeout: float) -> Arrival[T]:  # noqa: ASYNC109
        """Wait for the answer. `judge` gets each query and returns a value, or None if it is not the answer.

        `timeout` is in seconds. Raises TimeoutError after it, and whatever `judge` raises.
        """
        answer: asyncio.Future[Arrival[T]] = asyncio.get_running_loop().create_future()

        def consider(client: CallbackClient, query: str) -> None:
            if answer.done():  # `receive` is about to return.
                self._keep(client, query)
                return
            try:
                value = judge(query)
            except Exception as error:
                self._consider = None
                client.refuse(500)
                answer.set_exception(error)
                return
            if value is None:
                client.refuse(400)
                return
            self._consider = None
            self._outcome = _Outcome(query, client)
            answer.set_result(Arrival(value, self._outcome.respond))

        self._outcome = None
        self._consider = consider
        try:
            kept, self._kept = self._kept, []
            for client, query in kept:
                self._route(client, query)
            async with asyncio.timeout(timeout):
                return await answer
        finally:
            self._consider = None
            answer.cancel()

    def submit(self, query: str) -> int:
        """Take a query that the user pasted.

        Returns an HTTP status: 202 if it is the answer, 400 if it is not, 409 if there is an answer already, 425 if
        `receive` is not waiting, 500 if the judge failed.
        """
        if self._consider is None:
            return 425 if self._outcome is None else 409
        client = _PastedClient()
        self._consider(client, query)
        if self._outcome is None and not client.status:
            return 425  # `receive` has just stopped waiting.
        return client.status or 202

    def short_address(self, url: str) -> str:
        """Return an address of this listener that redirects to `url` once, for openers that cut long URLs.

        `url` has passed `browser.check_openable`. The address has the host 127.0.0.1, where the listener is bound.
        """
        return self._short.add(url)

    async def close(self) -> None:
        """Free the port. Pages that are being sent have `CLOSE_TIMEOUT` seconds to arrive."""
        self._consider = None
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            if connection.stage == "reading":
                connection.abort()
            else:
                connection.refuse(503)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort()

    async def __aenter__(self) -> CallbackListener:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _new_connection(self) -> CallbackConnection:
        return CallbackConnection(self._path, self._hosts, self, short=self._short, offered=self._offered)

    def connection_started(self, connection: CallbackConnection) -> None:
        """Count the connection. One too many costs another its place."""
        if len(self._connections) >= MAX_CONNECTIONS:
            self._make_room()
        self._connections.append(connection)
        self._empty.clear()

    def request_received(self, connection: CallbackConnection, query: str) -> None:
        """See the table at the top."""
        self._route(connection, query)

    def connection_ended(self, connection: CallbackConnection) -> None:
        """Forget the connection."""
        if connection in self._connections:
            self._connections.remove(connection)
        if not self._connections:
            self._empty.set()

    def _make_room(self) -> None:
        """Close the oldest connection that has sent no request, else one that was answered, else one that waits."""
        first = self._outcome.sharing[:1] if self._outcome else []
        others = [connection for connection in self._connections if connection not in first]
        for stage in ("reading", "answered", "waiting"):
            for connection in others:
                if connection.stage == stage:
                    self._connections.remove(connection)
                    connection.abort()
                    return

    def _route(self, client: CallbackClient, query: str) -> None:
        """See the table at the top."""
        if self._consider is not None:
            self._consider(client, query)
        elif self._outcome is not None:
            self._outcome.join(client, query)
        else:
            self._keep(client, query)

    def _keep(self, client: CallbackClient, query: str) -> None:
        self._kept = [*self._kept, (client, query)][-MAX_CONNECTIONS:]
