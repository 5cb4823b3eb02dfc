"""Whole processes: `install` writes a file, a host starts what stands in it, `uninstall` leaves the file as it was."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.install.host_files import file_of
from tests.support.oauth.site import Site
from tests.support.process.bridge_command import run_command
from tests.support.process.bridge_process import ROOT, command, environment
from tests.support.waits import stretched

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


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
async def test_at_a_terminal_the_user_signs_in_so_that_the_host_starts_signed_in() -> None:
    async with Site() as site:
        file = site.person.home / ".cursor" / "mcp.json"
        said = await _at_terminal(
            command("install", "cursor", site.server.url, "--name", "mine"),
            environment(site.person.home, site.variables("info")),
            [("Sign in now?", "y"), ("Write this?", "y")],
        )
        assert "Signed in to" in said
        assert said.rstrip().endswith("or open Cursor again.")
        assert len(site.person.opened) == 1
        entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["mine"]
        async with site.bridge(*entry["args"][1:]) as host:
            await host.initialize("2025-06-18")
            assert "hello" in (await host.call("echo", text="hello")).result["content"][0]["text"]
        assert len(site.person.opened) == 1


async def _at_terminal(words: list[str], variables: dict[str, str], answers: list[tuple[str, str]]) -> str:
    """Run a program at a terminal and give each answer when its question is there; returns all it showed."""
    ours, its = os.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=its, stdout=its, stderr=its, env=variables, cwd=ROOT, start_new_session=True
        )
        os.close(its)
        said = ""
        async with asyncio.timeout(stretched(60)):
            while data := await asyncio.to_thread(_read, ours):
                said += data
                if answers and answers[0][0] in said:
                    os.write(ours, f"{answers.pop(0)[1]}\n".encode())
            assert await process.wait() == 0, said
        return said
    finally:
        os.close(ours)


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    except OSError:  # The other end is closed.
        return ""
