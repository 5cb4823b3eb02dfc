"""A server whose traffic is checked: middleware that shows a `Wire` each message of an ASGI app's Streamable HTTP.

It changes nothing on the way. Faults are kept by the wire: call its `check` when the test is over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.revisions import MODERN, Wire


def check_server_side(wire: Wire) -> Callable[[ASGIApp], ASGIApp]:
    """Wrap an app, as in `check_server_side(wire)(app)` or `Middleware(check_server_side(wire))`."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def checked(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                exchange = _Exchange(wire, receive, send)
                await app(scope, exchange.receive, exchange.send)
            else:
                await app(scope, receive, send)

        return checked

    return wrap


@dataclass
class _Exchange:
    """One request and its response."""

    wire: Wire
    receive_on: Receive
    send_on: Send
    asked: list[bytes] = field(default_factory=list)
    answered: bytearray = field(default_factory=bytearray)
    kind: str = ""

    async def receive(self) -> Message:
        message = await self.receive_on()
        if message["type"] == "http.request":
            self.asked.append(message.get("body", b""))
            if not message.get("more_body", False) and any(self.asked):
                self._from_client(b"".join(self.asked))
                self.asked.clear()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.kind = Headers(raw=message["headers"]).get("content-type", "").partition(";")[0].strip().lower()
        elif message["type"] == "http.response.body":
            self.answered += message.get("body", b"")
            for line in self._messages(is_whole=not message.get("more_body", False)):
                with contextlib.suppress(AssertionError):
                    self.wire.from_server(line)
        await self.send_on(message)

    def _from_client(self, body: bytes) -> None:
        with contextlib.suppress(AssertionError):
            self.wire.from_client(body)
        if self.wire.revision == MODERN and b'"notifications/cancelled"' in body:
            self.wire.faults.append(f"Over HTTP a closed stream cancels, not a notification: {body[:1000]!r}")

    def _messages(self, *, is_whole: bool) -> Iterator[bytes]:
        if self.kind == "application/json":
            if is_whole and self.answered:
                yield bytes(self.answered)
        elif self.kind == "text/event-stream":
            *events, rest = self.answered.replace(b"\r\n", b"\n").split(b"\n\n")
            self.answered = bytearray(rest)
            for event in events:
                fields = [line.partition(b":")[::2] for line in bytes(event).split(b"\n")]
                name = b"".join(value.strip() for key, value in fields if key == b"event")
                data = b"\n".join(value.removeprefix(b" ") for key, value in fields if key == b"data")
                if data and name in (b"", b"message"):
                    yield data
