"""A legacy HTTP+SSE server (MCP 2024-11-05): a GET stream that names its endpoint, and POSTs to there.

`refusal` is what a POST to the stream's own address gets, by which a client finds out what it talks to.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from tests.support.servers.fault_http import Exchange, HttpServer, Request
from tests.support.servers.fault_server import SSE, event

Hook = Callable[["LegacyServer", Exchange, Any], Awaitable[bool]]


class LegacyServer:
    """Serves `/sse` and `/messages/?session=N`; a hook may take a message instead of the good behaviour."""

    def __init__(self, refusal: int = 405, endpoint: str = "/messages/?session={n}", hook: Hook | None = None) -> None:
        self.http = HttpServer(self._handle)
        self.refusal = refusal
        self.endpoint = endpoint
        self.hook = hook
        self.streams: list[Exchange] = []

    async def __aenter__(self) -> Self:
        await self.http.listen()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.http.__aexit__(*details)

    @property
    def url(self) -> str:
        """What the bridge is given."""
        return self.http.origin + "/sse"

    def posts(self, method: str | None = None) -> list[Request]:
        """The messages POSTed to the endpoint so far."""
        return [
            request
            for request in self.http.requests
            if request.method == "POST"
            and request.path.startswith("/messages/")
            and (method is None or request.rpc_method == method)
        ]

    async def say(self, message: object) -> None:
        """Send a message down the newest stream."""
        await self.streams[-1].chunk(event(message, name="message"))

    async def _handle(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method == "GET" and request.path == "/sse":
            await exchange.start(200, SSE)
            self.streams.append(exchange)
            place = self.endpoint.format(n=len(self.streams), origin=self.http.origin)
            await exchange.chunk(event(place.encode(), name="endpoint"))
            self.http.bell.ring()
            await exchange.gone.wait()
        elif request.method == "POST" and request.path.startswith("/messages/"):
            await self._message(exchange)
        else:
            await exchange.respond(self.refusal, b"not here", "text/plain")

    async def _message(self, exchange: Exchange) -> None:
        message = exchange.request.message
        if self.hook is not None and await self.hook(self, exchange, message):
            return
        await exchange.respond(202, b"Accepted", "text/plain")
        if "method" in message and "id" in message:
            await self.say({"jsonrpc": "2.0", "id": message["id"], "result": self._result(message)})

    def _result(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["method"] == "initialize":
            return {
                "protocolVersion": "2024-11-05",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "legacy", "version": "1"},
            }
        if message["method"] == "tools/call":
            text = json.dumps(message["params"].get("arguments", {}))
            return {"content": [{"type": "text", "text": text}]}
        return {"seen": message["method"]}
