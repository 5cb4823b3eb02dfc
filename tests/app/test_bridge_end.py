"""How a run ends: in order, for the first reason, and in time."""

import asyncio
import logging
from typing import Any

import pytest

from bridge.session import commands as do
from bridge.session.events import HostClosed, StreamClosed, TimerFired
from tests.support.in_process.fake_bridge import FakeBridge, build, end, hang, line, succeed
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> FakeBridge:
    return build(monkeypatch)


async def test_the_order_of_the_end(fake: FakeBridge) -> None:
    async def goodbye(request: Any) -> None:
        await (succeed if request.method == b"DELETE" else hang)(request)

    fake.carry_out = goodbye
    fake.on("a", do.OpenStream(1, ()))
    fake.on("HostClosed", do.Abandon(1), do.EndSession(2, ()))
    fake.bridge.on_input(line("a"))
    await fake.until("GET")
    fake.log.clear()
    await end(fake)
    assert fake.log == ["on_stop", "HostClosed", "GET cancelled", "DELETE", "DELETE done", "close"]


async def test_nothing_ends_before_it_is_told_to(fake: FakeBridge) -> None:
    running = asyncio.create_task(fake.bridge.run(lambda: fake.happened("on_stop")))
    fake.bridge.on_input(line("a"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not running.done()
    assert fake.log == ["a"]
    fake.bridge.stop("SIGTERM")
    await asyncio.wait_for(running, stretched(10))


async def test_a_goodbye_that_hangs_is_cancelled(fake: FakeBridge) -> None:
    fake.on("HostClosed", do.EndSession(1, ()))
    await end(fake)
    assert fake.log[:3] == ["on_stop", "HostClosed", "DELETE"]
    assert sorted(fake.log[3:]) == ["DELETE cancelled", "close"]


async def test_no_timer_outlives_the_run(fake: FakeBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    handles: list[asyncio.TimerHandle] = []
    call_later = loop.call_later

    def record(*arguments: Any, **named: Any) -> asyncio.TimerHandle:
        handles.append(call_later(*arguments, **named))
        return handles[-1]

    fake.on("a", do.SetTimer(("t", 1), 60.0), do.SetTimer(("t", 2), 60.0))
    monkeypatch.setattr(loop, "call_later", record)
    fake.bridge.on_input(line("a"))
    await end(fake)
    assert len(handles) >= 2
    assert all(handle.cancelled() for handle in handles)


async def test_the_first_reason_counts(fake: FakeBridge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bridge")
    fake.busy = True
    fake.bridge.stop("SIGTERM")
    fake.bridge.on_input_end()
    await end(fake, "another")
    assert [record.getMessage() for record in caplog.records] == ["stopping: SIGTERM"]


@pytest.fixture
def waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer in flight is waited for so long that the test would fail."""
    monkeypatch.setattr("bridge.app.bridge._QUICK_ANSWER_SECONDS", 3600.0)


@pytest.mark.usefixtures("waits_long")
async def test_after_the_end_of_input_a_quick_answer_is_waited_for(fake: FakeBridge) -> None:
    fake.busy = True
    fake.bridge.on_input_end()
    running = asyncio.create_task(fake.bridge.run(lambda: fake.happened("on_stop")))
    await fake.until("on_stop")
    fake.bridge.take(StreamClosed(1, "still busy"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert fake.log == ["on_stop", "StreamClosed"]
    fake.busy = False
    fake.on("TimerFired", do.SendToHost(b"answer"))
    fake.bridge.take(TimerFired(("t", 1)))
    await asyncio.wait_for(running, stretched(10))
    assert fake.log == ["on_stop", "StreamClosed", "TimerFired", "write", "HostClosed", "close"]


async def test_a_slow_answer_is_not_waited_for_long(fake: FakeBridge) -> None:
    fake.busy = True
    await end(fake, "end of input")
    assert fake.log == ["on_stop", "HostClosed", "close"]


@pytest.mark.usefixtures("waits_long")
async def test_without_calls_in_flight_the_end_of_input_is_the_end(fake: FakeBridge) -> None:
    await end(fake, "end of input")


@pytest.mark.usefixtures("waits_long")
async def test_whoever_stops_it_otherwise_waits_for_no_answer(fake: FakeBridge) -> None:
    fake.busy = True
    await end(fake, "SIGTERM")
    assert fake.events == [HostClosed()]
