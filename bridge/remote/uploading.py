"""A large request on its way up: sent in pieces, and the answer is looked for between them (RFC 9112, 9.5).

| while it is being sent | what is done |
|---|---|
| nothing comes, and the server takes bytes | the next piece |
| an answer of 300 and above | it is the result; the rest is not sent, and the connection serves no more |
| an answer below 300 | it is read, and the rest goes out beside it |
| the connection breaks | what was received before counts; else `OSError` |
| the server takes no byte for 30 s | `Stalled` |

What was taken is measured where it leaves the process, and where the system tells (Linux, macOS) by what the peer has
confirmed: a slow link empties a large buffer of the system's for a long time before there is room for the next piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import h11

from bridge.remote.http1 import AT_ONCE, Stalled
from bridge.remote.wire import Wire

_STALLED_SECONDS = 30.0


class Upload:
    """One request's way up `wire`. `answer_in` takes what was received and returns the head of an answer, once whole.

    `is_whole` tells whether all of the request was handed to the system.
    """

    def __init__(self, wire: Wire, answer_in: Callable[[bytes], h11.Response | None]) -> None:
        self.is_whole = False
        self._wire = wire
        self._answer_in = answer_in
        self._loop = asyncio.get_running_loop()
        self._not_taken = 0
        self._deadline = self._loop.time() + _STALLED_SECONDS

    async def send(self, head: bytes, body: bytes) -> h11.Response | None:
        """Send it all, or until an answer comes; return that answer. Raises OSError, `Stalled` among it."""
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
        # What is left with the transport must still be taken; only then may the server think as long as it likes.
        while self._wire.unsent and not self._wire.has_received:
            await self._change()
        return None

    async def _early_answer(self) -> h11.Response | None:
        """Look for an answer before more is sent: written into a connection that was reset, it would be lost."""
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
        """The answer, where what has come makes one. Raises OSError at the end of the connection."""
        while self._wire.has_received:
            data = await self._wire.read()
            if not data:
                raise ConnectionResetError("the server closed the connection before it had the whole request")
            if (answer := self._answer_in(data)) is not None:
                return answer
        return None

    async def _change(self) -> None:
        """Wait for a change. Raises `Stalled` once nothing has been taken for too long, whatever else comes."""
        while True:
            not_taken = self._wire.not_taken
            if not_taken != self._not_taken:  # More was sent, for which there was room, or some was taken.
                self._not_taken = not_taken
                self._deadline = self._loop.time() + _STALLED_SECONDS
            elif self._loop.time() >= self._deadline:
                raise Stalled(f"nothing of the request was taken for {_STALLED_SECONDS:.0f} seconds")
            try:
                async with asyncio.timeout_at(self._deadline):
                    return await self._wire.change()
            except TimeoutError:
                continue
