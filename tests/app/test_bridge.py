"""Events in and commands out of a session that a test scripts; timers and defects."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from bridge.session import commands as do
from bridge.session.events import Cause, ExchangeFailed, SystemResumed, TimerFired
from tests.support.in_process.fake_bridge import FakeBridge, build, end, line, succeed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> FakeBridge:
    return build(monkeypatch)


# -- from the host


async def test_lines_become_events_whatever_their_pieces(fake: FakeBridge) -> None:
    before = time.monotonic()
    for piece in (line("a") + line("b")[:9], line("b")[9:-1], b"\r\n\n" + line("c")):
        fake.bridge.on_input(piece)
    assert fake.log == ["a", "b", "c"]
    assert all(before <= moment <= time.monotonic() for moment in fake.times)


async def test_the_last_line_may_lack_its_end(fake: FakeBridge) -> None:
    fake.bridge.on_input(line("a") + line("b").rstrip())
    fake.bridge.on_input_end()
    assert fake.log == ["a", "b"]
    fake.bridge.on_input_end()
    await end(fake)
    assert fake.log[2:] == ["on_stop", "HostClosed", "close"]


@pytest.mark.parametrize("how", ["input", "end"])
async def test_a_line_that_is_no_message_is_answered_at_once(how: str, fake: FakeBridge) -> None:
    fake.bridge.on_input(b"nonsense" if how == "end" else b"nonsense\n")
    if how == "end":
        fake.bridge.on_input_end()
    (answer,) = map(json.loads, fake.lines)
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)
    assert fake.events == []


async def test_sleep_is_told_before_what_the_host_said_after_it(fake: FakeBridge) -> None:
    fake.bridge.on_input(line("a"))
    fake.seconds_slept = 60.0
    fake.bridge.on_input(line("b") + line("c"))
    assert fake.log == ["a", "SystemResumed", "b", "c"]
    assert fake.events[1] == SystemResumed(60.0)


# -- commands


async def test_commands_are_carried_out_in_order(fake: FakeBridge) -> None:
    fake.on("a", do.SendToHost(b"1"), do.SendToHost(b"2"))
    fake.on("b", do.SendToHost(b"3"))
    fake.bridge.on_input(line("a") + line("b"))
    assert fake.lines == [b"1", b"2", b"3"]


async def test_each_kind_of_exchange(fake: FakeBridge) -> None:
    own = ((b"mcp-session-id", b"s"),)
    fake.on("a", do.Post(1, b"{}", own, "http://h/other", urgent=True), do.OpenStream(2, own), do.EndSession(3, own))
    fake.bridge.on_input(line("a"))
    await fake.until("DELETE")
    post, get, _ = fake.requests
    assert [(r.exchange, r.method, r.body) for r in fake.requests] == [
        (1, b"POST", b"{}"),
        (2, b"GET", None),
        (3, b"DELETE", None),
    ]
    assert (post.url, get.url) == ("http://h/other", None)
    assert post.urgent
    assert all(own[0] in request.headers for request in fake.requests)
    # Streamable HTTP, Sending Messages: a POST lists both types, a GET the stream's alone.
    accepted = dict(post.headers)[b"accept"].split(b", ")
    assert sorted(accepted) == [b"application/json", b"text/event-stream"]
    assert dict(post.headers)[b"content-type"] == b"application/json"
    assert dict(get.headers)[b"accept"] == b"text/event-stream"
    await end(fake)


async def test_a_call_may_take_for_ever_and_a_note_may_not(fake: FakeBridge) -> None:
    fake.on("a", do.Post(1, b"{}", ()), do.Post(2, b"{}", (), urgent=True))
    fake.bridge.on_input(line("a"))
    await fake.until("POST", 2)
    call, note = fake.requests
    assert call.read_timeout is None
    assert 0 < note.read_timeout < 120
    await end(fake)


async def test_an_abandoned_exchange_is_cancelled_and_tells_nothing(fake: FakeBridge) -> None:
    fake.on("a", do.Post(1, b"{}", ()), do.OpenStream(2, ()))
    fake.on("b", do.Abandon(1), do.Abandon(77))
    fake.bridge.on_input(line("a"))
    await fake.until("GET")
    fake.bridge.on_input(line("b"))
    await fake.until("POST cancelled")
    assert fake.log == ["a", "POST", "GET", "b", "POST cancelled"]
    fake.bridge.on_input(line("b"))
    await end(fake)


async def test_an_exchange_that_is_abandoned_at_once_never_begins(fake: FakeBridge) -> None:
    fake.on("a", do.Post(1, b"{}", ()), do.Abandon(1), do.Post(2, b"{}", ()))
    fake.bridge.on_input(line("a"))
    await fake.until("POST")
    assert [request.exchange for request in fake.requests] == [2]
    await end(fake)


async def test_idle_connections_are_dropped(fake: FakeBridge) -> None:
    fake.on("SystemResumed", do.DropConnections())
    fake.bridge.take(SystemResumed(60.0))
    assert fake.log == ["SystemResumed", "drop idle"]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
async def test_a_report_goes_to_the_log(level: str, fake: FakeBridge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bridge")
    fake.on("a", do.Report(level, "100% of %s"))
    fake.bridge.on_input(line("a"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert [(record.levelname.lower(), record.getMessage()) for record in caplog.records] == [(level, "100% of %s")]


async def test_the_host_has_its_answer_before_the_log_has_its_line(
    fake: FakeBridge, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "bridge")
    fake.on("a", do.Report("info", "connected"), do.SendToHost(b"{}"))
    fake.bridge.on_input(line("a"))
    assert fake.lines == [b"{}"]
    assert caplog.records == []
    for _ in range(3):
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == ["connected"]


# -- timers


class Timers:
    """Stands for `loop.call_later`: nothing happens until a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = asyncio.get_running_loop()
        self.set: list[tuple[float, asyncio.Handle]] = []
        monkeypatch.setattr(self.loop, "call_later", self._call_later)

    def _call_later(self, seconds: float, call: Callable[..., None], *arguments: Any, **_: Any) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self.loop.time() + seconds, call, arguments, self.loop)
        self.set.append((seconds, handle))
        return handle

    def pass_(self) -> None:
        """Let every timer's time be over."""
        for _, handle in self.set:
            if not handle.cancelled():
                handle._run()
        self.set.clear()


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers(monkeypatch)


async def test_a_timer_fires_with_its_key(fake: FakeBridge, timers: Timers) -> None:
    fake.on("a", do.SetTimer(("t", 1), 5.0), do.SetTimer(("t", 2), 7.0))
    fake.bridge.on_input(line("a"))
    assert [seconds for seconds, _ in timers.set] == [5.0, 7.0]
    assert fake.log == ["a"]
    timers.pass_()
    assert fake.events[1:] == [TimerFired(("t", 1)), TimerFired(("t", 2))]


async def test_a_timer_is_replaced_by_its_key(fake: FakeBridge, timers: Timers) -> None:
    fake.on("a", do.SetTimer(("t", 1), 5.0), do.SetTimer(("t", 2), 5.0), do.SetTimer(("t", 1), 7.0))
    fake.bridge.on_input(line("a"))
    timers.pass_()
    assert sorted(event.timer for event in fake.events if isinstance(event, TimerFired)) == [("t", 1), ("t", 2)]


async def test_a_timer_can_be_cancelled_and_set_anew(fake: FakeBridge, timers: Timers) -> None:
    fake.on("a", do.SetTimer(("t", 1), 5.0), do.SetTimer(("u", 1), 5.0))
    fake.on("b", do.CancelTimer(("t", 1)), do.CancelTimer(("never", 0)))
    fake.bridge.on_input(line("a") + line("b"))
    timers.pass_()
    assert fake.events[2:] == [TimerFired(("u", 1))]
    fake.bridge.on_input(line("b") + line("a"))
    timers.pass_()
    assert fake.events[-2:] == [TimerFired(("t", 1)), TimerFired(("u", 1))]


async def test_a_timer_may_be_set_again_as_it_fires(fake: FakeBridge, timers: Timers) -> None:
    fake.on("TimerFired", do.CancelTimer(("t", 1)), do.SetTimer(("t", 1), 9.0))
    fake.bridge.take(TimerFired(("t", 1)))
    ((seconds, handle),) = timers.set
    timers.set.clear()
    handle._run()
    assert seconds == 9.0
    ((_, again),) = timers.set
    assert not again.cancelled()


@pytest.mark.parametrize(("spread", "chance", "seconds"), [(0.0, 0.9, 8), (0.5, 0.0, 8), (0.5, 0.5, 6), (1.0, 0.75, 2)])
async def test_a_timer_is_spread_out_towards_earlier(
    spread: float, chance: float, seconds: float, fake: FakeBridge, timers: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: chance)
    fake.on("a", do.SetTimer(("t", 1), 8.0, spread))
    fake.bridge.on_input(line("a"))
    assert [told for told, _ in timers.set] == [seconds]


async def test_a_settled_exchange_is_cancelled_a_moment_later(fake: FakeBridge, timers: Timers) -> None:
    fake.on("a", do.OpenStream(1, ()))
    fake.on("b", do.DrainStream(1), do.DrainStream(77))
    fake.bridge.on_input(line("a"))
    await fake.until("GET")
    fake.bridge.on_input(line("b"))
    ((seconds, _),) = timers.set
    assert 0 < seconds <= 5
    await asyncio.sleep(0)
    assert "GET cancelled" not in fake.log
    timers.pass_()
    await fake.until("GET cancelled")


# -- defects


async def test_a_defect_in_the_session_does_not_end_the_run(fake: FakeBridge, caplog: pytest.LogCaptureFixture) -> None:
    fake.answers["a"] = RuntimeError("planted")
    fake.on("b", do.SendToHost(b"1"))
    fake.bridge.on_input(line("a") + line("b"))
    assert fake.lines == [b"1"]
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("ERROR", "bridge.session")
    assert "HostMessage" in record.getMessage()
    assert record.exc_info is not None
    await end(fake)
    assert fake.log[-3:] == ["on_stop", "HostClosed", "close"]


async def test_a_defect_at_the_end_does_not_keep_it(fake: FakeBridge, caplog: pytest.LogCaptureFixture) -> None:
    fake.answers["HostClosed"] = RuntimeError("planted")
    fake.on("a", do.Post(1, b"{}", ()))
    fake.bridge.on_input(line("a"))
    await fake.until("POST")
    await end(fake)
    assert fake.log[-1] == "POST cancelled"
    assert "close" in fake.log
    assert len(caplog.records) == 1


async def test_a_defect_in_an_exchange_fails_that_exchange_alone(
    fake: FakeBridge, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: Any) -> None:
        if request.exchange == 1:
            raise RuntimeError("planted")
        await succeed(request)

    fake.carry_out = fail
    fake.on("a", do.Post(1, b"{}", ()), do.Post(2, b"{}", ()))
    fake.bridge.on_input(line("a"))
    await fake.until("ExchangeFailed")
    await fake.until("POST done")
    failed = fake.events[1]
    assert isinstance(failed, ExchangeFailed)
    assert (failed.exchange, failed.cause, failed.sent) == (1, Cause.PROTOCOL, True)
    assert "planted" not in failed.message
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    await end(fake)
