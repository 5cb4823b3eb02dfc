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
async def house(monkeypatch: pytest.MonkeyPatch) -> FakeBridge:
    return build(monkeypatch)


async def test_the_order_of_the_end(house: FakeBridge) -> None:
    async def goodbye(request: Any) -> None:
        await (succeed if request.method == b"DELETE" else hang)(request)

    house.carry_out = goodbye
    house.on("a", do.OpenStream(1, ()))
    house.on("HostClosed", do.Abandon(1), do.EndSession(2, ()))
    house.bridge.on_input(line("a"))
    await house.until("GET")
    house.log.clear()
    await end(house)
    assert house.log == ["on_stop", "HostClosed", "GET cancelled", "DELETE", "DELETE done", "close"]


async def test_nothing_ends_before_it_is_told_to(house: FakeBridge) -> None:
    running = asyncio.create_task(house.bridge.run(lambda: house.happened("on_stop")))
    house.bridge.on_input(line("a"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not running.done()
    assert house.log == ["a"]
    house.bridge.stop("SIGTERM")
    await asyncio.wait_for(running, stretched(10))


async def test_a_goodbye_that_hangs_is_cancelled(house: FakeBridge) -> None:
    house.on("HostClosed", do.EndSession(1, ()))
    await end(house)
    assert house.log[:3] == ["on_stop", "HostClosed", "DELETE"]
    assert sorted(house.log[3:]) == ["DELETE cancelled", "close"]


async def test_no_timer_outlives_the_run(house: FakeBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    handles: list[asyncio.TimerHandle] = []
    call_later = loop.call_later

    def record(*arguments: Any, **named: Any) -> asyncio.TimerHandle:
        handles.append(call_later(*arguments, **named))
        return handles[-1]

    house.on("a", do.SetTimer(("t", 1), 60.0), do.SetTimer(("t", 2), 60.0))
    monkeypatch.setattr(loop, "call_later", record)
    house.bridge.on_input(line("a"))
    await end(house)
    assert len(handles) >= 2
    assert all(handle.cancelled() for handle in handles)


async def test_the_first_reason_counts(house: FakeBridge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bridge")
    house.busy = True
    house.bridge.stop("SIGTERM")
    house.bridge.on_input_end()
    await end(house, "another")
    assert [record.getMessage() for record in caplog.records] == ["stopping: SIGTERM"]


@pytest.fixture
def waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer in flight is waited for so long that the test would fail."""
    monkeypatch.setattr("bridge.app.bridge._QUICK_ANSWER_SECONDS", 3600.0)


@pytest.mark.usefixtures("waits_long")
async def test_after_the_end_of_input_a_quick_answer_is_waited_for(house: FakeBridge) -> None:
    house.busy = True
    house.bridge.on_input_end()
    running = asyncio.create_task(house.bridge.run(lambda: house.happened("on_stop")))
    await house.until("on_stop")
    house.bridge.take(StreamClosed(1, "still busy"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert house.log == ["on_stop", "StreamClosed"]
    house.busy = False
    house.on("TimerFired", do.SendToHost(b"answer"))
    house.bridge.take(TimerFired(("t", 1)))
    await asyncio.wait_for(running, stretched(10))
    assert house.log == ["on_stop", "StreamClosed", "TimerFired", "write", "HostClosed", "close"]


async def test_a_slow_answer_is_not_waited_for_long(house: FakeBridge) -> None:
    house.busy = True
    await end(house, "end of input")
    assert house.log == ["on_stop", "HostClosed", "close"]


@pytest.mark.usefixtures("waits_long")
async def test_without_calls_in_flight_the_end_of_input_is_the_end(house: FakeBridge) -> None:
    await end(house, "end of input")


@pytest.mark.usefixtures("waits_long")
async def test_whoever_stops_it_otherwise_waits_for_no_answer(house: FakeBridge) -> None:
    house.busy = True
    await end(house, "SIGTERM")
    assert house.events == [HostClosed()]
