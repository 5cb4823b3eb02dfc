"""A whole sign-in by a code: nothing is listened on, and its registration is its own."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
import pytest

from bridge.login.grants import device_code
from bridge.login.grants.device_code import DeviceSignIn
from bridge.login.listener import CallbackListener
from bridge.oauth.errors import ClientUnknown, RegistrationFailed, SignInError, SignInRefused, TimedOut
from bridge.oauth.grants import DEVICE_CODE
from bridge.oauth.record import client_key, decode_client
from tests.login.fake_auth_http import ISSUER, SERVER, Answer, reply, resource_document, server_document
from tests.login.signing_in import GRANT, OWN, PLACE, Flow, leaves

pytestmark = pytest.mark.anyio

DEVICE = f"{ISSUER}/device"
NEW = f"{ISSUER}/new"
CODE = {
    "device_code": "planted-device-code",
    "user_code": "WDJB-MJHT",
    "verification_uri": f"{ISSUER}/activate",
    "expires_in": 1800,
    "interval": 1,
}
UNKNOWN = reply({"error": "invalid_client"}, 401)


class Clock:
    """A clock that advances when a task sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def never(**_: object) -> CallbackListener:
    raise AssertionError("a sign-in by a code listens on no port")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(device_code, "DeviceSignIn", partial(DeviceSignIn, clock=clock, sleep=clock.sleep))
    monkeypatch.setattr(CallbackListener, "bind", never)


def begun(monkeypatch: pytest.MonkeyPatch, *coins: Answer, **settings: Any) -> Flow:
    flow = Flow(monkeypatch, grant="device-code", **settings)
    flow.http.pages[ISSUER + PLACE] = server_document(device_authorization_endpoint=DEVICE)
    flow.http.pages[DEVICE] = reply(CODE)
    if coins:
        flow.http.pages[f"{ISSUER}/coin"] = list(coins)
    flow.deeds = [leaves] * 10
    return flow


def registered(flow: Flow) -> list[dict[str, Any]]:
    return [msgspec.json.decode(content) for url, content, _ in flow.http.posted if url == NEW]


async def test_the_tokens_are_kept_as_after_any_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch, reply({"error": "authorization_pending"}, 400), reply(GRANT))
    record = await flow.run()
    assert (record.server, record.issuer, record.resource) == (SERVER, ISSUER, SERVER)
    assert (record.access_token, record.refresh_token) == ("access-1", "refresh-1")
    assert (record.client.client_id, record.client.redirect_uri) == ("made-1", "")
    (asked,) = flow.asks
    assert (asked.url, asked.user_code, asked.redirect_uri) == (f"{ISSUER}/activate", "WDJB-MJHT", "")
    assert asked.seconds == flow.settings.login_timeout
    assert [form["grant_type"] for form in flow.forms()] == [DEVICE_CODE.value, DEVICE_CODE.value]
    assert flow.answers == 1
    assert "planted-device-code" in flow.concealed


async def test_the_client_is_registered_for_the_grant_and_without_a_redirect_uri(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = begun(monkeypatch)
    await flow.run()
    (wanted,) = registered(flow)
    assert wanted["grant_types"] == [DEVICE_CODE.value, "refresh_token"]
    assert (wanted["redirect_uris"], wanted["response_types"]) == ([], [])


@pytest.mark.parametrize("error", ["invalid_redirect_uri", "invalid_client_metadata", "invalid_request"])
async def test_a_server_that_wants_a_redirect_uri_gets_one(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch)
    flow.http.pages[NEW] = [reply({"error": error}, 400), reply({"client_id": "made"}, 201)]
    assert (await flow.run()).client.redirect_uri == ""
    wanted = registered(flow)[1]
    assert wanted["redirect_uris"] == ["http://localhost/callback"]
    assert wanted["grant_types"] == [DEVICE_CODE.value, "authorization_code", "refresh_token"]
    assert wanted["response_types"] == ["code"]


async def test_any_other_refusal_of_the_registration_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch)
    flow.http.pages[NEW] = reply({"error": "invalid_token"}, 403)
    with pytest.raises(RegistrationFailed, match="device authorization grant"):
        await flow.run()
    assert len(registered(flow)) == 1
    assert flow.asks == []


async def test_the_registration_is_kept_apart_and_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch)
    await flow.run()
    kept = await flow.store.load(client_key(ISSUER, ""))
    client = decode_client(kept or b"")
    assert client is not None
    assert client.client_id == "made-1"
    assert await flow.store.load(client_key(ISSUER, f"http://localhost:{flow.port}/callback")) is None
    await flow.run()
    assert flow.registrations == 1
    # No page is looked at beforehand: the device endpoint itself tells of a client that it does not know.
    assert flow.http.seen("probe") == []


async def test_one_that_is_not_known_any_more_is_made_anew_before_a_person_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = begun(monkeypatch)
    await flow.run()
    flow.http.pages[DEVICE] = [UNKNOWN, reply(CODE)]
    assert (await flow.run()).client.client_id == "made-2"
    assert (flow.registrations, len(flow.asks)) == (2, 2)


async def test_a_new_one_that_is_not_known_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch)
    flow.http.pages[DEVICE] = UNKNOWN
    with pytest.raises(ClientUnknown):
        await flow.run()
    assert flow.registrations == 1


async def test_a_client_of_the_users_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch, client_id="mine", client_secret="planted-secret")
    flow.http.pages[ISSUER + PLACE] = server_document(
        device_authorization_endpoint=DEVICE, token_endpoint_auth_methods_supported=["client_secret_basic"]
    )
    record = await flow.run()
    assert flow.registrations == 0
    assert (record.client.client_id, record.client.secret) == ("mine", "")


async def test_a_server_without_the_endpoint_gets_no_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch)
    flow.http.pages[ISSUER + PLACE] = server_document()
    with pytest.raises(SignInError, match="does not support --grant device-code"):
        await flow.run()
    assert flow.http.posted == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [("access_denied", SignInRefused), ("expired_token", TimedOut), ("authorization_pending", TimedOut)],
)
async def test_how_it_ends_without_tokens_is_told(
    error: str, kind: type[SignInError], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = begun(monkeypatch, reply({"error": error}, 400))
    with pytest.raises(kind):
        await flow.run()
    assert flow.kept == []


async def test_an_endpoint_that_is_away_leads_to_the_next_server(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "https://other.example"
    flow = begun(monkeypatch)
    flow.http.pages[OWN] = resource_document(other, ISSUER)
    flow.http.pages[other + PLACE] = server_document(other, device_authorization_endpoint=f"{other}/device")
    flow.http.pages[f"{other}/new"] = reply({"client_id": "there"}, 201)
    flow.http.pages[f"{other}/device"] = reply(b"", 503)
    assert (await flow.run()).issuer == ISSUER


async def test_nobody_is_asked_at_one_server_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "https://other.example"
    flow = begun(monkeypatch, reply({"error": "invalid_client"}, 401))
    flow.http.pages[OWN] = resource_document(ISSUER, other)
    with pytest.raises(SignInError):
        await flow.run()
    assert len(flow.asks) == 1


async def test_nothing_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch)
    await flow.run()
    assert "open its link and enter the code there" in flow.paste({"code": "the-code", "state": "s"})


async def test_a_redirect_login_beside_it_has_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = begun(monkeypatch)
    await flow.run()
    monkeypatch.undo()
    browser = Flow(monkeypatch, flow.http)
    browser.store = flow.store
    assert (await browser.run()).client.client_id == "made-2"
    assert registered(flow)[1]["grant_types"] == ["authorization_code", "refresh_token"]
