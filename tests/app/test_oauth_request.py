"""What people may change of the requests: the resource, extra parameters, the ID token."""

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import refuse
from tests.support.oauth.grants import ENTRA
from tests.support.oauth.user import asked
from tests.support.servers.fault_http import Exchange

pytestmark = pytest.mark.anyio


async def test_no_resource_where_none_is_wanted() -> None:
    async with InProcessSite() as site, site.bridge("--resource", "none") as host:
        await site.begin(host)
        site.authority.ledger.expire_access()
        assert (await host.call("echo")).result
        assert "resource" not in asked(site.person.opened[0])
        for grant in ("authorization_code", "refresh_token"):
            (form,) = site.authority.forms(grant)
            assert "resource" not in form


async def test_tokens_of_one_resource_are_not_used_for_another() -> None:
    async with InProcessSite() as site:
        await site.sign_in("--resource", "https://one.example/")
        await site.sign_in("--resource", "https://two.example/")
        assert len(site.person.opened) == 2
        await site.sign_in("--resource", "https://one.example/")
        assert len(site.person.opened) == 2


async def test_extra_parameters_go_along() -> None:
    parameters = ("--authorize-param", "prompt=select_account", "--authorize-param", "access_type=off line&x=1")
    async with InProcessSite() as site:
        await site.sign_in(*parameters)
        seen = asked(site.person.opened[0])
        assert seen["prompt"] == "select_account"
        assert seen["access_type"] == "off line&x=1"
        assert "prompt" not in site.authority.forms("authorization_code")[0]


@pytest.mark.parametrize("place", ["authorize", "token"])
async def test_an_authority_that_refuses_the_resource_leads_to_the_option(place: str) -> None:
    async with InProcessSite() as site:
        if place == "authorize":
            site.authority.refuses_resource = True
        else:
            site.authority.once("token", _entra)
        async with site.bridge() as host:
            answer = await site.failed(host)
            assert "--resource none" in answer.error["message"]
            assert "AADSTS9010010" in answer.error["message"]
        site.authority.refuses_resource = True
        await site.sign_in("--resource", "none")


async def test_the_id_token_is_shown_where_that_is_wanted() -> None:
    async with InProcessSite() as site, site.bridge("--use-id-token") as host:
        site.authority.gives_id_token = True
        site.server.wants = "id_token"
        await site.begin(host)
        assert (await host.call("echo")).result
        assert set(site.server.tokens()[1:]) <= set(site.authority.ledger.identities)
        assert len(site.person.opened) == 1


async def test_the_id_token_is_not_shown_otherwise() -> None:
    async with InProcessSite() as site:
        site.authority.gives_id_token = True
        await site.sign_in()
        assert not set(site.server.tokens()) & set(site.authority.ledger.identities)


async def test_an_id_token_that_is_wanted_and_missing_is_an_error() -> None:
    async with InProcessSite() as site, site.bridge("--use-id-token") as host:
        answer = await site.failed(host)
        assert "ID token" in answer.error["message"]


async def _entra(exchange: Exchange) -> None:
    await refuse(exchange, 400, "invalid_target", ENTRA)
