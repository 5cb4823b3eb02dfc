"""A bridge among fakes: its session, remote, output and sleep detector are one object that a test scripts."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import pytest

from bridge.app.bridge import Bridge
from bridge.host.output import HostOutput
from bridge.session.commands import Command
from bridge.session.events import Event, HostMessage
from bridge.session.router import HostRouter
from tests.support.waits import stretched


def line(method: str) -> bytes:
    return b'{"jsonrpc":"2.0","method":"%b"}\n' % method.encode()


def told(event: Event) -> str:
    """An event as a test names it: a message by its method, anything else by its type."""
    return event.message.method if isinstance(event, HostMessage) else type(event).__name__  # type: ignore[union-attr]


class FakeBridge:
    """A bridge whose session, remote, output and clock are this object. `log` has what happened, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[Event] = []
        self.times: list[float] = []
        self.lines: list[bytes] = []
        self.requests: list[Any] = []
        self.remembered: list[frozenset[str]] = []
        self.busy = False
        self.seconds_slept = 0.0
        self.answers: dict[str, Iterable[Command] | Exception] = {}
        self.carry_out: Callable[[Any], Awaitable[None]] = hang
        self.bridge: Bridge
        self._login_status = asyncio.Event()

    def happened(self, what: str) -> None:
        self.log.append(what)
        self._login_status.set()

    async def until(self, what: str, times: int = 1) -> None:
        async with asyncio.timeout(stretched(10)):
            while self.log.count(what) < times:
                self._login_status.clear()
                await self._login_status.wait()

    def on(self, what: str, *commands: Command) -> None:
        self.answers[what] = commands

    # -- the session

    def handle(self, event: Event, now: float) -> Iterable[Command]:
        self.events.append(event)
        self.times.append(now)
        self.happened(told(event))
        answer = self.answers.get(told(event), ())
        if isinstance(answer, Exception):
            raise answer
        return answer

    # -- the remote

    async def run(self, request: Any) -> None:
        name = request.method.decode()
        self.requests.append(request)
        self.happened(name)
        try:
            await self.carry_out(request)
        except asyncio.CancelledError:
            self.happened(f"{name} cancelled")
            raise
        self.happened(f"{name} done")

    def drop_idle(self) -> None:
        self.happened("drop idle")

    # -- the output

    def write(self, line: bytes) -> None:
        self.lines.append(line)
        self.happened("write")

    async def close(self, seconds: float) -> None:
        assert 0 < seconds < 1
        self.happened("close")

    # -- the sleep detector

    def slept(self) -> float:
        return self.seconds_slept


async def hang(_: Any) -> None:
    await asyncio.Event().wait()


async def succeed(_: Any) -> None:
    await asyncio.sleep(0)


def build(monkeypatch: pytest.MonkeyPatch) -> FakeBridge:
    """A house with its bridge; to be called on the event loop."""
    house = FakeBridge()
    monkeypatch.setattr("bridge.app.bridge.SuspendDetector", lambda: house)
    house.bridge = Bridge(cast("HostRouter", house), cast("HostOutput", house), house.remembered.append)
    house.bridge.connect(cast("Any", house), house.drop_idle)
    return house


async def end(house: FakeBridge, why: str = "SIGTERM") -> None:
    """Stop, and be back within the two seconds that a host allows."""
    house.bridge.stop(why)
    start = time.monotonic()
    await asyncio.wait_for(house.bridge.run(lambda: house.happened("on_stop")), stretched(10))
    assert time.monotonic() - start < stretched(2)
    await asyncio.sleep(0)
