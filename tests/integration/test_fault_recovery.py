"""Restarts, dead networks and sleep pass; one call that never returns holds up no other."""

import asyncio
import os
import signal
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.process.bridge_process import ROOT, launch
from tests.support.servers.fault_answers import Gate, events, hangs, hangs_streaming, page
from tests.support.servers.fault_http import Request
from tests.support.servers.fault_server import Call, FaultServer, event, notification
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


async def test_a_restart_between_calls_goes_unnoticed() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        for n in range(3):
            await server.http.stop()
            server.forget_sessions()
            await server.http.listen()
            assert (await host.call("echo", n=n)).result
        newest = server.sessions[-1]
        await server.until(
            lambda: any(s.open and s.exchange.request.header("mcp-session-id") == newest for s in server.streams),
            "the GET stream of the new session",
        )
        stream = next(s for s in reversed(server.streams) if s.open)
        await stream.event(notification("notifications/marker"))
        await host.receive("notifications/marker")


@pytest.mark.parametrize("broken", [False, True], ids=["ended", "reset"])
async def test_the_standing_stream_comes_back_where_it_was(broken: bool) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        stream = await server.stream()
        await stream.event(notification("notifications/a"), id="g1", retry=20)
        await host.receive("notifications/a")
        if broken:
            stream.drop()
        else:
            await stream.finish()
        again = await server.stream(2)
        assert again.exchange.request.header("last-event-id") == "g1"
        await again.event(notification("notifications/a"), id="g1")
        await again.event(notification("notifications/b"), id="g2")
        await host.receive("notifications/b")
        assert len(host.messages("notifications/a")) == 1


async def test_the_standing_stream_comes_back_quietly_without_ids_too() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        for n in range(1, 4):
            stream = await server.stream(n)
            assert stream.exchange.request.header("last-event-id") is None
            await stream.event(notification(f"notifications/{n}"), retry=10)
            await host.receive(f"notifications/{n}")
            stream.drop()
        await server.stream(4)
        assert len(host.stderr) <= 8
        assert (await host.call("echo")).result


async def test_a_stream_that_always_ends_is_opened_ever_less_often() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("GET", events())
        await server.until_seen("GET", 4, deadline=20)
        gaps = [after.at - before.at for before, after in pairwise(server.seen("GET"))]
        assert gaps[-1] >= 0.1
        assert len(server.seen("GET")) < 8
        assert (await host.call("echo")).result


async def test_a_stream_refused_for_a_while_comes_back() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        stream = await server.stream()
        server.once("GET", page(502), page(503))
        stream.drop()
        back = await server.stream(2, deadline=20)
        await back.event(notification("notifications/marker"))
        await host.receive("notifications/marker")


async def test_the_standing_stream_never_holds_up_the_answer_of_a_call() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        stream = await server.stream()
        await stream.exchange.chunk(b"data: {half a mess")
        assert (await host.call("echo")).result


@pytest.mark.parametrize("streamed", [False, True], ids=["silent", "open-stream"])
async def test_a_call_that_never_returns_holds_up_no_other(streamed: bool) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("tools/call:wild", hangs_streaming if streamed else hangs)
        for _ in range(3):
            await host.ask("tools/call", {"name": "wild", "arguments": {}})
        await server.until_seen("tools/call", 3)
        for n in range(20):
            assert (await host.call("echo", n=n)).result["content"][0]["text"] == f'{{"n": {n}}}'


async def test_a_hundred_open_calls_leave_room_for_more() -> None:
    gate = Gate()
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("tools/call:wild", gate)
        ids = [await host.ask("tools/call", {"name": "wild", "arguments": {"n": n}}) for n in range(100)]
        await server.until(lambda: gate.waiting == 100, "a hundred calls at the server at once")
        assert (await host.call("echo")).result
        gate.open()
        for n, id in enumerate(ids):  # noqa: A001
            assert (await host.answer(id)).result["content"][0]["text"] == f'{{"n": {n}}}'


async def test_answers_come_in_the_order_they_are_ready() -> None:
    first, second = Gate(), Gate()
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", first, second)
        one = await host.ask("tools/call", {"name": "echo", "arguments": {"n": 1}})
        await server.until(lambda: first.waiting, "the first call")
        two = await host.ask("tools/call", {"name": "echo", "arguments": {"n": 2}})
        await server.until(lambda: second.waiting, "the second call")
        second.open()
        await host.answer(two)
        assert host.answers(one) == []
        first.open()
        await host.answer(one)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped and continued there")
async def test_connections_that_died_during_sleep_are_replaced_on_waking() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        for id in [await host.ask("ping") for _ in range(4)]:  # noqa: A001
            await host.answer(id)
        host.process.send_signal(signal.SIGSTOP)
        server.http.drop_connections()
        server.forget_sessions()
        await server.until(lambda: not server.http.open_connections, "every connection gone")
        host.process.send_signal(signal.SIGCONT)
        assert (await host.call("echo")).result
        assert (await server.stream(2)).exchange.request.header("mcp-session-id") == server.sessions[-1]


# A machine that slept: the clock that runs on in sleep is ahead by what the file says.
SLEPT = """
import time
real = time.clock_gettime
def ahead(number):
    try:
        with open({file!r}) as file:
            slept = float(file.read())
    except OSError:
        slept = 0.0
    return real(number) + (slept if number == time.CLOCK_BOOTTIME else 0.0)
time.clock_gettime = ahead
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the clock that counts sleep has another name elsewhere")
async def test_after_sleep_no_old_connection_is_trusted(tmp_path: Path) -> None:
    slept = tmp_path / "slept"
    (tmp_path / "sitecustomize.py").write_text(SLEPT.format(file=str(slept)))
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    async with FaultServer() as server, launch(server.url, env=env) as host:
        await host.initialize()
        await server.stream()
        await host.call("echo")
        before = server.http.connections

        async def dead_if_old(call: Call) -> None:
            await (hangs if call.request.connection <= before else server.behave)(call)

        server.always("POST", dead_if_old)
        server.always("tools/call", dead_if_old)
        slept.write_text("3600")
        assert (await host.call("echo")).result
        again = await server.stream(2)
        await again.event(notification("notifications/marker"))
        await host.receive("notifications/marker")


async def test_a_request_timeout_is_one_error_and_is_told_to_the_server() -> None:
    async with FaultServer() as server, launch(server.url, "--request-timeout", f"{stretched(0.5):g}") as host:
        await host.initialize()
        server.once("tools/call:echo", hangs)
        server.once("ping", hangs_streaming)
        slow, quiet = await host.ask("tools/call", {"name": "echo", "arguments": {}}), await host.ask("ping")
        for id in (slow, quiet):  # noqa: A001
            answer = await host.answer(id)
            assert answer.kind == "timeout"
            assert server.url in answer.error["message"]
        cancelled = await server.until_seen("notifications/cancelled", 2)
        assert {r.message["params"]["requestId"] for r in server.seen("notifications/cancelled")} == {
            slow,
            quiet,
        }
        assert cancelled.header("mcp-session-id") == "session-1"
        assert (await host.call("echo")).result


async def test_progress_keeps_a_long_call_within_its_timeout() -> None:
    began: list[Request] = []

    async def slow(call: Call) -> None:
        began.append(call.request)
        stream = await call.stream()
        for n in range(8):
            await asyncio.sleep(stretched(0.2))
            await stream.event(notification("notifications/progress", {"progressToken": "p", "progress": n}))
        await stream.event(call.reply({"long": True}))
        await stream.finish()

    async with FaultServer() as server, launch(server.url, "--request-timeout", f"{stretched(0.8):g}") as host:
        await host.initialize()
        server.once("tools/call:echo", slow)
        params = {"name": "echo", "arguments": {}, "_meta": {"progressToken": "p"}}
        assert (await host.request("tools/call", params)).result == {"long": True}
        assert len(began) == 1


async def test_an_answer_on_the_standing_stream_counts() -> None:
    async def elsewhere(call: Call) -> None:
        await server.streams[0].exchange.chunk(event(call.reply({"by": "the other stream"})))
        await call.exchange.gone.wait()

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        server.once("tools/call:echo", elsewhere)
        assert (await host.call("echo")).result == {"by": "the other stream"}
        assert (await host.request("ping")).result == {}
