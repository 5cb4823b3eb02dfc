"""A program signs in as itself: `--grant client-credentials`. No browser is ever opened."""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import LOGIN

pytestmark = pytest.mark.anyio

SECRET = {"MCP_BRIDGE_CLIENT_SECRET": "planted-machine-secret"}
MACHINE = ("--grant", "client-credentials", "--client-id", "machine")
GRANT = "client_credentials"


class Machines(InProcessSite):
    """A site with one client of a program, whose authorization server has no page to sign in."""

    def __init__(self, method: str = "client_secret_basic") -> None:
        super().__init__()
        self.authority.add_client("machine", SECRET["MCP_BRIDGE_CLIENT_SECRET"], method)
        self.authority.methods = (method,)
        self.authority.metadata_changes = {
            "authorization_endpoint": None,
            "registration_endpoint": None,
            "code_challenge_methods_supported": None,
            "response_types_supported": None,
        }

    def machine(self, *more: str, **details: Any) -> Any:
        return self.bridge(*MACHINE, *more, env=SECRET, **details)


@pytest.mark.parametrize("takes", ["issuer", "token endpoint"])
async def test_the_client_authenticates_by_a_key(takes: str) -> None:
    async with Machines("private_key_jwt") as site:
        key = ECKey.generate_key("P-256")
        file = site.folder / "client.pem"
        file.write_bytes(key.as_bytes(encoding="PEM", private=True))
        site.authority.ledger.clients["machine"].key = key
        site.authority.assertion_audience = site.authority.url("token") if takes == "token endpoint" else ""
        async with site.bridge(*MACHINE, "--client-key", str(file)) as host:
            await site.begin(host)
            site.authority.ledger.expire_access()
            assert (await host.call("echo", deadline=LOGIN)).result
        refused = 1 if takes == "token endpoint" else 0
        assert len(site.authority.forms(GRANT)) == 2 + refused, "what the server takes is kept"
        assert all("client_secret" not in form for form in site.authority.forms(GRANT))
        assert site.person.opened == []


async def test_a_key_that_cannot_be_read_is_told() -> None:
    async with Machines("private_key_jwt") as site:
        missing = site.folder / "missing.pem"
        async with site.bridge(*MACHINE, "--client-key", str(missing)) as host:
            message = (await site.failed(host)).error["message"]
        assert f"The client's key {missing} cannot be read" in message
        assert "--client-key" in message


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_client_signs_in_without_a_user(method: str) -> None:
    async with Machines(method) as site, site.machine("--scope", "files:read") as host:
        await site.begin(host)
        assert (await host.call("echo")).result
        (form,) = site.authority.forms(GRANT)
        assert form["scope"] == "files:read"
        assert form["resource"] == site.server.url
        assert site.person.opened == []


async def test_the_token_is_renewed_without_a_refused_request() -> None:
    async with Machines() as site, site.machine() as host:
        site.authority.expires_in = 0.5
        await site.begin(host)
        await site.until_expired()
        before = len(site.server.seen("tools/call"))
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(site.server.seen("tools/call")) == before + 1
        assert len(site.authority.forms(GRANT)) >= 2
        assert site.person.opened == []


async def test_a_token_that_is_refused_early_is_replaced() -> None:
    async with Machines() as site, site.machine() as host:
        await site.begin(host)
        site.authority.ledger.expire_access()
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(site.authority.forms(GRANT)) == 2


async def test_a_second_copy_uses_the_token_of_the_first() -> None:
    async with Machines() as site, site.machine() as host:
        await site.begin(host)
        async with site.machine() as other:
            await site.begin(other)
            assert (await other.call("echo")).result
        assert len(site.authority.forms(GRANT)) == 1


async def test_a_refused_secret_is_an_error_and_not_a_sign_in_tool() -> None:
    async with Machines() as site:
        wrong = {"MCP_BRIDGE_CLIENT_SECRET": "planted-wrong-secret"}
        async with site.bridge(*MACHINE, env=wrong) as host:
            answer = await site.failed(host)
            assert "invalid_client" in answer.error["message"]
            assert site.authority.url("token") in answer.error["message"]
            assert "--client-secret" in str(answer.error)
        assert site.person.opened == []


async def test_a_user_signs_in_to_a_client_with_a_key() -> None:
    async with InProcessSite() as site:
        key = ECKey.generate_key("P-256")
        file = site.folder / "client.json"
        file.write_text(json.dumps(key.as_dict(private=True)), encoding="utf-8")
        site.authority.add_client("mine", method="private_key_jwt").key = key
        site.authority.methods = ("private_key_jwt",)
        await site.sign_in("--client-id", "mine", "--client-key", str(file))
        site.authority.ledger.expire_access()
        await site.sign_in("--client-id", "mine", "--client-key", str(file))
        assert (len(site.person.opened), site.authority.refreshed) == (1, 1)


async def test_a_server_without_metadata_is_reached_by_its_token_endpoint() -> None:
    async with Machines() as site:
        site.authority.metadata_paths = ()
        async with site.machine("--token-endpoint", site.authority.url("token")) as host:
            await site.begin(host)
            assert (await host.call("echo")).result
        assert site.authority.seen("metadata") == []


async def test_more_scopes_are_requested_without_a_user() -> None:
    async with Machines() as site, site.machine() as host:
        await site.begin(host)
        site.server.needs = {"tools/call:echo": "files:write"}
        assert (await host.call("echo", deadline=LOGIN)).result
        assert "files:write" in site.authority.forms(GRANT)[-1]["scope"].split()


async def test_the_token_of_a_user_is_not_used_for_the_program() -> None:
    async with InProcessSite() as site:
        site.authority.add_client("machine", SECRET["MCP_BRIDGE_CLIENT_SECRET"], "client_secret_basic")
        site.authority.methods = ("client_secret_basic",)
        await site.sign_in("--client-id", "machine", env=SECRET)
        assert site.authority.forms(GRANT) == []
        async with site.bridge(*MACHINE, env=SECRET) as host:
            await site.begin(host)
        assert len(site.authority.forms(GRANT)) == 1
        assert len(site.person.opened) == 1
