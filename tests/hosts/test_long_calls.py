"""A tool that takes longer than the host gives it: the bridge's own progress keeps the host waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.hosts.chosen import CHOSEN, HOW, add_result, in_a_moment, installed, run_folder
from tests.hosts.host import CALL_PATIENCE, Host, Setting
from tests.hosts.model.server import Model
from tests.hosts.probe import LATE
from tests.hosts.running import make_project, run, write_browser
from tests.hosts.scenes import complete
from tests.hosts.test_hosts import bridge
from tests.support.servers.fault_server import Call, FaultServer
from tests.support.waits import stretched

WAYS: dict[str, tuple[str, ...]] = {"silent": (), "kept alive": ("--keep-alive", "2")}
"""The bridge's options, by what the host hears of a call."""


@pytest.mark.anyio
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("host", CHOSEN, ids=lambda host: host.name)
async def test_a_silent_call_is_kept_alive_for_a_host_that_waits_for_progress(
    host: Host, way: str, tmp_path: Path
) -> None:
    if in_a_moment() or not host.restarts_on_progress:
        pytest.skip(f"{host.name} does not wait longer for progress, or is run by {HOW} {host.name}")
    place = installed(host)
    folder = run_folder(host, f"call {way}".replace(" ", "-"), tmp_path)

    async def late(call: Call) -> None:
        await asyncio.sleep(host.silence)
        await call.json(call.reply({"content": [{"type": "text", "text": LATE}]}))

    async with FaultServer() as server, Model() as model:
        complete(server)
        server.always("tools/call:echo", late)
        entry = bridge(server.url, *WAYS[way], "--log-file", str(folder / "bridge.log"))
        where = (folder / "home", folder / "project")
        setting = Setting(place.folder, place.node, *where, entry, model.url, CALL_PATIENCE)
        setting.home.mkdir()
        make_project(setting.folder)
        ended = await run(host, setting, write_browser(folder, "record"), lambda: False, stretched(host.limit))
    arrived = any(LATE in result.text for step in model.rounds for result in step.asked.results)
    expected = way == "kept alive"
    what = "the result" if arrived else "given up"
    assert add_result(host, f"call-{way}", what, holds=arrived is expected), ended.output[-3000:]
