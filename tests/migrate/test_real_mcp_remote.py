"""Folders that the real mcp-remote writes, and what the bridge makes of them."""

import hashlib
from pathlib import Path

import pytest

from bridge.config import Settings
from bridge.migrate.mcp_auth import config_folder, find_sign_in
from bridge.migrate.mcp_remote_hash import default_port, digests
from bridge.migrate.old_commands import translate
from bridge.migrate.old_programs import OldCommand, old_command
from bridge.migrate.taking_over import take_over
from bridge.store.choice import open_store
from tests.migrate import real_mcp_remote
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import LOGIN

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("headers", [(), ("--header", "X-Team: bl\u00fce", "--header", "A-First: ${HOME}")])
async def test_a_user_who_moves_over_from_mcp_remote_does_not_sign_in_again(
    tmp_path: Path, headers: tuple[str, ...]
) -> None:
    script = real_mcp_remote.script()
    async with InProcessSite() as site:
        words = [site.server.url, "--transport", "http-only", *headers]
        await real_mcp_remote.sign_in(tmp_path, *words)
        granted = len(site.authority.forms("authorization_code"))
        found = old_command(["node", str(script), *words])
        assert isinstance(found, OldCommand)
        hashed = translate(found, {}, lambda path: "", "linux").hashed
        assert hashed is not None

        old = find_sign_in(config_folder({}, tmp_path), digests(hashed))
        assert old is not None
        assert old.registration is not None
        assert f":{default_port(old.path.name)}/oauth/callback" in old.registration.redirect_uri
        store = open_store("auto", lambda text: None)
        done = await take_over(old, Settings(url=site.server.url), store, lambda secret: None)
        before = _state(tmp_path)
        async with site.bridge("--transport", "http") as host:
            await host.initialize(deadline=LOGIN)
            assert (await host.call("echo", deadline=LOGIN)).result
            host.close_stdin()
            assert await host.wait(5) == 0

        assert done.is_taken
        assert site.person.opened == []
        assert granted == len(site.authority.forms("authorization_code")) == 1
        assert len(site.authority.forms("refresh_token")) == 1
        assert len(site.authority.seen("register")) == 1
        assert _state(tmp_path) == before, "a file of mcp-remote was changed"


def _state(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.json")}
