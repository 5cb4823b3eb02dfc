"""Ready-made answers of an authorization server, good forms and all it can do wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from tests.support.servers.fault_http import Exchange
from tests.support.waits import stretched

Answer = Callable[[Exchange], Awaitable[None]]

HTML = b"<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"


async def reply(exchange: Exchange, value: object, status: int = 200) -> None:
    """Answer with JSON that nobody may keep."""
    await exchange.respond(status, json.dumps(value).encode(), "application/json", [("Cache-Control", "no-store")])


async def refuse(exchange: Exchange, status: int, error: str, description: str = "") -> None:
    """An OAuth error response (RFC 6749 5.2)."""
    body = {"error": error} | ({"error_description": description} if description else {})
    challenge = [("WWW-Authenticate", 'Basic realm="clients"')] if status == 401 else []
    headers = [("Cache-Control", "no-store"), *challenge]
    await exchange.respond(status, json.dumps(body).encode(), "application/json", headers)


def oauth_error(status: int, error: str, description: str = "") -> Answer:
    """An OAuth error response, ready to be given to `once` or `always`."""

    async def answer(exchange: Exchange) -> None:
        await refuse(exchange, status, error, description)

    return answer


def plain(status: int, body: bytes = b"", kind: str = "text/plain", headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """A whole answer as given."""

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(status, body, kind, headers)

    return answer


def json_body(value: object, status: int = 200) -> Answer:
    """A JSON document."""

    async def answer(exchange: Exchange) -> None:
        await reply(exchange, value, status)

    return answer


def html(status: int) -> Answer:
    """A gateway's page with the status."""
    return plain(status, HTML, "text/html; charset=utf-8")


def redirect(status: int, location: str) -> Answer:
    """A redirect to the address."""
    return plain(status, b"moved", "text/plain", [("Location", location)])


def huge(megabytes: int = 64) -> Answer:
    """JSON that never seems to end, and whose length is not announced."""

    async def answer(exchange: Exchange) -> None:
        await exchange.start(200, "application/json")
        await exchange.chunk(b'{"padding": "')
        for _ in range(megabytes * 16):
            if exchange.gone.is_set():
                return
            await exchange.chunk(b"x" * 65_536)
        await exchange.chunk(b'"}')
        await exchange.finish()

    return answer


async def trickles(exchange: Exchange) -> None:
    """A body that comes a byte at a time and takes for ever: no single read is slow."""
    await exchange.start(200, "application/json")
    while not exchange.gone.is_set():
        await exchange.chunk(b" ")
        await asyncio.sleep(0.2)


async def hangs(exchange: Exchange) -> None:
    """Never answer; ends when the client gives up or the test is over."""
    await exchange.gone.wait()


async def resets(exchange: Exchange) -> None:
    """Read the request, then reset the connection."""
    exchange.reset()


class Hold:
    """An answer that waits until the test lets it go, then does what it was given; says how many wait."""

    def __init__(self, then: Answer) -> None:
        self.waiting = 0
        self._then = then
        self._open = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        self.waiting += 1
        async with asyncio.timeout(stretched(60)):
            await self._open.wait()
        await self._then(exchange)

    def open(self) -> None:
        """Let every one go, and those to come."""
        self._open.set()
