"""One sign-in from the challenge to the record: the requests, the answers that are believed, and what the user sees."""

import asyncio
import contextlib
import logging
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from bridge.login.prompt import PromptShown
from bridge.oauth.client import Client
from bridge.oauth.errors import GrantRejected, SignInError, SignInRefused, TimedOut, Unavailable
from bridge.oauth.other_credential import other_credential
from bridge.oauth.record import Record
from bridge.store.errors import StoreError
from tests.login.fake_auth_http import ISSUER, NOT_FOUND, SERVER, FakeWeb, reply, resource_document, server_document
from tests.login.signing_in import GRANT, OWN, PLACE, Deed, Flow, agrees, leaves, refuses, site
from tests.login.token_endpoint_answers import ask, head, until

pytestmark = pytest.mark.anyio


def previous(**changes: Any) -> Record:
    made: dict[str, Any] = {
        "server": SERVER,
        "profile": "default",
        "resource": SERVER,
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/coin",
        "client": Client(client_id="made-1", kind="dynamic"),
        "asked": "old older",
        "generation": 7,
    }
    return Record(**{**made, **changes})


async def test_all_goes_well(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    record = await flow.run()
    asked = flow.asked()
    uri = flow.uri()
    (shown,) = flow.asks
    assert shown.url.startswith(f"{ISSUER}/in?")
    assert (shown.seconds, shown.user_code, shown.redirect_uri) == (flow.settings.login_timeout, "", uri)
    assert flow.answers == 1
    assert {name: asked[name] for name in asked.keys() - {"state", "code_challenge"}} == {
        "response_type": "code",
        "client_id": "made-1",
        "redirect_uri": uri,
        "code_challenge_method": "S256",
        "resource": SERVER,
    }
    (form,) = flow.forms()
    assert (form["code"], form["redirect_uri"], form["resource"]) == ("the-code", uri, SERVER)
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", form["code_verifier"])
    assert (record.issuer, record.token_endpoint, record.resource) == (ISSUER, f"{ISSUER}/coin", SERVER)
    assert (record.access_token, record.refresh_token, record.generation) == ("access-1", "refresh-1", 1)
    assert record.expires_at is not None
    assert record.expires_at - record.issued_at == 3600
    assert re.fullmatch(r"[0-9a-f]{32}", record.sign_in), "each sign-in has a name of its own"
    (page,) = flow.pages
    assert page.status == 200
    assert "mcp.example" in page.text
    assert "The Host" in page.text


@pytest.mark.parametrize("deed", [agrees, refuses("access_denied")], ids=["agrees", "refuses"])
async def test_a_server_that_calls_itself_another_is_named_by_its_host_first(
    deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[OWN] = resource_document(resource_name="GitHub (github.com)")
    flow.deeds = [deed]
    with contextlib.suppress(SignInRefused):
        await flow.run()
    (page,) = flow.pages
    title = "Signed in to mcp.example" if deed is agrees else "Not signed in to mcp.example"
    assert f"<title>{title}</title>" in page.text
    assert "<b><bdi>mcp.example</bdi></b>, which calls itself <bdi>&quot;GitHub (github.com)&quot;</bdi>" in page.text


async def test_every_secret_is_concealed_before_it_is_used_and_none_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    flow = Flow(monkeypatch)
    flow.http.pages[f"{ISSUER}/new"] = reply({"client_id": "me", "client_secret": "client-secret"}, 201)
    await flow.run()
    secrets = {"the-code", "access-1", "refresh-1", "client-secret", flow.asked()["state"]}
    secrets.add(flow.forms()[0]["code_verifier"])
    assert secrets <= set(flow.concealed)
    assert caplog.text
    for secret in secrets:
        assert secret not in caplog.text


async def test_state_and_verifier_are_new_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    for _ in range(2):
        await flow.run()
    first, second = flow.asked(0), flow.asked(1)
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]
    assert first["redirect_uri"] == second["redirect_uri"]


async def test_a_short_address_leads_to_the_sign_in_page_while_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = Flow(monkeypatch)
    led: list[str] = []

    async def ask_shortly(asked: PromptShown) -> None:
        assert flow.flow is not None
        address = urlsplit(flow.flow.short_address(asked.url))
        assert address.port == flow.port
        answer = await ask(flow.port, head(address.path, flow.port, host=address.netloc))
        led.append(answer.headers["location"])
        await by_hand(asked)

    by_hand = flow.ask
    monkeypatch.setattr(flow, "ask", ask_shortly)
    await flow.run()
    assert led == flow.opened
    assert flow.flow is not None
    assert flow.flow.short_address("https://a.example/") == "https://a.example/", "nothing listens any more"


# -- what comes back


async def test_another_issuer_in_the_answer_is_refused_and_its_code_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.deeds = [lambda asked: {**agrees(asked), "iss": "https://hostile.example"}]
    with pytest.raises(SignInError) as caught:
        await flow.run()
    assert "https://hostile.example" in caught.value.message
    assert ISSUER in caught.value.message
    assert flow.forms() == []
    assert flow.kept == []
    assert flow.pages[0].status == 400


async def test_no_issuer_where_one_was_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[ISSUER + PLACE] = server_document(authorization_response_iss_parameter_supported=True)
    with pytest.raises(SignInError, match="no issuer"):
        await flow.run()
    flow.deeds = [lambda asked: {**agrees(asked), "iss": ISSUER}]
    assert (await flow.run()).access_token == "access-1"


@pytest.mark.parametrize(
    ("error", "description", "hint"),
    [
        ("access_denied", "You said <b>no</b>", "Try again"),
        ("invalid_scope", "", "--scope"),
        ("invalid_request", "AADSTS9010010: no resource", "--resource none"),
    ],
)
async def test_a_refusal_is_told_in_the_server_s_words(
    error: str, description: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch)
    flow.deeds = [refuses(error, description)]
    with pytest.raises(SignInRefused) as caught:
        await flow.run()
    for words in (error, description, ISSUER):
        assert words in caught.value.message
    assert hint in caught.value.hint
    assert (flow.pages[0].status, flow.forms(), len(flow.opened)) == (400, [], 1)
    assert error in flow.pages[0].text
    assert "<b>no" not in flow.pages[0].text


async def test_whatever_else_arrives_is_refused_and_the_wait_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.deeds = [lambda asked: {"code": "stolen", "state": "wrong"}]
    running = asyncio.create_task(flow.run())
    await until(lambda: len(flow.pages) == 1)
    assert flow.pages[0].status == 400
    await flow.visit({"error": "access_denied"})
    assert not running.done()
    await flow.visit(agrees(flow.asked()))
    assert (await running).access_token == "access-1"
    assert [form["code"] for form in flow.forms()] == ["the-code"]


async def test_nobody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, login_timeout=0.05)
    flow.deeds = [leaves]
    with pytest.raises(TimedOut) as caught:
        await flow.run()
    assert flow.answers == 0
    assert "0.05 seconds" in caught.value.message
    assert f"http://localhost:{flow.port}/callback" in caught.value.hint
    with socket.create_server(("127.0.0.1", flow.port)):
        pass  # The port is free again.


async def test_an_answer_is_taken_while_the_opener_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.opener_gate = asyncio.Event()
    assert (await flow.run()).access_token == "access-1"


async def test_a_code_that_is_refused_is_told_to_both(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[f"{ISSUER}/coin"] = reply({"error": "invalid_grant", "error_description": "Too late"}, 400)
    with pytest.raises(GrantRejected, match="Too late"):
        await flow.run()
    assert "Too late" in flow.pages[0].text
    assert flow.pages[0].status == 400
    assert flow.http.forgot > 0


async def test_what_cannot_be_kept_is_told_to_both(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.keep_problem = StoreError("The disk is full.")
    with pytest.raises(StoreError):
        await flow.run()
    assert flow.pages[0].status == 400
    assert "The disk is full." in flow.pages[0].text


async def test_an_id_token_that_is_wanted_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, use_id_token=True)
    with pytest.raises(SignInError, match="no ID token"):
        await flow.run()
    assert flow.kept == []
    flow.http.pages[f"{ISSUER}/coin"] = reply({**GRANT, "id_token": "identity"})
    assert (await flow.run()).id_token == "identity"


@pytest.mark.parametrize(
    ("change", "words"), [({"refresh_token": ""}, "no refresh token"), ({"scope": "orgs:write"}, "orgs:write")]
)
async def test_what_is_odd_about_the_tokens_is_said_at_once(
    change: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow(monkeypatch, scope="org:write")
    flow.http.pages[f"{ISSUER}/coin"] = reply({**GRANT, **change})
    await flow.run()
    assert words in caplog.text


async def test_one_that_is_cancelled_frees_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.deeds = [leaves]
    running = asyncio.create_task(flow.run())
    await until(lambda: len(flow.opened) == 1)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    with socket.create_server(("127.0.0.1", flow.port)):
        pass


async def test_a_port_of_the_users_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flow = Flow(monkeypatch, callback_port=taken.getsockname()[1])
        with pytest.raises(SignInError, match="taken"):
            await flow.run()
    assert (flow.opened, flow.registrations) == ([], 0)


# -- scopes and resource


async def test_scopes_that_were_granted_before_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    record = await flow.run(previous=previous(), challenged=("new", "old"), widens=True)
    assert flow.asked()["scope"].split() == ["old", "older", "new"]
    assert (record.asked, record.generation) == ("old older new", 8)


async def test_but_not_those_of_another_authorization_server(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    await flow.run(previous=previous(issuer="https://other.example"), challenged=("new",))
    assert flow.asked()["scope"] == "new"


async def test_pinned_scopes_stay_unless_more_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, scope="pinned")
    await flow.run(previous=previous(asked="pinned"), challenged=("new",))
    assert flow.asked()["scope"] == "pinned"
    await flow.run(previous=previous(asked="pinned"), challenged=("new",), widens=True)
    assert flow.asked()["scope"] == "pinned new"


async def test_more_scopes_that_are_refused_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.deeds = [refuses("access_denied", "Not this time")]
    with pytest.raises(SignInError, match=r"Not this time.*new newer"):
        await flow.run(previous=previous(), challenged=("new", "newer"), widens=True)


async def test_a_host_name_with_other_letters_is_told_to_others_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "https://xn--bcher-kva.example/v1/mcp"
    pages = site()
    pages["https://xn--bcher-kva.example/.well-known/oauth-protected-resource/v1/mcp"] = resource_document(resource=uri)
    flow = Flow(monkeypatch, FakeWeb(pages))
    flow.server = "https://bücher.example/v1/mcp"
    record = await flow.run()
    assert flow.asked()["resource"] == uri
    assert (record.resource, record.server) == (uri, flow.server)


@pytest.mark.parametrize(
    ("option", "named", "sent"),
    [
        (None, "https://mcp.example/v1/", "https://mcp.example/v1/"),
        (None, "https://mcp.example", "https://mcp.example"),
        (None, None, SERVER),
        ("none", "https://mcp.example", None),
        ("https://api.example", "https://mcp.example", "https://api.example"),
    ],
)
async def test_the_resource_is_sent_as_it_was_named(
    option: str | None, named: str | None, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch, resource=option)
    if named is None:
        flow.http = FakeWeb(site("https://mcp.example") | {OWN: NOT_FOUND})
    else:
        flow.http.pages[OWN] = resource_document(resource=named)
    record = await flow.run()
    assert flow.asked().get("resource") == flow.forms()[0].get("resource") == record.resource == sent


# -- several authorization servers


def two() -> FakeWeb:
    """A server that names two."""
    return FakeWeb(site("https://b.example") | site("https://a.example") | {OWN: resource_document(*TWO)})


TWO = ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    "broken",
    [
        {TWO[0] + PLACE: NOT_FOUND},
        {TWO[0] + PLACE: reply(b"", 503)},
        {TWO[0] + PLACE: server_document(TWO[0], code_challenge_methods_supported=["plain"])},
        {TWO[0] + PLACE: server_document(TWO[0], registration_endpoint=None)},
        {TWO[0] + "/new": reply({"error": "invalid_client_metadata"}, 400)},
    ],
)
async def test_the_next_is_tried_where_the_first_cannot_serve(
    broken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    http = two()
    http.pages |= broken
    flow = Flow(monkeypatch, http)
    assert (await flow.run()).issuer == TWO[1]
    assert len(flow.opened) == 1


async def test_where_none_can_serve_the_first_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    http = two()
    http.pages |= {TWO[0] + "/new": reply({"error": "no_more"}, 403), TWO[1] + PLACE: NOT_FOUND}
    flow = Flow(monkeypatch, http)
    with pytest.raises(SignInError, match="no_more"):
        await flow.run()
    assert flow.opened == []


async def test_nobody_is_asked_at_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.login.token_endpoint._CODE_PAUSE", 0.0)
    http = two()
    http.pages[TWO[0] + "/coin"] = reply(b"", 503)
    flow = Flow(monkeypatch, http)
    with pytest.raises(SignInError) as caught:
        await flow.run()
    assert not isinstance(caught.value, Unavailable), "what may pass is tried again, each time with a tab"
    assert len(flow.opened) == 1


async def test_nothing_of_oauth_at_all_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, FakeWeb())
    with pytest.raises(SignInError) as caught:
        await flow.run()
    assert "requires a token but does not say where to get one" in caught.value.message
    assert "--header" in caught.value.hint
    assert flow.opened == []


async def test_a_server_that_wants_a_key_is_told_from_one_that_wants_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, FakeWeb())
    wants = other_credential((), "missing X-API-Key")
    with pytest.raises(SignInError) as caught:
        await flow.run(wants=wants, said="missing X-API-Key")
    assert f"{SERVER} wants an API key in the header X-API-Key, not a sign-in" in caught.value.message
    assert "--header 'X-API-Key: keyring:example-key'" in caught.value.hint
    flow = Flow(monkeypatch)
    await flow.run(wants=wants)  # There is a sign-in after all.


@pytest.mark.parametrize(
    ("asked", "says", "to_do"),
    [
        (
            {"status": 200, "is_open": True},
            f"{SERVER} does not require a sign-in: it answered a request without a token",
            "without signing in",
        ),
        ({"status": 400, "is_open": True}, "(server/discover) with 400 Bad Request.", "without signing in"),
        ({"status": 200}, "with 200 OK, but its answer is not MCP.", "Check that the URL"),
        ({"status": 404}, "with 404 Not Found instead of 401, and names no authorization server.", "Check the URL"),
        ({"status": 500}, "so it is not known whether it requires a sign-in.", "try again later"),
    ],
)
async def test_a_server_that_never_asked_for_a_token_is_not_said_to_want_one(
    asked: dict[str, Any], says: str, to_do: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = FakeWeb()
    flow = Flow(monkeypatch, http)
    with pytest.raises(SignInError) as caught:
        await flow.run(**asked)
    assert says in caught.value.message
    assert "requires a token" not in caught.value.message
    assert to_do in caught.value.hint
    assert http.posted == []
