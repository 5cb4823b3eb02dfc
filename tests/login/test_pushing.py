"""A sign-in whose authorization request is pushed: before the tab, by whom, and what happens if that fails."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from bridge.oauth import pushed_request
from bridge.oauth.errors import ClientUnknown, SignInError, Unavailable
from tests.login.fake_auth_http import ISSUER, Answer, reply, server_document
from tests.login.signing_in import PLACE, Fields, Flow, fields, leaves

pytestmark = pytest.mark.anyio

PAR = f"{ISSUER}/par"
UNKNOWN = reply({"error": "invalid_client"}, 401)


def pushed(number: int = 1, expires_in: float = 60) -> Answer:
    return reply({"request_uri": f"urn:example:{number}", "expires_in": expires_in}, 201)


def flow_with(monkeypatch: pytest.MonkeyPatch, *answers: Answer, required: bool = False, **settings: Any) -> Flow:
    """A sign-in at a server with the endpoint. The user brings the `state` of the last request that was pushed."""
    flow = Flow(monkeypatch, **settings)
    flow.http.pages[PAR] = list(answers)
    flow.http.pages[ISSUER + PLACE] = server_document(
        pushed_authorization_request_endpoint=PAR,
        require_pushed_authorization_requests=required,
        token_endpoint_auth_methods_supported=["none", "client_secret_basic"],
    )

    def agrees(asked: Fields) -> Fields:
        return {"code": "the-code", "state": asked.get("state") or requests(flow)[-1]["state"]}

    flow.deeds = [agrees, agrees]
    return flow


def requests(flow: Flow) -> list[Fields]:
    """The requests that were pushed."""
    return [fields(content) for url, content, _ in flow.http.posted if url == PAR]


@pytest.mark.parametrize("required", [True, False])
async def test_the_browser_brings_a_reference_to_the_request_that_was_pushed(
    required: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_with(monkeypatch, pushed(), required=required, authorize_params=(("audience", "x"),))
    record = await flow.run()
    assert flow.asked() == {"client_id": "made-1", "request_uri": "urn:example:1"}
    (request,) = requests(flow)
    assert (request["client_id"], request["redirect_uri"], request["audience"]) == ("made-1", flow.uri(), "x")
    assert request["code_challenge_method"] == "S256"
    assert record.access_token == "access-1"
    assert [form["code"] for form in flow.forms()] == ["the-code"]


async def test_a_client_with_a_secret_authenticates_there_and_belongs_to_the_server_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = flow_with(monkeypatch, pushed(), client_id="mine", client_secret="s")
    await flow.run()
    (headers,) = [headers for url, _, headers in flow.http.posted if url == PAR]
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'mine:s').decode()}"
    assert flow.issuers.kept.clients == {"mine": ISSUER}


async def test_a_kept_registration_needs_no_other_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = flow_with(monkeypatch, pushed(1), pushed(2), required=True)
    await flow.run()
    await flow.run()
    assert (flow.registrations, flow.http.seen("probe")) == (1, [])
    first, second = requests(flow)
    assert first["state"] != second["state"]


async def test_a_forgotten_client_registers_again_before_a_tab(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = flow_with(monkeypatch, pushed(1), UNKNOWN, pushed(2), required=True)
    await flow.run()
    record = await flow.run()
    assert (record.client.client_id, flow.registrations, len(flow.opened)) == ("made-2", 2, 2)


@pytest.mark.parametrize(
    "failure",
    [UNKNOWN, reply(b"", 404), reply({"error": "invalid_request"}, 400), reply(b"", 503), Unavailable("It is down.")],
    ids=["unknown", "absent", "refused", "down", "silent"],
)
async def test_where_it_is_only_offered_and_fails_the_browser_brings_the_whole_request(
    failure: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_with(monkeypatch, failure)
    await flow.run()
    assert flow.asked()["response_type"] == "code"
    assert "request_uri" not in flow.asked()
    flow.deeds = []
    await flow.run()
    assert len(flow.http.seen("probe")) == 1, "whether the server still knows the client is asked as ever"


@pytest.mark.parametrize(
    ("failure", "kind"), [(UNKNOWN, ClientUnknown), (reply({"error": "invalid_request"}, 400), SignInError)]
)
async def test_where_it_is_required_a_refusal_is_the_error_and_no_tab_opens(
    failure: Answer, kind: type[SignInError], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = flow_with(monkeypatch, failure, required=True)
    with pytest.raises(kind, match=f"pushed authorization request endpoint {PAR} answered status 4"):
        await flow.run()
    assert flow.opened == []


async def test_the_registration_may_require_it_and_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = flow_with(monkeypatch, pushed(1), reply({"error": "invalid_request"}, 400))
    flow.http.pages[f"{ISSUER}/new"] = reply({"client_id": "me", "require_pushed_authorization_requests": True}, 201)
    assert (await flow.run()).client.requires_pushed_requests
    with pytest.raises(SignInError, match="invalid_request"):
        await flow.run()


async def test_a_link_is_renewed_before_it_expires_with_the_same_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed_request, "_SHORTEST_PAUSE", 0.0)
    broken = reply(b"", 503)
    flow = flow_with(monkeypatch, pushed(1, 0.05), broken, pushed(2), required=True)
    flow.deeds.insert(0, leaves)
    await flow.run()
    assert [msgspec.structs.asdict(asked)["is_renewed"] for asked in flow.asks] == [False, True]
    assert [fields(url.partition("?")[2])["request_uri"] for url in flow.opened] == ["urn:example:1", "urn:example:2"]
    assert len(requests(flow)) == 3
    assert len({tuple(request.items()) for request in requests(flow)}) == 1
