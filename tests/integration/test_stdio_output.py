"""Nothing but messages on stdout, and a slow host blocks nobody else while memory stays bounded."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.process.bridge_process import ROOT, environment, launch
from tests.support.servers.fault_answers import result
from tests.support.servers.fault_server import Call, FaultServer, notification
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

MIB = 1 << 20

# Prints by every road there is, each time a connection is made, which is well after the start.
NOISE = """
import os, subprocess, sys, warnings
busy = False
def hook(name, arguments):
    global busy
    if name != "socket.connect" or busy:
        return
    busy = True
    print("noise of print")
    sys.stdout.flush()
    sys.__stdout__.write("noise of the old stdout\\n"); sys.__stdout__.flush()
    os.write(1, b"noise of the descriptor\\n")
    subprocess.run([sys.executable, "-S", "-c", "print('noise of a child')"], check=True)
    warnings.warn("noise of a warning")
    busy = False
sys.addaudithook(hook)
"""


async def test_nothing_else_can_reach_stdout(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOISE)
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), "PYTHONWARNINGS": "always"}
    async with FaultServer() as server, launch(server.url, env=env) as host:
        await host.initialize()
        await server.stream()
        assert (await host.call("echo")).result
        host.close_stdin()
        assert await host.wait(5) == 0
        assert [line.value["id"] for line in host.lines] == ["init", 1001]
        assert any("noise of" in line for line in host.stderr)


async def test_lines_end_in_a_bare_newline() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await host.call("echo")
        assert not any(line.raw.endswith(b"\r") or line.raw.startswith(b"\xef\xbb\xbf") for line in host.lines)


async def test_debug_output_stays_on_stderr() -> None:
    async with FaultServer() as server, launch(server.url, "--log-level", "debug") as host:
        await host.initialize()
        assert (await host.call("echo")).result
        assert [line.value["id"] for line in host.lines] == ["init", 1001]
        host.close_stdin()
        assert await host.wait() == 0
        assert host.stderr


def peak_memory(pid: int) -> int:
    """The most resident memory the process ever had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("where", ["standing", "answer"])
async def test_a_slow_host_blocks_nobody_else_and_memory_stays_bounded(where: str) -> None:
    total, padding = 192, "x" * (MIB // 2)

    async def flood(call: Call) -> None:
        stream = await call.stream()
        for n in range(total):
            await stream.event(notification("notifications/flood", {"n": n, "pad": padding}))
        await stream.event(notification("notifications/over") if call.id is None else call.reply({"over": True}))
        await call.exchange.gone.wait()

    async with FaultServer() as server, launch(server.url) as host:
        if where == "standing":
            server.once("GET", flood)
        else:
            server.once("tools/call:echo", flood)
        await host.initialize()
        host.stop_reading()
        if where == "answer":
            call = await host.ask("tools/call", {"name": "echo", "arguments": {}})
        await server.until_seen("GET" if where == "standing" else "tools/call")
        for n in range(20):
            await host.notify("notifications/up", {"n": n})
        ids = [await host.ask("tools/call", {"name": "read", "arguments": {"n": n}}) for n in range(20)]
        await server.until_seen("notifications/up", 20)
        await server.until(
            lambda: len([r for r in server.seen("tools/call") if r.message["params"]["name"] == "read"]) == 20,
            "twenty calls while the host does not read",
        )
        host.read_on()
        for id in ids:  # noqa: A001
            await host.answer(id, deadline=30)
        if where == "standing":
            await host.receive("notifications/over", deadline=30)
        else:
            await host.answer(call, deadline=30)
        assert [line.value["params"]["n"] for line in host.messages("notifications/flood")] == list(range(total))
        assert peak_memory(host.process.pid) < 80 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_many_big_answers_for_a_slow_host_do_not_pile_up() -> None:
    big = b'{"t":"' + b"y" * (4 * MIB) + b'"}'
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("tools/call:echo", result(big))
        host.stop_reading()
        ids = [await host.ask("tools/call", {"name": "echo", "arguments": {}}) for _ in range(48)]
        await server.until_seen("tools/call", 20, deadline=20)
        host.read_on()
        for id in ids:  # noqa: A001
            assert big in (await host.answer(id, deadline=30)).raw
        assert peak_memory(host.process.pid) < 160 * MIB


AS_ON_WINDOWS = """
import sys, types
from bridge.process import log_stderr
log_stderr.sys = types.SimpleNamespace(platform="win32", stderr=sys.stderr)
from bridge.cli.main import main
main()
"""


@pytest.mark.parametrize("program", [["-m", "bridge"], ["-c", AS_ON_WINDOWS]], ids=["this-system", "as-on-windows"])
async def test_a_stderr_that_nobody_reads_is_in_nobodys_way(program: list[str], tmp_path: Path) -> None:
    """Neither while it runs nor at its end; a debug log of so many calls is many times what a pipe holds."""
    unread, stderr = os.pipe()
    async with FaultServer() as server, asyncio.timeout(stretched(60)):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, f"{server.url}?{'x' * 400}", "--log-level", "debug"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=environment(tmp_path),
            cwd=ROOT,
        )
        os.close(stderr)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            params: dict[str, object] = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
            for number in range(300):
                method = "tools/call" if number else "initialize"
                message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                process.stdin.write(json.dumps(message).encode() + b"\n")
                assert json.loads(await process.stdout.readline())["id"] == number
                if not number:
                    process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
                params = {"name": "echo", "arguments": {}}
            process.stdin.close()
            async with asyncio.timeout(stretched(5)):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            os.close(unread)
