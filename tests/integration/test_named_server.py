"""A whole process that a host starts with the name of a server."""

from pathlib import Path

import pytest

from tests.cli.config_files import write_file
from tests.support.process.bridge_process import launch
from tests.support.servers.fault_server import FaultServer

pytestmark = pytest.mark.anyio


async def test_a_host_is_connected_to_the_server_of_that_name(tmp_path: Path) -> None:
    async with FaultServer() as server:
        header = {"X-Team": "${TEAM}", "X-Place": "file"}
        file = write_file(tmp_path, {"mine": {"url": server.url, "header": header}}, {"protocol": "legacy"})
        text = file.read_text(encoding="utf-8")
        file.write_text(f"// my servers\n{text.removesuffix('}')},}}", encoding="utf-8")
        env = {"TEAM": "blue", "MCP_BRIDGE_CONFIG": str(file)}
        async with launch("mine", env=env) as host:
            await host.initialize("2025-06-18")
            await host.call("echo")
            host.close_stdin()
            assert await host.wait() == 0
        assert {request.header("x-team") for request in server.http.requests} == {"blue"}
        assert {request.header("x-place") for request in server.http.requests} == {"file"}
