"""Real hosts connect by the entry that `install` wrote into their files."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path

import pytest

from bridge.documents.editing import format_of, without
from bridge.install.installing import entries_in
from bridge.inventory.host_table import HOSTS_BY_KEY
from tests.hosts.chosen import CHOSEN, HOW, in_a_moment, installed, run_folder
from tests.hosts.host import SERVER, Entry, Host, Setting, Start
from tests.hosts.model.server import Model
from tests.hosts.running import make_project, run
from tests.hosts.scenes import scene
from tests.hosts.test_hosts import TOOLS, outcome
from tests.support.process.bridge_process import ROOT, command
from tests.support.waits import stretched

# The row of the host, the key of `install`, and the file that the row writes.
ROWS = (
    ("claude-mcp-list", "claude-code", ".claude.json"),
    ("gemini-mcp-list", "gemini", ".gemini/settings.json"),
    ("qwen-mcp-list", "qwen", ".qwen/settings.json"),
    ("opencode-mcp-list", "opencode", ".config/opencode/opencode.json"),
    ("codex", "codex", ".codex/config.toml"),
    ("copilot", "copilot", ".copilot/mcp-config.json"),
    ("cline", "cline", ".cline/data/settings/cline_mcp_settings.json"),
    # The inspector takes any file of the plain form.
    ("inspector-list", "cursor", ".cursor/mcp.json"),
)


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "key", "file"), ROWS, ids=[row[1] for row in ROWS])
async def test_a_host_connects_by_the_entry_that_install_wrote(name: str, key: str, file: str, tmp_path: Path) -> None:
    host = next((one for one in CHOSEN if one.name == name), None)
    if host is None or in_a_moment():
        pytest.skip(f"{name} is run by {HOW} {name}")
    place = installed(host)
    folder = run_folder(host, "installed-entry", tmp_path)
    async with scene("plain", folder) as here, Model() as model:
        setting = Setting(
            place.folder, place.node, folder / "home", folder / "project", Entry("no-such-program", ()), model.url
        )
        setting.home.mkdir()
        make_project(setting.folder)
        start = host.start(setting)  # It writes the host's file, with an entry that cannot work.
        path = setting.home / file
        _without_entry(path, key)
        said = await _bridge(setting.home, "install", key, here.url, "--name", SERVER, "--yes")
        assert f"has the server {SERVER} now" in said
        ended = await run(_started(host, start, path), setting, here.browser, lambda: False, stretched(host.limit))
        (folder / "ended.txt").write_text(f"{said}\n-- host\n{ended.output}", encoding="utf-8")
        assert outcome(host, here, ended) in TOOLS, f"{ended.output[-3000:]}\n{ended.log[-3000:]}"
        await _bridge(setting.home, "uninstall", key, SERVER, "--yes")
        # Some hosts write their own file at each start, so only the entry is looked for.
        assert entries_in(HOSTS_BY_KEY[key], path) == []


def _without_entry(path: Path, key: str) -> None:
    """Take the row's own entry out of the host's file, as it was before `install`."""
    if path.exists():
        place = (*HOSTS_BY_KEY[key].table, SERVER)
        text = path.read_text(encoding="utf-8")
        path.write_text(without(text, format_of(path), place), encoding="utf-8")


def _started(host: Host, start: Start, path: Path) -> Host:
    """The host with this command, which names the file where the host takes one."""
    words = list(start.command)
    if "--config" in words:
        words[words.index("--config") + 1] = str(path)
    return dataclasses.replace(host, start=lambda _: dataclasses.replace(start, command=words))


async def _bridge(home: Path, *words: str) -> str:
    """Run the bridge with this home; returns all it said."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "USERPROFILE": str(home)}
    process = await asyncio.create_subprocess_exec(
        *command(*words),
        cwd=ROOT,
        env=variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(stretched(20)):
        said, _ = await process.communicate()
    text = said.decode("utf-8", "replace")
    assert process.returncode == 0, text
    return text
