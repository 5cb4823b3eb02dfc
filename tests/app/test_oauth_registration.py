"""Dynamic registration: kept per issuer, made anew once where the server has forgotten it, and its refusals."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import HTML, Answer, html, json_body, oauth_error, plain
from tests.support.oauth.authority import Authority
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import asked

pytestmark = pytest.mark.anyio

FORGETTING = [(400, 400), (400, 401), (401, 401), (403, 403), (404, 404), (422, 422)]


@pytest.mark.parametrize("statuses", FORGETTING)
async def test_a_client_that_was_forgotten_is_registered_anew(statuses: tuple[int, int]) -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        site.authority.unknown_client_status = statuses
        site.authority.forget_clients()
        site.authority.ledger.revoke_all()
        await site.sign_in()
        assert len(site.authority.seen("register")) == 2
        page = await site.person.until_page(len(site.person.opened))
        assert page.status == 200
        assert len(site.person.opened) == 2, "the person sees no page of refusal"


@pytest.mark.parametrize("status", [400, 401])
async def test_a_refresh_that_finds_the_client_forgotten_registers_anew(status: int) -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.unknown_client_status = (400, status)
        site.authority.forget_clients()
        site.authority.ledger.expire_access()
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(site.authority.seen("register")) == 2
        assert len(site.person.opened) == 2


@pytest.mark.parametrize("status", [400, 401])
async def test_a_client_that_is_forgotten_between_consent_and_token(status: int) -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        site.authority.ledger.revoke_all()
        site.authority.once("token:authorization_code", oauth_error(status, "invalid_client", "unknown client"))
        await site.sign_in()
        assert len(site.authority.seen("register")) == 2
        assert len(site.person.opened) == 3


async def test_a_client_that_is_never_known_ends_in_an_error() -> None:
    async with InProcessSite() as site, site.bridge("--login-timeout", "1") as host:
        site.authority.always("authorize", plain(401, HTML, "text/html"))
        answer = await site.failed(host)
        assert site.authority.issuer in answer.error["message"]
        assert 1 <= len(site.authority.seen("register")) <= 2
        assert len(site.person.opened) <= 2


REFUSALS: dict[str, tuple[Answer, str]] = {
    "oauth": (oauth_error(400, "invalid_client_metadata", "We know what we want"), "We know what we want"),
    "redirect": (oauth_error(400, "invalid_redirect_uri", "no loopback here"), "no loopback here"),
    "html": (html(403), "403"),
    "empty": (plain(401), "401"),
    "not-oauth": (json_body({"message": "Client limit reached"}, 422), "Client limit reached"),
    "no-id": (json_body({"hello": "there"}, 201), "client_id"),
    "page": (html(200), "client_id"),
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_refused_registration_tells_why_and_what_to_do(kind: str) -> None:
    answer, words = REFUSALS[kind]
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.always("register", answer)
        failure = await site.failed(host)
        message = failure.error["message"]
        assert words in message
        assert site.authority.url("register") in message
        assert "--client-id" in message
        assert site.person.opened == []
        assert len(site.authority.seen("register")) <= 2


async def test_without_a_registration_endpoint_the_error_names_the_way() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.metadata_changes = {
            "registration_endpoint": None,
            "service_documentation": f"{site.authority.issuer}/apps",
        }
        message = (await site.failed(host)).error["message"]
        assert "--client-id" in message
        assert f"Register a client at {site.authority.issuer}/apps, with" in message
        assert site.person.opened == []


@pytest.mark.parametrize(
    "methods",
    [("client_secret_basic",), ("client_secret_post",), ("client_secret_post", "none"), ("none",)],
    ids=["basic", "post", "post-or-none", "none"],
)
async def test_the_method_of_authentication_comes_from_the_metadata(methods: tuple[str, ...]) -> None:
    async with InProcessSite() as site:
        site.authority.methods = methods
        await site.sign_in()
        (client,) = site.authority.ledger.clients.values()
        assert client.method in methods
        site.authority.ledger.expire_access()
        await site.sign_in()
        assert site.authority.refreshed == 1
        assert len(site.person.opened) == 1


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
async def test_the_method_that_registration_answers_counts(method: str) -> None:
    async with InProcessSite() as site:
        site.authority.methods = ("none", "client_secret_basic", "client_secret_post")
        site.authority.registered_method = method
        site.authority.metadata_changes = {"token_endpoint_auth_methods_supported": None}
        await site.sign_in()
        site.authority.ledger.expire_access()
        await site.sign_in()
        assert site.authority.refreshed == 1
        assert len(site.person.opened) == 1


async def test_a_client_is_never_used_with_another_issuer() -> None:
    async with Authority() as second, InProcessSite() as site, site.bridge() as host:
        site.others.append(second)
        await site.begin(host)
        first = site.authority
        ids, refresh_tokens = set(first.ledger.clients), {family.refresh_token for family in first.ledger.families}
        site.server.authority = second
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(second.seen("register")) == 1
        refresh_tokens |= {family.refresh_token for family in first.ledger.families}
        for request in second.requests:
            sent = request.path + request.body.decode()
            assert not any(value in sent for value in ids), "a client of another issuer"
            assert not any(str(value) in sent for value in refresh_tokens), "a token of another issuer"
        site.server.authority = first
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(first.seen("register")) == 1, "the first issuer's registration was kept"


async def test_a_redirect_uri_that_must_change_is_registered_anew() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        port = int(asked(site.person.opened[0])["redirect_uri"].split(":")[2].split("/")[0])
        site.authority.ledger.revoke_all()
        async with _holding(port):
            await site.sign_in()
        assert len(site.person.opened) == 2
        assert asked(site.person.opened[1])["redirect_uri"] != asked(site.person.opened[0])["redirect_uri"]
        assert len(site.authority.seen("register")) == 2
        assert (await site.person.until_page(2)).status == 200


async def test_an_expired_client_secret_is_not_the_end() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.methods = ("client_secret_basic",)
        await site.begin(host)
        site.authority.ledger.expire_access()
        for client in site.authority.ledger.clients.values():
            client.secret = "changed"
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(site.authority.seen("register")) == 2


@contextlib.asynccontextmanager
async def _holding(port: int) -> AsyncIterator[None]:
    """Somebody else's server on the port."""

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
