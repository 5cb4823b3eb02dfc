"""The paths of `tests/wire/paths.py` as an ASGI program. Needs only the standard library."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.wire import paths

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Served:
    """The program, at all doors; which one a request came to, its port tells."""

    def __init__(self, site: dict[str, Any]) -> None:
        self._doors = {port: door for door, port in site["ports"].items()}
        self._ran = Path(site["ran"])

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        names = {name for name, _ in scope["headers"]}
        if self._doors[scope["server"][1]] == "guarded" and b"authorization" not in names:
            await _respond(send, 401, b"<h1>401</h1>", "text/html", (b"www-authenticate", b"Bearer"))
            return
        body, more = bytearray(), True
        while more:
            part = await receive()
            if part["type"] != "http.request":
                return
            body += part.get("body", b"")
            more = part.get("more_body", False)
        with self._ran.open("a") as file:
            file.write(scope["query_string"].decode() + "\n")
        await self._answer(scope["method"], scope["path"], bytes(body), receive, send)

    async def _answer(self, method: str, path: str, body: bytes, receive: Receive, send: Send) -> None:
        _, kind, *rest = path.split("/")
        if kind == "mcp":
            said = paths.mcp(body) if method == "POST" else None
            status = 405 if method != "POST" else 202 if said is None else 200
            await _respond(send, status, said or b"", "application/json")
        elif kind == "length":
            await _respond(send, 200, paths.length(body), "application/json")
        elif kind == "sized":
            await _respond(send, 200, paths.sized(int(rest[0])), "application/json")
        elif kind == "chunked":
            whole = paths.sized(int(rest[0]))
            await _start(send, 200, "application/json")
            for start in range(0, len(whole), paths.PIECE):
                await _part(send, whole[start : start + paths.PIECE])
            await _part(send, b"", more=False)
        elif kind == "events":
            await _events(int(rest[0]), int(rest[1]) / 1000, receive, send)
        elif rest == ["within"]:
            await _start(send, 200, "application/json", (b"content-length", b"1000"))
            await _part(send, paths.sized(1000)[:100])
        elif rest == ["stream"]:
            await _start(send, 200, "text/event-stream")
            for number in range(2):
                await _part(send, paths.event(number))
        elif kind == "never":
            await receive()


async def _events(count: int, seconds: float, receive: Receive, send: Send) -> None:
    leaving = asyncio.ensure_future(receive())
    await _start(send, 200, "text/event-stream")
    for number in range(count):
        if number:
            await asyncio.wait([leaving], timeout=seconds)
        if leaving.done():
            return
        await _part(send, paths.event(number))
    await _part(send, b"", more=False)
    leaving.cancel()


async def _respond(send: Send, status: int, body: bytes, kind: str, *headers: tuple[bytes, bytes]) -> None:
    await _start(send, status, kind, (b"content-length", b"%d" % len(body)), *headers)
    await _part(send, body, more=False)


async def _start(send: Send, status: int, kind: str, *headers: tuple[bytes, bytes]) -> None:
    every = [(b"content-type", kind.encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": every})


async def _part(send: Send, data: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


def site() -> dict[str, Any]:
    """What the command line names."""
    told: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return told
