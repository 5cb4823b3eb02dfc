"""Signing in by a code, with a web on paper and a clock that a test moves."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import pytest

from bridge.login.grants.device_code import DeviceSignIn
from bridge.login.prompt import PromptShown
from bridge.oauth.client import Client
from bridge.oauth.errors import ClientUnknown, MetadataError, SignInError, SignInRefused, TimedOut, Unreachable
from bridge.oauth.grants import DEVICE_CODE
from bridge.oauth.grants.device_code import DeviceRequest
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.metadata import AuthorizationServer
from tests.login.fake_auth_http import ISSUER, SERVER, Answer, FakeWeb, reply
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

DEVICE = f"{ISSUER}/device"
COIN = f"{ISSUER}/coin"
PAGE = f"{ISSUER}/activate"
CODE = {
    "device_code": "planted-device-code",
    "user_code": "WDJB-MJHT",
    "verification_uri": PAGE,
    "verification_uri_complete": f"{PAGE}?user_code=WDJB-MJHT",
    "expires_in": 120,
    "interval": 5,
}
TOKENS = reply({"access_token": "planted-access", "token_type": "Bearer", "refresh_token": "planted-refresh"})
SECRETS = ["planted-device-code", "planted-access", "planted-refresh"]


def says(error: str, status: int = 400) -> Answer:
    return reply({"error": error}, status)


class Somebody:
    """Sees what is asked, and whether an answer was noticed."""

    def __init__(self) -> None:
        self.saw: list[PromptShown] = []
        self.answers = 0

    async def ask(self, asked: PromptShown) -> None:
        self.saw.append(asked)

    def answered(self) -> None:
        self.answers += 1


class Flow:
    """One sign-in by a code. `answers` are the token endpoint's, the last one stays."""

    def __init__(self, *answers: Answer, code: Answer | None = None, **client: Any) -> None:
        self.http = FakeWeb({DEVICE: code or reply(CODE), COIN: list(answers)})
        self.person = Somebody()
        self.concealed: list[str] = []
        self.now = 0.0
        self.asked_at: list[float] = []
        self.client = Client(**{"client_id": "me", "kind": "dynamic", **client})
        self.endpoint: str | None = DEVICE
        self.flow = DeviceSignIn(
            self.http.as_web, self.person, self.concealed.append, clock=lambda: self.now, sleep=self._sleep
        )

    async def run(self, seconds: float = 300.0) -> Tokens:
        server = AuthorizationServer(
            issuer=ISSUER,
            authorization_endpoint=f"{ISSUER}/in",
            token_endpoint=COIN,
            device_authorization_endpoint=self.endpoint,
        )
        request = DeviceRequest(server=server, client=self.client, scope="one two", resource=SERVER)
        async with asyncio.timeout(stretched(10)):
            return await self.flow.run(request, seconds)

    def forms(self, url: str) -> list[dict[str, str]]:
        return [dict(parse_qsl(content.decode())) for asked, content, _ in self.http.posted if asked == url]

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds
        self.asked_at.append(self.now)


async def test_the_person_is_shown_the_page_and_the_code_and_the_tokens_come() -> None:
    flow = Flow(says("authorization_pending"), says("authorization_pending"), TOKENS)
    tokens = await flow.run()
    assert tokens.access_token == "planted-access"
    assert flow.asked_at == [5.0, 10.0, 15.0]
    (asked,) = flow.person.saw
    assert asked == PromptShown(f"{PAGE}?user_code=WDJB-MJHT", 120.0, "WDJB-MJHT", "")
    assert flow.person.answers == 1
    assert flow.concealed == SECRETS
    assert flow.forms(DEVICE) == [{"client_id": "me", "scope": "one two", "resource": SERVER}]
    token_form = {"grant_type": DEVICE_CODE.value, "device_code": "planted-device-code", "resource": SERVER}
    assert flow.forms(COIN) == [token_form | {"client_id": "me"}] * 3


async def test_a_page_on_another_site_is_warned_of_before_the_code_is_typed_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    there = "https://honest.example/activate"
    flow = Flow(TOKENS, code=reply(CODE | {"verification_uri": there, "verification_uri_complete": f"{there}?c=1"}))
    await flow.run()
    (asked,) = flow.person.saw
    (warning,) = asked.warnings
    assert "sign in at honest.example, but the access that you grant there goes to" in warning
    assert warning in caplog.text


async def test_a_client_with_a_secret_shows_it_both_times() -> None:
    flow = Flow(TOKENS, secret="planted-secret", auth_method="client_secret_basic")
    await flow.run()
    assert [headers["Authorization"].partition(" ")[0] for _, _, headers in flow.http.posted] == ["Basic", "Basic"]


async def test_slow_down_is_obeyed() -> None:
    flow = Flow(says("slow_down"), says("authorization_pending"), TOKENS)
    await flow.run()
    assert flow.asked_at == [5.0, 15.0, 25.0]


async def test_a_token_endpoint_that_is_away_for_a_while_costs_nothing() -> None:
    flow = Flow(Unreachable("It is down."), reply(b"", 502, "text/html"), says("authorization_pending"), TOKENS)
    await flow.run()
    assert flow.asked_at == [5.0, 15.0, 35.0, 40.0]


async def test_a_refusal_is_told() -> None:
    flow = Flow(says("authorization_pending"), says("access_denied"))
    with pytest.raises(SignInRefused):
        await flow.run()
    assert flow.person.answers == 0


async def test_a_code_that_ended_at_the_server_is_told() -> None:
    with pytest.raises(TimedOut):
        await Flow(says("expired_token")).run()


@pytest.mark.parametrize(("seconds", "end"), [(300.0, 120.0), (33.0, 33.0), (2.0, 2.0)], ids=["code", "login", "short"])
async def test_it_ends_when_there_is_no_time_left(seconds: float, end: float) -> None:
    flow = Flow(says("authorization_pending"))
    with pytest.raises(TimedOut):
        await flow.run(seconds)
    assert flow.now == end
    assert all(at <= end for at in flow.asked_at)


async def test_a_server_without_the_endpoint_is_asked_nothing() -> None:
    flow = Flow(TOKENS)
    flow.endpoint = None
    with pytest.raises(SignInError, match="--grant device-code"):
        await flow.run()
    assert flow.http.asked == []


async def test_a_client_that_is_not_known_is_told_before_a_person_is_asked() -> None:
    flow = Flow(TOKENS, code=says("invalid_client", 401))
    with pytest.raises(ClientUnknown):
        await flow.run()
    assert flow.person.saw == []
    assert not flow.flow.has_asked


async def test_a_page_on_a_private_address_is_shown_to_nobody() -> None:
    flow = Flow(TOKENS)
    flow.http.unwanted[f"{PAGE}?user_code=WDJB-MJHT"] = MetadataError("It leads to 10.0.0.1.")
    with pytest.raises(MetadataError):
        await flow.run()
    assert flow.person.saw == []
    # Not even a refusal shows the code.
    assert flow.concealed == ["planted-device-code"]


async def test_a_page_that_no_browser_is_given_is_shown_to_nobody() -> None:
    flow = Flow(TOKENS, code=reply(CODE | {"verification_uri_complete": "https://as.example/%|"}))
    await flow.run()
    (asked,) = flow.person.saw
    assert asked.url == PAGE
