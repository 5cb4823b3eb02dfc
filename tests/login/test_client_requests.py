"""Requests of a client: which way is tried, which answer counts, and what the reference package's server takes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, unquote_plus

import httpx
import pytest
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from bridge.login.account import REVOKED, revoke
from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.login.client_requests import ClientRequests
from bridge.login.token_endpoint import TokenEndpoint
from bridge.oauth.client import Client
from bridge.oauth.errors import ClientUnknown, Silent, TokenEndpointUnavailable
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.record import Record
from bridge.oauth.request import AuthorizationRequest
from tests.login.fake_auth_http import ISSUER, SERVER, FakeWeb, reply
from tests.support.oauth.reference_authority import Authority

pytestmark = pytest.mark.anyio

URL = f"{ISSUER}/token"
REVOKE = f"{ISSUER}/revoke"
SECRET = "a/b+c:d%2B e"
TOKENS = reply({"access_token": "a1", "token_type": "Bearer", "refresh_token": "r1"})

Judge = Callable[[dict[str, str], tuple[str, str] | None], AuthResponse]


def refused(error: str, words: str = "", status: int = 401) -> AuthResponse:
    return reply({"error": error, "error_description": words}, status)


def shown(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The id and secret in the header, as they are there."""
    if "Authorization" not in headers:
        return None
    name, _, secret = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
    return name, secret


class Judged(FakeWeb):
    """A web whose answers depend on the form and on what the header shows."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self._judge = judge
        self.forms: list[dict[str, str]] = []

    async def post(self, url: str, what: str, content: bytes, headers: Mapping[str, str]) -> AuthResponse:
        form = dict(parse_qsl(content.decode("ascii"), keep_blank_values=True))
        self.forms.append(form)
        return self._judge(form, shown(headers))


def cloudflare(form: dict[str, str], basic: tuple[str, str] | None) -> AuthResponse:
    """workers-oauth-provider 1.2.3."""
    if basic and {"client_id", "client_secret"} & form.keys():
        return refused("invalid_request", "Client must not use multiple authentication methods", 400)
    decoded = tuple(map(unquote_plus, basic)) if basic else (form.get("client_id"), form.get("client_secret"))
    return TOKENS if decoded == ("me", SECRET) else refused("invalid_client", "Client authentication failed")


def undecoding(form: dict[str, str], basic: tuple[str, str] | None) -> AuthResponse:
    """A server that takes nothing but Basic, and decodes nothing."""
    return TOKENS if basic == ("me", SECRET) else refused("invalid_client", "Incorrect client_secret")


def by_post(form: dict[str, str], basic: tuple[str, str] | None) -> AuthResponse:
    """A server that takes nothing but `client_secret_post`."""
    taken = (form.get("client_id"), form.get("client_secret")) == ("me", SECRET) and not basic
    return TOKENS if taken else refused("invalid_client")


def confidential(method: str = "client_secret_basic", **changes: Any) -> Client:
    return Client(**{"client_id": "me", "kind": "static", "secret": SECRET, "auth_method": method, **changes})


def pending(client: Client, issuer: str = ISSUER, redirect_uri: str = "http://localhost:1/cb") -> AuthorizationRequest:
    server = AuthorizationServer(
        issuer=issuer, authorization_endpoint=f"{issuer}/authorize", token_endpoint=f"{issuer}/token"
    )
    return AuthorizationRequest(
        server=server, client=client, redirect_uri=redirect_uri, scope="", resource=None, state="state", verifier="v"
    )


def record(client: Client, **changes: Any) -> Record:
    made: dict[str, Any] = {"token_endpoint": URL, "revocation_endpoint": REVOKE, "refresh_token": "r0", **changes}
    return Record(server=SERVER, profile="default", resource=None, issuer=ISSUER, client=client, **made)


@pytest.mark.parametrize(
    ("judge", "way", "requests"),
    [(cloudflare, "", 1), (by_post, "client_secret_post", 2), (undecoding, "client_secret_basic-raw", 3)],
)
async def test_the_way_that_a_server_takes_is_found_and_kept(judge: Judge, way: str, requests: int) -> None:
    http = Judged(judge)
    client = confidential()
    tokens = await TokenEndpoint(http.as_web, lambda _: None).exchange(pending(client), "code")
    assert (tokens.access_token, tokens.way, len(http.forms)) == ("a1", way, requests)
    assert {form["code"] for form in http.forms} == {"code"}
    # The next start has the record, and asks once.
    kept = record(client).with_tokens(tokens, 1.0)
    assert kept.client.way == way
    again = Judged(judge)
    renewed = await TokenEndpoint(again.as_web, lambda _: None).refresh(kept)
    assert (renewed.way, len(again.forms)) == (way, 1)
    assert kept.with_tokens(renewed, 2.0).client.way == way


async def test_a_way_that_a_server_no_longer_takes_is_given_up() -> None:
    http = Judged(cloudflare)
    kept = record(confidential(way="client_secret_basic+client_id"))
    tokens = await TokenEndpoint(http.as_web, lambda _: None).refresh(kept)
    assert (tokens.way, len(http.forms)) == ("", 2)
    assert kept.with_tokens(tokens, 1.0).client.way == ""


async def test_a_way_is_found_once_for_all_requests_of_a_sign_in() -> None:
    http = Judged(by_post)
    requests = ClientRequests(http.as_web)
    for _ in range(3):
        assert (await requests.post(URL, "token endpoint", confidential(), {})).way == "client_secret_post"
    assert len(http.forms) == 4
    await requests.post("https://other.example/token", "token endpoint", confidential(), {})
    assert len(http.forms) == 6, "another server is another matter"


async def test_a_wrong_secret_is_told_by_the_first_refusal_and_soon() -> None:
    said = iter(["Wrong secret", "This client uses client_secret_basic"])
    http = Judged(lambda form, basic: refused("invalid_client", next(said)))
    with pytest.raises(ClientUnknown, match="Wrong secret"):
        await TokenEndpoint(http.as_web, lambda _: None).exchange(pending(confidential(secret="s")), "code")
    assert len(http.forms) == 2


async def test_after_words_that_say_what_was_missing_the_next_refusal_counts() -> None:
    def judge(form: dict[str, str], basic: tuple[str, str] | None) -> AuthResponse:
        words = "Wrong secret" if "client_id" in form else "Missing client_id"
        return refused("invalid_client", words)

    with pytest.raises(ClientUnknown, match="Wrong secret"):
        await TokenEndpoint(Judged(judge).as_web, lambda _: None).exchange(pending(confidential()), "code")


@pytest.mark.parametrize("answer", [refused("invalid_grant", "Missing client_id", 400), reply(b"", 503)])
async def test_what_may_have_spent_the_code_is_never_followed_by_another_try(answer: AuthResponse) -> None:
    http = Judged(lambda form, basic: answer)
    reply = (await ClientRequests(http.as_web).post(URL, "token endpoint", confidential(), {"code": "c"})).reply
    assert (reply, len(http.forms)) == (answer, 1)


async def test_silence_after_a_refusal_is_not_taken_for_a_refusal() -> None:
    http = FakeWeb({URL: [refused("invalid_client"), Silent("Too late.")]})
    with pytest.raises(TokenEndpointUnavailable, match="Too late"):
        await TokenEndpoint(http.as_web, lambda _: None).exchange(pending(confidential()), "code")
    assert len(http.posted) == 2


# -- the reference package's authorization server


class Reference:
    """The `mcp` package's own authorization server, without a socket."""

    issuer = "http://localhost:9"

    def __init__(self) -> None:
        self.authority = Authority(3600)
        issuer = AnyHttpUrl(self.issuer)
        on = ClientRegistrationOptions(enabled=True)
        routes = create_auth_routes(self.authority, issuer, None, on, RevocationOptions(enabled=True))
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)), base_url=self.issuer)
        self.statuses: list[int] = []

    @property
    def as_web(self) -> AuthHttpClient:
        return cast("AuthHttpClient", self)

    async def post(self, url: str, what: str, content: bytes, headers: Mapping[str, str]) -> AuthResponse:
        answer = await self._http.post(url, content=content, headers=dict(headers))
        self.statuses.append(answer.status_code)
        return AuthResponse(url, answer.status_code, answer.headers.get("content-type", ""), answer.content)

    async def sign_in(self, method: str, client: Client) -> Record:
        """The record of a sign-in of a client that is registered with this method."""
        uri = "http://localhost:1/cb"
        await self.authority.register_client(
            OAuthClientInformationFull.model_validate(
                {
                    "client_id": client.client_id,
                    "client_secret": client.secret or None,
                    "redirect_uris": [uri],
                    "token_endpoint_auth_method": method,
                }
            )
        )
        asked = pending(client, self.issuer, uri)
        challenge = "TJRIXgwhrmxBzh3-e2v6zupato5AokdvUCCOUm9QYIA"  # of the verifier "v"
        went = await self._http.get(
            "/authorize",
            params={
                "client_id": client.client_id,
                "redirect_uri": uri,
                "response_type": "code",
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
        )
        code = dict(parse_qsl(httpx.URL(went.headers["location"]).query.decode()))["code"]
        tokens = await TokenEndpoint(self.as_web, lambda _: None).exchange(asked, code)
        own = {"token_endpoint": f"{self.issuer}/token", "revocation_endpoint": f"{self.issuer}/revoke"}
        return record(client, **own).with_tokens(tokens, 1.0)


@pytest.mark.parametrize(
    ("method", "begins_with", "way", "statuses"),
    [
        ("client_secret_basic", "client_secret_basic", "client_secret_basic+client_id", [401, 200]),
        ("client_secret_post", "client_secret_basic", "client_secret_post", [401, 401, 200]),
        ("client_secret_post", "client_secret_post", "", [200]),
    ],
)
async def test_the_reference_server_takes_any_client_with_a_secret(
    method: str, begins_with: str, way: str, statuses: list[int]
) -> None:
    reference = Reference()
    signed_in = await reference.sign_in(method, confidential(begins_with))
    assert (signed_in.client.way, reference.statuses) == (way, statuses)
    renewed = await TokenEndpoint(reference.as_web, lambda _: None).refresh(signed_in)
    assert reference.statuses == [*statuses, 200], "the way is known"
    assert await revoke(reference.as_web, signed_in.with_tokens(renewed, 2.0), lambda _: None) == REVOKED
    assert reference.authority.told[-1] == "revoked"


async def test_the_reference_server_revokes_the_tokens_of_a_public_client() -> None:
    reference = Reference()
    signed_in = await reference.sign_in("none", Client(client_id="me", kind="dynamic"))
    reference.statuses.clear()
    assert await revoke(reference.as_web, signed_in, lambda _: None) == REVOKED
    assert reference.statuses == [400, 200, 200], "the first is 'client_secret: Field required'"
    assert reference.authority.told[-1] == "revoked"
