"""Tools that the user restricts and pins, in whole processes that share a home."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.process.bridge_process import ROOT, environment, launch
from tests.support.servers.fault_answers import result
from tests.support.servers.fault_server import FaultServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


def listed(*descriptions: str) -> dict[str, object]:
    schema = {"type": "object"}
    return {"tools": [{"name": f"tool_{text[0]}", "description": text, "inputSchema": schema} for text in descriptions]}


async def typed(environ: Mapping[str, str], *words: str) -> tuple[int, str]:
    """What a command of the bridge says on stdout."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=dict(environ),
        cwd=ROOT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), stretched(30))
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_change_is_held_back_in_every_copy_until_it_is_accepted() -> None:
    with tempfile.TemporaryDirectory() as home:
        own = environment(Path(home))
        async with (
            FaultServer() as server,
            launch(server.url, "--pin-tools", env=own) as one,
            launch(server.url, "--pin-tools", env=own) as other,
        ):

            async def descriptions() -> list[list[str]]:
                answers = [await host.request("tools/list") for host in (one, other)]
                return [[tool["description"] for tool in answer.result["tools"]] for answer in answers]

            for host in (one, other):
                await host.initialize()
            server.always("tools/list", result(listed("a, as it was", "b")))
            assert await descriptions() == [["a, as it was", "b"]] * 2
            server.always("tools/list", result(listed("a, and more", "b")))
            assert await descriptions() == [["a, as it was", "b"]] * 2
            code, shown = await typed(own, "tools", "show", server.url)
            assert code == 0
            assert '-  "description": "a, as it was",\n+  "description": "a, and more",\n' in shown
            code, said = await typed(own, "tools", "accept", server.url)
            assert code == 0
            assert "Accepted: tool_a." in said
            assert await descriptions() == [["a, and more", "b"]] * 2


async def test_a_hidden_tool_is_neither_listed_nor_called() -> None:
    async with FaultServer() as server, launch(server.url, "--tools", "r*", "--hide-tools=*d") as host:
        await host.initialize()
        assert (await host.request("tools/list")).result["tools"] == []
        answer = await host.call("read")
        assert answer.kind == "hidden"
        assert "The tool read is hidden by --hide-tools *d." in answer.error["message"]
        assert server.seen("tools/call") == []
