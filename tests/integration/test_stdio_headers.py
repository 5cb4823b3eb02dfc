"""A host that writes `Content-Length` headers, as Cline's second copy does, is answered in the same framing."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.process.bridge_process import ROOT, command, environment
from tests.support.servers.fault_http import DEADLINE
from tests.support.servers.fault_server import FaultServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "@cline/core", "version": "1"},
    },
}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}


def headed(message: dict[str, Any]) -> bytes:
    body = json.dumps(message, indent=1).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def one_message(reader: asyncio.StreamReader) -> Any:
    async with asyncio.timeout(stretched(DEADLINE)):
        head = await reader.readuntil(b"\r\n\r\n")
        name, _, length = head.strip().partition(b":")
        assert name == b"Content-Length"
        return json.loads(await reader.readexactly(int(length)))


async def test_it_is_served() -> None:
    async with FaultServer() as server:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            process = await asyncio.create_subprocess_exec(
                *command(server.url),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(Path(home), {}),
                cwd=ROOT,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(headed(INITIALIZE))
                opened = await one_message(process.stdout)
                assert (opened["id"], opened["result"]["protocolVersion"]) == (0, "2024-11-05")
                process.stdin.write(headed({"jsonrpc": "2.0", "method": "notifications/initialized"}) + headed(CALL))
                called = await one_message(process.stdout)
                assert called["id"] == 1
                assert "result" in called
                process.stdin.write(b"nonsense\r\n\r\n")
                assert "Content-Length" in (await one_message(process.stdout))["error"]["message"]
                process.stdin.close()
                async with asyncio.timeout(stretched(DEADLINE)):
                    assert await process.stdout.read() == b""
                    assert await process.wait() == 0
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
