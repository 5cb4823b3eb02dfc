"""A proxy that protects another MCP server: it wants a token of its authority, and relays everything else as it is."""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import Site
from tests.support.servers.fault_http import Exchange
from tests.support.servers.fault_server import FaultServer

_HOPS = ("host", "connection", "content-length", "transfer-encoding", "authorization", "keep-alive", "date", "server")


class Relay(FaultServer):
    """Answers with what the server at `target` (scheme, host and port) answers."""

    target = ""

    async def _handle(self, exchange: Exchange) -> None:
        if any(key in self._once or key in self._always for key in (exchange.request.rpc_method, "GET", "POST")):
            await super()._handle(exchange)
            return
        relaying = asyncio.ensure_future(self._relay(exchange))
        leaving = asyncio.ensure_future(exchange.gone.wait())
        await asyncio.wait([relaying, leaving], return_when=asyncio.FIRST_COMPLETED)
        for task in (relaying, leaving):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
            await relaying

    async def _relay(self, exchange: Exchange) -> None:
        request = exchange.request
        headers = [(name, value) for name, value in request.headers if name not in _HOPS]
        async with (
            httpx.AsyncClient(trust_env=False, timeout=None) as client,
            client.stream(request.method, self.target + request.path, headers=headers, content=request.body) as answer,
        ):
            said = [(name, value) for name, value in answer.headers.items() if name not in (*_HOPS, "content-type")]
            kind = answer.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                await exchange.respond(answer.status_code, await answer.aread(), kind, said)
                return
            await exchange.start(answer.status_code, kind, said)
            async for data in answer.aiter_raw():
                await exchange.chunk(data)
            await exchange.finish()


class ProtectedRelay(ProtectedServer, Relay):
    """As `Relay`, behind the check of the token."""


def protecting(url: str) -> Site:
    """A site whose server is the one at `url`, protected."""
    authority = Authority()
    origin, _, path = url.rpartition("/")
    server = ProtectedRelay(authority, path=f"/{path}")
    server.target = origin
    return Site(authority, server)
