"""Clients that were registered beforehand, and Client ID Metadata Documents.

More cases, without processes, are in `tests/app/test_oauth_static_client.py`.
"""

import contextlib
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import psutil
import pytest

from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import asked, visit
from tests.support.process.bridge_process import INITIALIZE, ROOT, command, environment

pytestmark = pytest.mark.anyio

DOCUMENT = "https://client.example/oauth/mcp-remote-bridge.json"


async def test_options_may_be_variables() -> None:
    async with Site() as site:
        site.authority.add_client("given-id", "planted-client-secret")
        site.authority.methods = ("client_secret_basic",)
        env = {"MCP_BRIDGE_CLIENT_ID": "given-id", "MCP_BRIDGE_CLIENT_SECRET": "planted-client-secret"}
        await site.sign_in(env=env)
        assert asked(site.person.opened[0])["client_id"] == "given-id"
        assert not any("can read the secret" in line for line in site.bridges[0].stderr)


async def test_no_program_that_the_bridge_starts_gets_the_variables_that_hold_its_secrets(tmp_path: Path) -> None:
    async with Site() as site:
        site.authority.add_client("given-id", "planted-client-secret", "client_secret_post")
        site.authority.methods = ("client_secret_post",)
        file = tmp_path / "headers"
        file.write_text("X-Third: ${THIRD_KEY}\n", encoding="utf-8")
        secrets = {"MY_SECRET": "planted-client-secret", "SECOND_KEY": "planted-2", "THIRD_KEY": "planted-3"}
        secrets["MCP_BRIDGE_HEADER"] = "X-Second: ${env:SECOND_KEY}"
        options = ["--client-id", "given-id", "--client-secret", "env:MY_SECRET", "--header-file", str(file)]
        site.person.browser = "record"
        async with site.bridge(*options, env=secrets | {"OTHER": "kept"}, as_program=True) as host:
            await host.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            ((browser, login),) = site.person.browsers
            for environ in (browser, psutil.Process(login).environ()):
                assert environ["OTHER"] == "kept"
                assert not secrets.keys() & environ.keys()
                assert not any("planted" in value for value in environ.values())
            await visit(url)
            assert (await host.call("echo", deadline=LOGIN)).result


async def test_the_metadata_document_is_printed() -> None:
    async with Site() as site:
        program = command("client-metadata", DOCUMENT)
        result = await anyio.run_process(program, env=environment(site.person.home), cwd=ROOT, check=False)
        assert result.returncode == 0, result.stderr
        document = json.loads(result.stdout)
        assert document["client_id"] == DOCUMENT
        assert document["client_name"]
        assert document["token_endpoint_auth_method"] == "none"
        assert set(document["grant_types"]) >= {"authorization_code", "refresh_token"}
        assert document["response_types"] == ["code"]
        hosts = {urlsplit(uri).hostname for uri in document["redirect_uris"]}
        assert hosts <= {"localhost", "127.0.0.1", "::1"}
        assert "localhost" in hosts
        assert {urlsplit(uri).path for uri in document["redirect_uris"]} == {"/callback"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_secret_by_reference_is_in_no_command_line() -> None:
    async with Site() as site:
        site.authority.add_client("given-id", "planted-client-secret")
        site.authority.methods = ("client_secret_basic",)
        env = {"MY_SECRET": "planted-client-secret"}
        async with site.bridge("--client-id", "given-id", "--client-secret", "env:MY_SECRET", env=env) as host:
            await site.begin(host)
            assert not any(b"planted-client-secret" in line for line in _command_lines())


def _command_lines() -> list[bytes]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            lines.append(path.read_bytes())
    return lines
