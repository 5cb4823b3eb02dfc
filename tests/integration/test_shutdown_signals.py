"""Every way to end leaves within 2 s, with the session DELETEd and exit code 0."""

import asyncio
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.process.bridge_process import ROOT, BridgeProcess, command, environment, launch
from tests.support.servers.fault_answers import Gate, hangs, hangs_streaming, resets
from tests.support.servers.fault_server import Call, FaultServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and ppid work otherwise there")

WAYS = ["eof", pytest.param("SIGTERM", marks=posix), pytest.param("SIGINT", marks=posix)]


def end(host: BridgeProcess, way: str) -> None:
    if way == "eof":
        host.close_stdin()
    else:
        host.process.send_signal(getattr(signal, way))


@pytest.mark.parametrize("way", WAYS)
async def test_the_session_is_deleted(way: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        stream = await server.stream()
        await host.call("echo")
        end(host, way)
        assert await host.wait() == 0
        await server.until_seen("DELETE")
        (delete,) = server.seen("DELETE")
        assert delete.header("mcp-session-id") == "session-1"
        assert delete.header("mcp-protocol-version") == "2025-11-25"
        assert server.sessions == []
        await server.until(lambda: not stream.open, "the GET stream closed")


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
async def test_what_it_was_started_to_ignore_does_not_end_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `nohup` starts a host, and a script a host in its background; the host lives on, and needs its bridge."""
    ignoring = f"trap '' {name.removeprefix('SIG')}; exec \"$@\""
    monkeypatch.setenv("MCP_BRIDGE_TEST_COMMAND", shlex.join(["sh", "-c", ignoring, "sh", *command()]))
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        end(host, name)
        assert (await host.call("echo")).result
        end(host, "SIGTERM")
        assert await host.wait() == 0
        await server.until_seen("DELETE")
        assert len(server.seen("DELETE")) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_hangs_on_delete_keeps_nobody(way: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("DELETE", hangs)
        await host.initialize()
        end(host, way)
        assert await host.wait() == 0
        await server.until_seen("DELETE")
        assert len(server.seen("DELETE")) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_calls_that_never_return_keep_nobody(way: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("tools/call:echo", hangs)
        server.always("tools/call:wild", hangs_streaming)
        for tool in ("echo", "wild", "echo"):
            await host.ask("tools/call", {"name": tool, "arguments": {}})
        await server.until_seen("tools/call", 3)
        end(host, way)
        assert await host.wait() == 0
        await server.until_seen("DELETE")
        assert len(server.seen("DELETE")) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_before_any_message(way: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        if way != "eof":  # a signal before the program runs would be the interpreter's matter
            await host.request("ping", id="first")
            requests = len(server.http.requests)
        end(host, way)
        assert await host.wait(5 if way == "eof" else 2) == 0
        if way == "eof":
            assert server.http.requests == []
        else:
            assert len(server.http.requests) == requests


@pytest.mark.parametrize("way", WAYS)
async def test_while_the_server_is_not_reachable(way: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await server.http.stop()
        await host.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}})
        await host.stderr_says("127.0.0.1")
        end(host, way)
        assert await host.wait() == 0


async def test_quick_answers_in_flight_still_come_after_the_end_of_input() -> None:
    gate = Gate()
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("tools/call:echo", gate)
        ids = [await host.ask("tools/call", {"name": "echo", "arguments": {"n": n}}) for n in range(5)]
        await server.until(lambda: gate.waiting == 5, "five calls at the server")
        host.close_stdin()
        gate.open()
        assert await host.wait() == 0
        for n, id in enumerate(ids):  # noqa: A001
            assert host.answers(id)[0].result["content"][0]["text"] == f'{{"n": {n}}}'
        assert server.http.requests[-1].method == "DELETE"


async def test_all_of_a_script_piped_in_is_answered() -> None:
    init = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "pipe", "version": "1"},
    }
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": init},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {
            "jsonrpc": "2.0",
            "id": 3,
            "method": "tools/call",
            "params": {"name": "echo", "arguments": {"n": 1}},
        },
    ]
    async with FaultServer() as server, launch(server.url) as host:
        host.asked += ["1", "2", "3"]
        await host.send(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        host.close_stdin()
        assert await host.wait(5) == 0
        assert {line.value["id"] for line in host.lines if "result" in line.value} == {1, 2, 3}
        assert server.http.requests[-1].method == "DELETE"


async def test_a_connection_broken_at_delete_is_nobodys_business() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("DELETE", resets)
        await host.initialize()
        host.close_stdin()
        assert await host.wait() == 0


async def test_a_server_that_is_gone_keeps_nobody() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        await server.http.stop()
        host.close_stdin()
        assert await host.wait() == 0


@posix
async def test_a_second_signal_changes_nothing() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("DELETE", hangs)
        await host.initialize()
        end(host, "SIGINT")
        await server.until_seen("DELETE")
        end(host, "SIGINT")
        end(host, "SIGTERM")
        assert await host.wait() == 0


@posix
async def test_a_host_that_does_not_read_cannot_hold_the_bridge() -> None:
    async def flood(call: Call) -> None:
        stream = await call.stream()
        while not call.exchange.gone.is_set():
            await stream.event({"jsonrpc": "2.0", "method": "notifications/flood", "params": "x" * 65536})

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        host.stop_reading()
        server.once("tools/call:echo", flood)
        await host.ask("tools/call", {"name": "echo", "arguments": {}})
        await server.until_seen("tools/call")
        await host.notify("notifications/marker")
        await server.until_seen("notifications/marker")
        end(host, "SIGTERM")
        await host.gone()
        host.may_break_off = True
        host.read_on()
        assert await host.wait() == 0
        await server.until_seen("DELETE")
        assert len(server.seen("DELETE")) == 1


@posix
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with-something-to-say"])
async def test_a_closed_stdout_ends_it(busy: bool) -> None:
    read_end, write_end = os.pipe()
    with tempfile.TemporaryDirectory() as home:
        async with FaultServer() as server:
            process = await asyncio.create_subprocess_exec(
                *command(server.url),
                stdin=asyncio.subprocess.PIPE,
                stdout=write_end,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(Path(home)),
                cwd=ROOT,
            )
            os.close(write_end)
            try:
                assert process.stdin is not None
                init = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
                process.stdin.write(
                    json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": init}).encode()
                    + b'\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
                )
                stream = await server.stream()
                os.close(read_end)
                began = time.monotonic()
                if busy:
                    await stream.event({"jsonrpc": "2.0", "method": "notifications/x"})
                async with asyncio.timeout(stretched(5)):
                    assert await process.wait() == 0
                assert time.monotonic() - began < stretched(2)
                await server.until_seen("DELETE")
                assert len(server.seen("DELETE")) == 1
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
                if process.stdin is not None:
                    process.stdin.close()
                getattr(process, "_transport").close()  # noqa: B009


# The helper takes in orphans, starts a parent that starts the bridge, and tells how the bridge ended.
HELPER = """
import ctypes, json, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
start = (
    "import subprocess, sys, json; p = subprocess.Popen(json.loads(sys.argv[1]));"
    "print(p.pid, file=sys.stderr, flush=True); p.wait()"
)
parent = subprocess.Popen([sys.executable, "-c", start, sys.argv[1]], stderr=subprocess.PIPE)
bridge = int(parent.stderr.readline())
print("parent", parent.pid, file=sys.stderr, flush=True)
parent.wait()
_, status = os.waitpid(bridge, 0)
print("ended", os.waitstatus_to_exitcode(status), file=sys.stderr, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are taken in by prctl")
@pytest.mark.parametrize(
    ("busy", "launcher"),
    [(False, []), (True, []), (False, ["/bin/sh", "-c", '"$@"; exit $?', "sh"])],
    ids=["idle", "call-running", "through-a-shell-that-stays"],
)
async def test_a_dead_host_ends_it_though_stdin_stays_open(busy: bool, launcher: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        async with FaultServer() as server:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                HELPER,
                json.dumps([*launcher, *command(server.url)]),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(Path(home)),
                cwd=ROOT,
                start_new_session=True,
            )
            host = BridgeProcess(process)
            try:
                parent = int((await host.stderr_says("parent ")).split()[1])
                await host.initialize()
                await server.stream()
                if busy:
                    server.once("tools/call:echo", hangs)
                    await host.ask("tools/call", {"name": "echo", "arguments": {}})
                    await server.until_seen("tools/call")
                os.kill(parent, signal.SIGKILL)
                began = time.monotonic()
                assert await host.stderr_says("ended", deadline=8) == "ended 0"
                assert time.monotonic() - began < stretched(2.5)
                await server.until_seen("DELETE")
                assert len(server.seen("DELETE")) == 1
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                await host.end()
