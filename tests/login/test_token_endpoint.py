"""Asking the token endpoint: what is sent, when it is sent again, and that every secret is concealed first."""

from urllib.parse import parse_qsl

import pytest

from bridge.login import token_endpoint
from bridge.login.token_endpoint import TokenEndpoint
from bridge.oauth.client import Client
from bridge.oauth.errors import (
    ClientUnknown,
    GrantRejected,
    SignInError,
    Silent,
    TokenEndpointUnavailable,
    Unavailable,
    Unreachable,
)
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.record import Record
from bridge.oauth.request import AuthorizationRequest
from tests.login.fake_auth_http import ISSUER, PAGE, SERVER, Answer, FakeWeb, reply

pytestmark = pytest.mark.anyio

URL = f"{ISSUER}/coin"
TOKENS = reply({"access_token": "a1", "token_type": "Bearer", "refresh_token": "r1", "id_token": "i1"})
INVALID_SCOPE = reply({"error": "invalid_scope"}, 400)
CLIENT = Client(client_id="me", kind="dynamic")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_endpoint, "_CODE_PAUSE", 0.0)


def pending(client: Client = CLIENT) -> AuthorizationRequest:
    server = AuthorizationServer(issuer=ISSUER, authorization_endpoint=f"{ISSUER}/in", token_endpoint=URL)
    return AuthorizationRequest(
        server=server, client=client, redirect_uri="http://localhost:1/cb", scope="one", resource=SERVER + "/",
        state="state", verifier="verifier",
    )  # fmt: skip


def record(scope: str | None = "one two", **changes: object) -> Record:
    made: dict[str, object] = {"asked": "one", "resource": SERVER, "refresh_token": "r0", "client": CLIENT, **changes}
    return Record(
        server=SERVER, profile="default", issuer=ISSUER, token_endpoint=URL, scope=scope, **made,  # type: ignore[arg-type]
    )  # fmt: skip


class Asking:
    """A token endpoint that answers so, in this order; the last answer stays."""

    def __init__(self, *answers: Answer) -> None:
        self.http = FakeWeb({URL: list(answers)})
        self.concealed: list[str] = []
        self.endpoint = TokenEndpoint(self.http.as_web, self.concealed.append)

    @property
    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(content.decode("ascii"), keep_blank_values=True)) for _, content, _ in self.http.posted]


async def test_a_code_is_exchanged() -> None:
    at = Asking(TOKENS)
    tokens = await at.endpoint.exchange(pending(), "code")
    assert (tokens.access_token, tokens.refresh_token) == ("a1", "r1")
    assert set(at.concealed) == {"a1", "r1", "i1"}
    assert at.forms == [
        {
            "grant_type": "authorization_code",
            "code": "code",
            "redirect_uri": "http://localhost:1/cb",
            "code_verifier": "verifier",
            "resource": SERVER + "/",
            "client_id": "me",
        }
    ]
    assert at.http.posted[0][2] == {"Content-Type": "application/x-www-form-urlencoded"}


async def test_a_client_with_a_secret_shows_it_in_the_way_it_is_registered() -> None:
    at = Asking(TOKENS)
    for method in ("client_secret_basic", "client_secret_post"):
        client = Client(client_id="me", kind="static", secret="secret", auth_method=method)
        await at.endpoint.exchange(pending(client), "code")
    basic, post = at.forms
    assert "client_secret" not in basic
    assert at.http.posted[0][2]["Authorization"] == "Basic bWU6c2VjcmV0"
    assert (post["client_id"], post["client_secret"]) == ("me", "secret")
    assert "Authorization" not in at.http.posted[1][2]


async def test_a_code_that_never_left_is_tried_again() -> None:
    at = Asking(Unreachable("No way."), Unreachable("No way."), TOKENS)
    assert (await at.endpoint.exchange(pending(), "code")).access_token == "a1"
    assert len(at.forms) == 3
    assert at.forms[0] == at.forms[2]


async def test_but_not_for_ever() -> None:
    at = Asking(Unreachable("No way."))
    with pytest.raises(TokenEndpointUnavailable, match="No way"):
        await at.endpoint.exchange(pending(), "code")
    assert len(at.forms) == 3


@pytest.mark.parametrize(
    "passing", [Unavailable("It broke."), Silent("Too late."), reply(b"", 503), PAGE, reply(b"{}")]
)
async def test_a_code_that_may_have_arrived_is_sent_once(passing: Answer) -> None:
    """RFC 6749 4.1.2: a server that sees a code twice takes back what it gave for it."""
    at = Asking(passing)
    with pytest.raises(TokenEndpointUnavailable):
        await at.endpoint.exchange(pending(), "code")
    assert len(at.forms) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply({"error": "invalid_grant"}, 400), GrantRejected),
        (reply({"error": "invalid_client"}, 401), ClientUnknown),
        (reply(b"", 401), ClientUnknown),
        (reply({"error": "invalid_target"}, 400), SignInError),
    ],
)
async def test_a_refusal_is_not_tried_again(answer: Answer, kind: type[SignInError]) -> None:
    at = Asking(answer)
    with pytest.raises(kind):
        await at.endpoint.exchange(pending(), "code")
    with pytest.raises(kind):
        await at.endpoint.refresh(record())
    assert len(at.forms) == 2


@pytest.mark.parametrize(("granted", "sent"), [("one two", "one two"), (None, "one"), ("", None)])
async def test_a_refresh_repeats_the_scopes_that_were_granted(granted: str | None, sent: str | None) -> None:
    at = Asking(TOKENS)
    await at.endpoint.refresh(record(granted))
    (form,) = at.forms
    assert form.get("scope") == sent
    assert (form["grant_type"], form["refresh_token"], form["resource"]) == ("refresh_token", "r0", SERVER)


async def test_a_program_asks_for_the_same_token_again_and_ignores_a_refresh_token() -> None:
    at = Asking(TOKENS)
    renewed = await at.endpoint.renew(record(refresh_token="", grant="client-credentials"))
    assert (renewed.access_token, renewed.refresh_token) == ("a1", "")
    (form,) = at.forms
    assert (form["grant_type"], form["scope"], form["resource"]) == ("client_credentials", "one", SERVER)
    assert "refresh_token" not in form


async def test_the_token_of_a_user_is_renewed_by_its_refresh_token() -> None:
    at = Asking(TOKENS)
    await at.endpoint.renew(record())
    assert at.forms[0]["grant_type"] == "refresh_token"


async def test_a_refresh_names_no_resource_where_none_was_asked_for() -> None:
    at = Asking(TOKENS)
    await at.endpoint.refresh(record(resource=None))
    assert "resource" not in at.forms[0]


async def test_a_refresh_whose_scopes_are_refused_is_tried_once_without_them() -> None:
    at = Asking(INVALID_SCOPE, TOKENS)
    assert (await at.endpoint.refresh(record())).access_token == "a1"
    assert [form.get("scope") for form in at.forms] == ["one two", None]


async def test_a_refresh_without_scopes_that_are_refused_is_an_error() -> None:
    for granted, asked in ((None, ""), ("one", "one")):
        at = Asking(INVALID_SCOPE)
        with pytest.raises(SignInError, match="invalid_scope"):
            await at.endpoint.refresh(record(granted, asked=asked))
        assert len(at.forms) == (2 if granted else 1)


@pytest.mark.parametrize("passing", [Unavailable("It is down."), reply(b"", 500), reply(b"", 429), PAGE])
async def test_a_refresh_that_fails_for_now_is_not_tried_at_once(passing: Answer) -> None:
    at = Asking(passing)
    with pytest.raises(TokenEndpointUnavailable):
        await at.endpoint.refresh(record())
    assert len(at.forms) == 1


async def test_no_error_holds_what_was_sent() -> None:
    secret = "planted"
    client = Client(client_id="me", kind="static", secret=secret, auth_method="client_secret_post")
    for answer in (
        Unavailable("It is down."),
        reply(b"", 500),
        reply({"error": "invalid_grant"}, 400),
        reply(b"", 401),
    ):
        at = Asking(answer)
        with pytest.raises(SignInError) as caught:
            await at.endpoint.refresh(record(refresh_token=secret, client=client))
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value)
