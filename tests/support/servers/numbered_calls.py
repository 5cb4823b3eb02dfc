"""Calls that carry a number, a server that answers each as a script says, and what came of a call.

The answer to a call that no script names carries the call's number, so that an answer which went to the wrong call is
seen. Bytes are written one piece at a time, and the event loop turns between them: a client on the same loop reads
each by itself, without a pause by the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import NamedTuple

from bridge.remote.exchanges import RemoteRequest
from bridge.session.events import BodyReceived, Cause, Event, EventReceived, ExchangeFailed, ResponseStarted
from bridge.session.events import StreamClosed as Closed
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.raw_server import Peer, response
from tests.support.servers.reset import reset
from tests.support.waits import stretched

PATIENCE = 0.02
"""Seconds that a client may take over what was written, before the server hangs up to get its verdict."""
LIMIT = 8.0
"""Seconds within which any call has ended once the server has hung up."""

_NUMBER = re.compile(rb'"id":(\d+)')


class End(enum.Enum):
    """What a server does after an answer."""

    KEEP = "waits for the next request"
    CLOSE = "closes"
    RESET = "resets the connection"


class Answer(NamedTuple):
    """What the server writes for one call, in `pieces`, with so many `turns` of the loop after each.

    What is `late`, a second end of the connection with it, comes when the test says so.
    """

    pieces: Iterable[bytes]
    end: End = End.KEEP
    turns: int = 2
    late: bytes = b""
    late_end: End = End.KEEP


class Outcome(NamedTuple):
    """What came of a call. `body` is that of an answer, or what a stream's events carried, joined by newlines.

    `whole` is False for a stream that broke off; `sent` tells whether a failed call may have run.
    """

    kind: str
    status: int = 0
    body: bytes = b""
    cause: Cause | None = None
    sent: bool = False
    whole: bool = True
    said: str = ""


def call(number: int, size: int = 0) -> bytes:
    """The body of a call with this number, at least `size` bytes long."""
    head = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"pad":"' % number
    return head + b"x" * (size - len(head) - 3) + b'"}}'


def result(number: int) -> bytes:
    """The body of the answer to the call with this number."""
    return b'{"jsonrpc":"2.0","id":%d,"result":{}}' % number


def good(number: int) -> bytes:
    """The whole answer to the call with this number."""
    return response(result(number), b"content-type: application/json")


def several(answer: Answer | Sequence[Answer]) -> Sequence[Answer]:
    return [answer] if isinstance(answer, Answer) else [one for one in answer if isinstance(one, Answer)]


class NumberedServer:
    """A `Talk` that answers by the number in the request.

    `seen` has the numbers of the requests that were read, `carried` those of each connection.

    Where a number has several answers, each serves one request, as a client that follows a redirect sends it.
    """

    def __init__(self, answers: Mapping[int, Answer | Sequence[Answer]]) -> None:
        self.seen: list[int] = []
        self.carried: list[list[int]] = []
        self.connections: list[Peer] = []
        self.wrote: dict[int, asyncio.Event] = {number: asyncio.Event() for number in answers}
        self._answers = {number: iter(several(answer)) for number, answer in answers.items()}
        self._hangs_up = False
        self._owed: list[tuple[Peer, Answer]] = []

    async def __call__(self, peer: Peer) -> None:
        self.connections.append(peer)
        mine: list[int] = []
        self.carried.append(mine)
        while True:
            number = int(_NUMBER.search(await peer.request())[1])  # type: ignore[index]
            self.seen.append(number)
            mine.append(number)
            answer = next(self._answers.get(number, iter(())), None)
            if answer is None:
                await peer.send(good(number))
                continue
            try:
                for piece in answer.pieces:
                    await peer.send(piece)
                    await turns(answer.turns)
                await delivered(peer)
                if answer.end is not End.KEEP or self._hangs_up:
                    await leave(peer, answer.end)
                    return
                self._owed.append((peer, answer))
            finally:
                self.wrote[number].set()

    async def be_late(self, *numbers: int) -> None:
        """Write all of the answers to these calls, if the client takes it; then what is late, and end connections."""
        writing = [asyncio.create_task(self.wrote[number].wait()) for number in numbers]
        for task in (await asyncio.wait(writing, timeout=stretched(PATIENCE * 25)))[1]:
            task.cancel()
        owed, self._owed = self._owed, []
        for peer, answer in owed:
            with contextlib.suppress(OSError):
                if answer.late and not peer.writer.is_closing():
                    await peer.send(answer.late)
                    await turns(answer.turns)
                    await delivered(peer)
                if answer.late_end is not End.KEEP:
                    await leave(peer, answer.late_end)

    @contextlib.asynccontextmanager
    async def hanging_up(self) -> AsyncIterator[None]:
        """Close all connections, and those that come in meanwhile after an answer of the script's."""
        self._hangs_up = True
        closing = [asyncio.create_task(leave(peer, End.CLOSE)) for peer in self.connections]
        try:
            yield
            await asyncio.gather(*closing)
        finally:
            self._hangs_up = False


async def turns(count: int) -> None:
    """Let the event loop turn so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def delivered(peer: Peer) -> None:
    """Wait until the client's system has what was written, where this one can tell and the client takes it at all."""
    if not sys.platform.startswith("linux"):
        return
    import fcntl
    import termios

    sock: socket.socket | None = peer.writer.get_extra_info("socket")
    for _ in range(1000):
        if sock is None or sock.fileno() < 0:
            return
        left = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        if left == b"\0" * 4:
            return
        await asyncio.sleep(0)


async def leave(peer: Peer, end: End) -> None:
    """End a connection from the server's side; the client's system knows of it then, unless it does not read."""
    if peer.writer.is_closing():
        pass
    elif end is End.RESET:
        reset(peer.writer)
    else:
        peer.end()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(stretched(PATIENCE * 5)):
            await peer.writer.wait_closed()


async def outcome_by_bridge(
    at: Exchanging, number: int, server: NumberedServer, *, method: bytes = b"POST", patience: float = PATIENCE
) -> Outcome:
    """Carry call `number` out by the bridge; the server hangs up where the call does not end by itself."""
    body = call(number) if method == b"POST" else None
    task = asyncio.create_task(at.remote.run(RemoteRequest(number, method, (), body)))
    await ended(task, number, server, patience)
    return outcome_of([event for event in at.events if getattr(event, "exchange", 0) == number])


async def ended(task: asyncio.Task[object], number: int, server: NumberedServer, patience: float) -> None:
    """Wait for the task that makes call `number`; hang up where it goes on after the answer for longer than it should.

    Raises what the task does, or TimeoutError.
    """
    wrote = asyncio.create_task(server.wrote[number].wait() if number in server.wrote else asyncio.sleep(0))
    await asyncio.wait({task, wrote}, timeout=stretched(LIMIT), return_when=asyncio.FIRST_COMPLETED)
    wrote.cancel()
    await asyncio.wait({task}, timeout=patience)
    async with contextlib.nullcontext() if task.done() else server.hanging_up(), asyncio.timeout(stretched(LIMIT)):
        await task


def outcome_of(events: list[Event]) -> Outcome:
    """What the events of one exchange tell; that they come in the right order is asserted."""
    last = events[-1]
    heads = [event for event in events if isinstance(event, ResponseStarted)]
    bodies = [event for event in events if isinstance(event, BodyReceived)]
    received = [event.event.data or b"" for event in events if isinstance(event, EventReceived)]
    assert len(heads) <= 1, events
    if isinstance(last, BodyReceived):
        assert events == [*heads, *bodies], events
        assert (len(heads), len(bodies)) == (1, 1), events
        assert heads[0].status == last.status, events
        return Outcome("answer", last.status, bytes(last.body))
    if isinstance(last, Closed):
        assert heads[0] is events[0], events
        assert len(events) == len(received) + 2, events
        whole = last.reason == "the server closed the stream"
        return Outcome("stream", heads[0].status, b"\n".join(received), whole=whole)
    assert isinstance(last, ExchangeFailed), events
    assert not bodies, events
    assert last.message.strip(), events
    said = f"{last.message} {last.hint}".strip()
    return Outcome("failed", heads[0].status if heads else 0, b"\n".join(received), last.cause, last.sent, said=said)


async def no_task_left(before: Iterable[asyncio.Task[object]] = ()) -> None:
    """Assert that no task goes on but this one and those from `before`; what is ending may end."""
    left = asyncio.all_tasks() - {asyncio.current_task(), *before}
    if left:
        await asyncio.wait(left, timeout=stretched(LIMIT))
    assert not (pending := [task for task in left if not task.done()]), pending
