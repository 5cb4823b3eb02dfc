"""A company's provider vouches for the user: `--grant id-jag`, with an ID token that is read each time."""

import pytest

from tests.oauth.test_claims import token
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import json_body, oauth_error
from tests.support.oauth.grants import JWT_BEARER
from tests.support.oauth.site import LOGIN

pytestmark = pytest.mark.anyio

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_JAG = token(iss="https://idp.example", sub="ann", aud="https://as.example")
ANSWER = {
    "access_token": ID_JAG,
    "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
    "token_type": "N_A",
    "expires_in": 300,
}


class Company(InProcessSite):
    """A site whose authorization server is the company's provider as well."""

    def __init__(self) -> None:
        super().__init__()
        self.authority.add_client("bridge")
        self.authority.add_client("at-idp")
        self.authority.assertions = {ID_JAG}
        self.authority.always(f"token:{EXCHANGE}", json_body(ANSWER))

    def words(self, id_token: str) -> tuple[str, ...]:
        file = self.folder / "id.jwt"
        file.write_text(id_token, encoding="utf-8")
        file.chmod(0o600)
        company = ("--idp-token-endpoint", self.authority.url("token"), "--idp-client-id", "at-idp")
        return "--grant", "id-jag", "--client-id", "bridge", "--idp-id-token", f"file:{file}", *company


async def test_the_id_token_is_exchanged_and_the_result_shown_again_for_each_token() -> None:
    async with Company() as site:
        words = site.words(id_token := token(iss="https://idp.example", sub="ann", aud="at-idp"))
        async with site.bridge(*words) as host:
            await site.begin(host)
            site.authority.ledger.expire_access()
            assert (await host.call("echo", deadline=LOGIN)).result
        exchanged = site.authority.forms(EXCHANGE)
        assert [(form["subject_token"], form["client_id"]) for form in exchanged] == [(id_token, "at-idp")] * 2
        assert {(form["audience"], form["resource"]) for form in exchanged} == {
            (site.authority.issuer, site.server.url)
        }
        assert [form["assertion"] for form in site.authority.forms(JWT_BEARER)] == [ID_JAG] * 2
        assert site.person.opened == []


async def test_an_id_token_that_the_provider_refuses_is_sent_once() -> None:
    async with Company() as site:
        site.authority.always(f"token:{EXCHANGE}", oauth_error(400, "invalid_grant"))
        words = site.words(token(iss="https://idp.example", sub="ann", aud="another-client"))
        async with site.bridge(*words) as host:
            for _ in range(2):
                message = (await site.failed(host)).error["message"]
                assert "audience" in message
                assert "another-client" in message
                assert "--idp-id-token" in message
        assert len(site.authority.forms(EXCHANGE)) == 1
        assert site.authority.forms(JWT_BEARER) == []
