"""Whole processes: `install` writes a file, a host starts what stands in it, `uninstall` leaves the file as it was."""

import json
from pathlib import Path

import pytest

from tests.install.host_files import file_of
from tests.support.oauth.site import Site
from tests.support.process.bridge_command import run_command

pytestmark = pytest.mark.anyio


async def test_what_install_writes_is_what_a_host_can_start() -> None:
    async with Site() as site:
        file = site.person.home / ".cursor" / "mcp.json"
        file.parent.mkdir(parents=True)
        file.write_text(file_of("cursor"), encoding="utf-8")

        code, said = await run_command(site, "install", "cursor", site.server.url, "--name", "mine", "--yes")
        assert code == 0, said
        assert "asks you to sign in" in said
        entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["mine"]
        assert Path(entry["command"]).is_absolute()
        async with site.bridge(*entry["args"][1:]) as host:
            await site.begin(host)
            assert "hello" in (await host.call("echo", text="hello")).result["content"][0]["text"]

        code, said = await run_command(site, "hosts")
        assert (code, f"mine: this bridge, {site.server.url}" in said) == (0, True)
        code, said = await run_command(site, "install", "cursor", site.server.url, "--name", "other", "--yes")
        assert "answers" in said, "the token that is stored now is used"
        for name in ("mine", "other"):
            code, said = await run_command(site, "uninstall", "cursor", name, "--yes")
            assert code == 0, said
        assert file.read_text(encoding="utf-8") == file_of("cursor")


async def test_a_server_that_is_not_there_gets_no_entry() -> None:
    async with Site() as site:
        code, said = await run_command(site, "install", "cursor", "http://127.0.0.1:9/mcp", "--yes")
        assert code == 2
        assert "http://127.0.0.1:9/mcp" in said
        assert "--untested" in said
        assert not (site.person.home / ".cursor").exists()
