"""A server that lists its tools on three pages: with the bridge, every host shows them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.hosts.chosen import CHOSEN, add_result
from tests.hosts.host import Host
from tests.hosts.scenes import complete
from tests.hosts.test_faults import shown, skip_unless_it_shows_tools
from tests.support.servers.fault_server import Call, FaultServer

PAGES = 3
PAGED = "tools/list"


@pytest.mark.anyio
@pytest.mark.parametrize("host", CHOSEN, ids=lambda host: host.name)
async def test_the_tools_of_all_pages_are_shown(host: Host, tmp_path: Path) -> None:
    skip_unless_it_shows_tools(host)
    if PAGED in host.reads_one_page and not host.speaks and host.client == "mcp-typescript":
        pytest.skip(f"{host.name} is a library, whose caller asks for the next page")

    async def page(call: Call) -> None:
        number = int(call.message.get("params", {}).get("cursor", 0))
        schema = {"type": "object", "properties": {}}
        tools = [{"name": f"good_{number}", "description": "Says something", "inputSchema": schema}]
        more = {"nextCursor": str(number + 1)} if number + 1 < PAGES else {}
        await call.json(call.reply({"tools": tools} | more))

    async with FaultServer() as server:
        complete(server)
        server.always(PAGED, page)
        seen = await shown(host, "pages", tmp_path, [server.url], ())
    found = {int(number) for number in re.findall(r"good_(\d)", seen.tools)}
    assert add_result(host, "pages", str(len(found)), holds=found == set(range(PAGES))), seen.text[-3000:]
