"""Sends a large request in pieces, and looks for an answer between them (RFC 9112, 9.5).

| during the upload | what is done |
|---|---|
| no answer, and the server reads | the next piece is sent |
| an answer with status 300 or above | it is the result; the rest is not sent, and the connection is not used again |
| an answer below 300 | it is read, and the rest is sent meanwhile |
| the connection breaks | an answer received before that counts; without one `OSError` is raised |
| the server reads no byte for 30 s | `Stalled` is raised |

Progress is measured by the bytes that leave the process and, where the system tells (Linux, macOS), by those that the
peer has confirmed: on a slow link, the system's large buffer drains for a long time before there is room for a piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import h11

from bridge.remote.http1 import AT_ONCE, Stalled
from bridge.remote.wire import Wire

_STALLED_SECONDS = 30.0


class Upload:
    """The upload of one request on `wire`. `answer_in` takes received bytes, and returns the head once it is complete.

    `is_whole`: all of the request was given to the system.
    """

    def __init__(self, wire: Wire, answer_in: Callable[[bytes], h11.Response | None]) -> None:
        self.is_whole = False
        self._wire = wire
        self._answer_in = answer_in
        self._loop = asyncio.get_running_loop()
        self._not_taken = 0
        self._deadline = self._loop.time() + _STALLED_SECONDS

    async def send(self, head: bytes, body: bytes) -> h11.Response | None:
        """Send the request until an answer comes, and return that; None if all was sent. Raises OSError (`Stalled`)."""
        rest = memoryview(body)[AT_ONCE:]
        piece: bytes | memoryview = head + body[:AT_ONCE]
        while piece:
            answer = await self._early_answer()
            if answer is None:
                self._wire.send(piece)
                piece, rest = rest[:AT_ONCE], rest[AT_ONCE:]
                answer = await self._until_there_is_room()
            if answer is not None:
                if answer.status_code < 300:
                    for left in (piece, rest):
                        self._wire.send(left)
                    self.is_whole = True
                return answer
        self.is_whole = True
        # The transport may hold unsent bytes. Once they are gone, the server may take any time to answer.
        while self._wire.unsent and not self._wire.has_received:
            await self._change()
        return None

    async def _early_answer(self) -> h11.Response | None:
        """Look for an answer before sending more: a write to a connection that was reset would lose it."""
        if self._wire.has_news or self._wire.reads_ahead:
            await self._wire.come_in()
        return await self._received()

    async def _until_there_is_room(self) -> h11.Response | None:
        while self._wire.is_full:
            await self._change()
            if (answer := await self._received()) is not None:
                return answer
        return None

    async def _received(self) -> h11.Response | None:
        """The answer, once its head has been received. Raises OSError at the end of the connection."""
        while self._wire.has_received:
            data = await self._wire.read()
            if not data:
                raise ConnectionResetError("the server closed the connection before it had received the whole request")
            if (answer := self._answer_in(data)) is not None:
                return answer
        return None

    async def _change(self) -> None:
        """Wait for a change. Raises `Stalled` when the server has read nothing for too long."""
        while True:
            not_taken = self._wire.not_taken
            if not_taken != self._not_taken:  # More was sent, or the server read some.
                self._not_taken = not_taken
                self._deadline = self._loop.time() + _STALLED_SECONDS
            elif self._loop.time() >= self._deadline:
                raise Stalled(f"it read nothing for {_STALLED_SECONDS:.0f} seconds")
            try:
                async with asyncio.timeout_at(self._deadline):
                    return await self._wire.change()
            except TimeoutError:
                continue
