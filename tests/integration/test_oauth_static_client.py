"""Clients that were registered beforehand, and Client ID Metadata Documents."""

import base64
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
from tests.support.process.bridge_process import ROOT, command, environment

pytestmark = pytest.mark.anyio

DOCUMENT = "https://client.example/oauth/mcp-remote-bridge.json"
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
ODD_ID = "app:1+/%&=~"
ODD_SECRET = "s3:cr et+&%/=?~\"'\\"


@pytest.mark.parametrize("registers", [True, False], ids=["could-register", "cannot-register"])
async def test_a_given_client_is_used_and_nothing_is_registered(registers: bool) -> None:
    async with Site() as site:
        site.authority.add_client("given-id")
        if not registers:
            site.authority.metadata_changes = {"registration_endpoint": None}
        await site.sign_in("--client-id", "given-id")
        site.authority.ledger.expire_access()
        await site.sign_in("--client-id", "given-id")
        assert asked(site.person.opened[0])["client_id"] == "given-id"
        assert [form["client_id"] for form in site.authority.forms("refresh_token")] == ["given-id"]
        assert site.authority.seen("register") == []
        assert len(site.person.opened) == 1


async def test_options_may_be_variables() -> None:
    async with Site() as site:
        site.authority.add_client("given-id", "planted-client-secret")
        site.authority.methods = ("client_secret_basic",)
        env = {"MCP_BRIDGE_CLIENT_ID": "given-id", "MCP_BRIDGE_CLIENT_SECRET": "planted-client-secret"}
        await site.sign_in(env=env)
        assert asked(site.person.opened[0])["client_id"] == "given-id"
        assert not any("others can read" in line for line in site.bridges[0].stderr)


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
        async with site.bridge(*options, env=secrets | {"OTHER": "kept"}) as host:
            await host.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            ((browser, login),) = site.person.browsers
            for environ in (browser, psutil.Process(login).environ()):
                assert environ["OTHER"] == "kept"
                assert not secrets.keys() & environ.keys()
                assert not any("planted" in value for value in environ.values())
            await visit(url)
            assert (await host.call("echo", deadline=LOGIN)).result


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("reference", ["env", "file", "variable", "bare"])
async def test_the_secret_comes_by_reference(reference: str, method: str) -> None:
    async with Site() as site:
        site.authority.add_client(ODD_ID, ODD_SECRET, method)
        site.authority.methods = (method,)
        path = site.folder / "client.secret"
        path.write_text(ODD_SECRET + "\n", encoding="utf-8")
        path.chmod(0o600)
        arguments = {
            "env": ["--client-secret", "env:MY_SECRET"],
            "file": ["--client-secret", f"file:{path}"],
            "variable": [],
            "bare": ["--client-secret", ODD_SECRET],
        }[reference]
        env = {"env": {"MY_SECRET": ODD_SECRET}, "variable": {"MCP_BRIDGE_CLIENT_SECRET": ODD_SECRET}}.get(reference)
        await site.sign_in("--client-id", ODD_ID, *arguments, env=env)
        site.authority.ledger.expire_access()
        await site.sign_in("--client-id", ODD_ID, *arguments, env=env)
        assert site.authority.refreshed == 1
        assert site.authority.seen("register") == []
        assert len(site.person.opened) == 1
        warned = [line for line in site.bridges[0].stderr if "warning: --client-secret" in line]
        assert bool(warned) == (reference == "bare")


async def test_basic_authentication_is_form_encoded_first() -> None:
    """RFC 6749 2.3.1: the identifier and the secret are encoded, and only then joined and base64-encoded."""
    async with Site() as site:
        site.authority.add_client(ODD_ID, ODD_SECRET, "client_secret_basic")
        site.authority.methods = ("client_secret_basic",)
        await site.sign_in("--client-id", ODD_ID, env={"MCP_BRIDGE_CLIENT_SECRET": ODD_SECRET})
        (request,) = site.authority.seen("token")
        header = request.header("authorization") or ""
        pair = base64.b64decode(header.removeprefix("Basic ")).decode("ascii")
        assert pair.count(":") == 1
        assert "client_secret" not in request.body.decode()


async def test_a_given_client_without_secret_is_public_whatever_the_metadata_lists() -> None:
    async with Site() as site:
        site.authority.add_client("given-id")
        site.authority.methods = ("client_secret_basic", "none")
        await site.sign_in("--client-id", "given-id")


@pytest.mark.parametrize("kept", [True, False], ids=["later", "at-once"])
async def test_a_given_client_that_is_not_known_is_not_replaced(kept: bool) -> None:
    async with Site() as site, site.bridge("--client-id", "given-id", "--login-timeout", "5") as host:
        if kept:
            site.authority.add_client("given-id")
            await site.begin(host)
            site.authority.forget_clients()
            site.authority.ledger.expire_access()
            answer = await host.call("echo", deadline=LOGIN)
        else:
            answer = await site.failed(host)
        assert answer.kind == "unauthorized"
        assert "given-id" in answer.error["message"] or "--client-id" in answer.error["message"]
        assert site.authority.seen("register") == []


async def test_a_wrong_secret_is_told_in_the_servers_words() -> None:
    async with Site() as site:
        site.authority.add_client("given-id", "the-right-secret")
        site.authority.methods = ("client_secret_basic",)
        env = {"MCP_BRIDGE_CLIENT_SECRET": "planted-wrong-secret"}
        site.planted["planted-wrong-secret"] = "client secret"
        async with site.bridge("--client-id", "given-id", env=env) as host:
            answer = await site.failed(host)
            assert "wrong secret" in answer.error["message"]
            assert site.authority.url("token") in answer.error["message"]
            assert site.authority.seen("register") == []


@pytest.mark.parametrize("reference", ["env:NOT_SET", "file:/nowhere/at/all"])
async def test_a_reference_to_nothing_is_an_error_of_usage(reference: str) -> None:
    async with Site() as site, site.bridge("--client-id", "x", "--client-secret", reference) as host:
        assert await host.wait(5) == 2
        assert any(reference.partition(":")[2] in line for line in host.stderr)


# -- Client ID Metadata Documents


async def test_a_metadata_document_is_the_client_where_that_is_supported() -> None:
    async with Site() as site:
        site.authority.takes_documents = True
        await site.sign_in("--client-metadata-url", DOCUMENT)
        site.authority.ledger.expire_access()
        await site.sign_in("--client-metadata-url", DOCUMENT)
        assert asked(site.person.opened[0])["client_id"] == DOCUMENT
        assert {form["client_id"] for form in site.authority.forms("refresh_token")} == {DOCUMENT}
        assert site.authority.seen("register") == []
        assert len(site.person.opened) == 1


async def test_without_support_the_client_is_registered() -> None:
    async with Site() as site:
        await site.sign_in("--client-metadata-url", DOCUMENT)
        assert asked(site.person.opened[0])["client_id"] in site.authority.ledger.clients


async def test_a_given_client_goes_before_a_metadata_document() -> None:
    async with Site() as site:
        site.authority.takes_documents = True
        site.authority.add_client("given-id")
        await site.sign_in("--client-metadata-url", DOCUMENT, "--client-id", "given-id")
        assert asked(site.person.opened[0])["client_id"] == "given-id"


@pytest.mark.parametrize("url", ["http://client.example/c.json", "https://client.example", "https://client.example/"])
async def test_a_metadata_document_has_a_path_and_https(url: str) -> None:
    async with Site() as site, site.bridge("--client-metadata-url", url) as host:
        assert await host.wait(5) == 2


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
