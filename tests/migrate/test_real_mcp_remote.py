"""A user of the real mcp-remote moves over, and does not sign in again."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.program import run_program
from bridge.install import launcher
from bridge.install.launcher import Launcher
from bridge.migrate.mcp_auth import config_folder, find_sign_in
from bridge.migrate.mcp_remote_hash import HashedServer, default_port, digests
from tests.migrate import real_mcp_remote
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import LOGIN

pytestmark = pytest.mark.anyio

OURS = "/opt/bin/mcp-remote-bridge"


@pytest.mark.parametrize("headers", [{}, {"X-Team": "blue", "A-First": "${HOME}"}])
async def test_a_user_who_moves_over_does_not_sign_in_again(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "find_launcher", lambda here: Launcher(OURS))
    async with InProcessSite() as site:
        home = site.person.home
        flags = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
        words = [site.server.url, "--transport", "http-only", *flags]
        await real_mcp_remote.sign_in(home, *words)
        before = _state(home / ".mcp-auth")
        path = _entry(home, {"command": "node", "args": [str(real_mcp_remote.script()), *words]})

        assert await asyncio.to_thread(run_program, ["migrate", "cursor", "--yes"]) == 0

        entry = json.loads(path.read_text())["mcpServers"]["team"]
        assert entry == {"command": OURS, "args": [site.server.url, "--transport", "http", *flags]}
        async with site.bridge(*entry["args"][1:]) as host:
            await host.initialize(deadline=LOGIN)
            assert (await host.call("echo", deadline=LOGIN)).result
            host.close_stdin()
            assert await host.wait(5) == 0
        assert site.person.opened == []
        assert len(site.authority.forms("authorization_code")) == 1
        assert len(site.authority.forms("refresh_token")) == 1
        assert len(site.authority.seen("register")) == 1
        assert _state(home / ".mcp-auth") == before, "a file of mcp-remote was changed"

        found = find_sign_in(config_folder({}, home), digests(HashedServer(site.server.url, headers=headers)))
        assert found is not None
        assert found.registration is not None
        assert f":{default_port(found.path.name)}/oauth/callback" in found.registration.redirect_uri


def _entry(home: Path, entry: dict[str, Any]) -> Path:
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"mcpServers": {"team": entry}}))
    return path


def _state(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.json")}
