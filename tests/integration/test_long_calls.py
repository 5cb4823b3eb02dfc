"""A call that takes long and brings much: the host hears that it goes on, and finds the whole result in a file."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.support.hosts.era_host import at_home
from tests.support.process.bridge_process import launch
from tests.support.servers.fault_answers import result
from tests.support.servers.fault_server import Call, FaultServer, hold

pytestmark = pytest.mark.anyio


def file(path: str) -> bytes:
    return Path(path).read_bytes()


def home_without_a_cache(home: Path) -> dict[str, str]:
    """A home where a file stands in the place of each system's folder for what may be lost."""
    for name in ("cache", "Library", ".mcp-remote-bridge"):
        (home / name).write_bytes(b"not a folder")
    return at_home(home)


LARGE = {"content": [{"type": "text", "text": "row\n" * 50_000}]}


async def test_a_silent_call_is_kept_alive_and_its_large_result_is_in_a_file(tmp_path: Path) -> None:
    goes_on = asyncio.Event()

    async def late(call: Call) -> None:
        await hold(goes_on)
        await call.json(call.reply(LARGE))

    options = ("--keep-alive", "0.2", "--max-result", "5000")
    async with FaultServer() as server, launch(server.url, *options, env=at_home(tmp_path)) as host:
        await host.initialize()
        server.once("tools/call:echo", late)
        await host.ask("tools/call", {"name": "echo", "arguments": {}, "_meta": {"progressToken": 7}}, id=1)
        progress = await host.receive("notifications/progress")
        assert progress.value["params"]["progressToken"] == 7
        goes_on.set()
        about, beginning = (await host.answer(1)).result["content"]
        assert beginning["text"].startswith("row\nrow\n")
        found = re.search(r"saved, as JSON, to (.+) ; its text alone to (.+) \.", about["text"])
        assert found
        assert json.loads(file(found[1])) == LARGE
        assert file(found[2]) == b"row\n" * 50_000
        await server.until_seen("ping")


async def test_where_nothing_can_be_written_the_host_gets_all_of_it(tmp_path: Path) -> None:
    home = home_without_a_cache(tmp_path)
    async with FaultServer() as server, launch(server.url, "--max-result", "5000", env=home) as host:
        await host.initialize()
        server.once("tools/call:echo", result(LARGE))
        assert (await host.call("echo")).result == LARGE
        await host.stderr_says("was not saved")
