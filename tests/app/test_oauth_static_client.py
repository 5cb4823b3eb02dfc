"""Clients that were registered beforehand, and Client ID Metadata Documents."""

import base64

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import asked

pytestmark = pytest.mark.anyio

DOCUMENT = "https://client.example/oauth/mcp-remote-bridge.json"
ODD_ID = "app:1+/%&=~"
ODD_SECRET = "s3:cr et+&%/=?~\"'\\"


@pytest.mark.parametrize("registers", [True, False], ids=["could-register", "cannot-register"])
async def test_a_given_client_is_used_and_nothing_is_registered(registers: bool) -> None:
    async with InProcessSite() as site:
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


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("reference", ["env", "file", "variable", "bare"])
async def test_the_secret_comes_by_reference(reference: str, method: str) -> None:
    async with InProcessSite() as site:
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
        warned = [line for line in site.bridges[0].stderr if "can read the secret of --client-secret" in line]
        assert bool(warned) == (reference == "bare")


async def test_basic_authentication_is_form_encoded_first() -> None:
    """RFC 6749 2.3.1: the identifier and the secret are encoded, and only then joined and base64-encoded."""
    async with InProcessSite() as site:
        site.authority.add_client(ODD_ID, ODD_SECRET, "client_secret_basic")
        site.authority.methods = ("client_secret_basic",)
        await site.sign_in("--client-id", ODD_ID, env={"MCP_BRIDGE_CLIENT_SECRET": ODD_SECRET})
        (request,) = site.authority.seen("token")
        header = request.header("authorization") or ""
        pair = base64.b64decode(header.removeprefix("Basic ")).decode("ascii")
        assert pair.count(":") == 1
        assert "client_secret" not in request.body.decode()


async def test_a_given_client_without_secret_is_public_whatever_the_metadata_lists() -> None:
    async with InProcessSite() as site:
        site.authority.add_client("given-id")
        site.authority.methods = ("client_secret_basic", "none")
        await site.sign_in("--client-id", "given-id")


@pytest.mark.parametrize("kept", [True, False], ids=["later", "at-once"])
async def test_a_given_client_that_is_not_known_is_not_replaced(kept: bool) -> None:
    async with InProcessSite() as site, site.bridge("--client-id", "given-id", "--login-timeout", "1") as host:
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
    async with InProcessSite() as site:
        site.authority.add_client("given-id", "the-right-secret")
        site.authority.methods = ("client_secret_basic",)
        env = {"MCP_BRIDGE_CLIENT_SECRET": "planted-wrong-secret"}
        site.planted["planted-wrong-secret"] = "client secret"
        async with site.bridge("--client-id", "given-id", env=env) as host:
            answer = await site.failed(host)
            assert "wrong secret" in answer.error["message"]
            assert site.authority.url("token") in answer.error["message"]
            assert site.authority.seen("register") == []


# -- Client ID Metadata Documents


async def test_a_metadata_document_is_the_client_where_that_is_supported() -> None:
    async with InProcessSite() as site:
        site.authority.takes_documents = True
        await site.sign_in("--client-metadata-url", DOCUMENT)
        site.authority.ledger.expire_access()
        await site.sign_in("--client-metadata-url", DOCUMENT)
        assert asked(site.person.opened[0])["client_id"] == DOCUMENT
        assert {form["client_id"] for form in site.authority.forms("refresh_token")} == {DOCUMENT}
        assert site.authority.seen("register") == []
        assert len(site.person.opened) == 1


async def test_without_support_the_client_is_registered() -> None:
    async with InProcessSite() as site:
        await site.sign_in("--client-metadata-url", DOCUMENT)
        assert asked(site.person.opened[0])["client_id"] in site.authority.ledger.clients


async def test_a_given_client_goes_before_a_metadata_document() -> None:
    async with InProcessSite() as site:
        site.authority.takes_documents = True
        site.authority.add_client("given-id")
        await site.sign_in("--client-metadata-url", DOCUMENT, "--client-id", "given-id")
        assert asked(site.person.opened[0])["client_id"] == "given-id"
