"""The client in a sign-in: a registration is stored, tried first, and replaced once if the server forgot it."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import pytest

from bridge.oauth.client import Client
from bridge.oauth.errors import ClientUnknown, MetadataError, RegistrationFailed, SignInError, Unavailable
from bridge.oauth.record import Record, client_key, encode_client
from bridge.store.errors import StoreError
from bridge.store.memory import MemoryStore
from tests.login.fake_auth_http import ISSUER, SERVER, Answer, reply, resource_document, server_document
from tests.login.signing_in import GRANT, OWN, PLACE, Flow, agrees, leaves, refuses
from tests.login.token_endpoint_answers import ask, head

pytestmark = pytest.mark.anyio

UNKNOWN = reply({"error": "invalid_client"}, 401)


def store_key(flow: Flow, issuer: str = ISSUER) -> str:
    return client_key(issuer, flow.uri(issuer))


async def signed_in_before(monkeypatch: pytest.MonkeyPatch) -> Flow:
    """A registration is kept."""
    flow = Flow(monkeypatch)
    await flow.run()
    assert await flow.store.load(store_key(flow))
    assert (flow.registrations, flow.asked()["client_id"]) == (1, "made-1")
    assert flow.http.seen("probe") == []
    return flow


async def test_a_registration_from_before_is_tried_without_a_person_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    record = await flow.run()
    assert flow.registrations == 1
    assert record.client.client_id == "made-1"
    (probed,) = [url for verb, url in flow.http.asked if verb == "probe"]
    assert flow.asked()["state"] not in probed
    assert flow.asked()["code_challenge"] not in probed


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_one_that_is_not_known_any_more_is_made_anew_before_a_person_sees_it(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = await signed_in_before(monkeypatch)
    flow.http.pages[f"{ISSUER}/in"] = reply(b"<h1>Unknown client", status, "text/html")
    assert (await flow.run()).client.client_id == "made-2"
    assert (flow.registrations, len(flow.opened)) == (2, 2)


@pytest.mark.parametrize(
    "answer",
    [reply(b"", status) for status in (200, 302, 405, 408, 429, 500, 503)]
    + [Unavailable("It is down."), MetadataError("It is larger than 512 KB.")],
)
async def test_what_says_nothing_of_the_client_changes_nothing(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    flow.http.pages[f"{ISSUER}/in"] = answer
    assert (await flow.run()).client.client_id == "made-1"


@pytest.mark.parametrize(
    ("error", "client"),
    [("invalid_client", "made-2"), ("unauthorized_client", "made-2"), ("login_required", "made-1")],
)
async def test_a_probe_may_be_answered_by_way_of_the_callback(
    error: str, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = await signed_in_before(monkeypatch)
    location = f"{flow.uri()}?error={error}&state=x"
    flow.http.pages[f"{ISSUER}/in"] = reply(b"", 302, location=location)
    assert (await flow.run()).client.client_id == client


async def test_one_that_is_refused_in_the_browser_is_made_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    flow.deeds = [refuses("unauthorized_client"), agrees]
    assert (await flow.run()).client.client_id == "made-2"
    assert [page.status for page in flow.pages] == [200, 400, 200]
    flow.deeds = [refuses("unauthorized_client"), refuses("unauthorized_client")]
    with pytest.raises(ClientUnknown):
        await flow.run()
    assert (flow.registrations, len(flow.opened)) == (3, 5)


async def test_one_that_is_refused_at_the_token_endpoint_is_made_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    flow.http.pages[f"{ISSUER}/coin"] = [UNKNOWN, reply(GRANT)]
    assert (await flow.run()).client.client_id == "made-2"
    flow.http.pages[f"{ISSUER}/coin"] = UNKNOWN
    with pytest.raises(ClientUnknown):
        await flow.run()
    assert flow.registrations == 3


async def test_a_fresh_one_that_is_refused_is_not_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.deeds = [refuses("invalid_client")]
    with pytest.raises(ClientUnknown):
        await flow.run()
    assert (flow.registrations, len(flow.opened)) == (1, 1)


async def test_a_sign_in_that_nobody_finishes_forgets_one_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    patient, flow.settings = flow.settings, msgspec.structs.replace(flow.settings, login_timeout=0.05)
    flow.deeds = [leaves]
    with pytest.raises(SignInError, match="was not finished within"):
        await flow.run()
    assert await flow.store.load(store_key(flow)) is None
    flow.settings = patient
    assert (await flow.run()).client.client_id == "made-2"


async def test_a_redirect_uri_that_changed_needs_a_registration_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    first = store_key(flow)
    flow.port = Flow(monkeypatch).port
    monkeypatch.setattr("bridge.login.grants.authorization_code.derived_ports", lambda server, profile: [flow.port])
    assert (await flow.run()).client.client_id == "made-2"
    assert await flow.store.load(first)


async def test_one_of_another_issuer_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    other = "https://other.example"
    flow.http.pages |= {
        OWN: resource_document(other),
        other + PLACE: server_document(other),
        f"{other}/new": reply({"client_id": "theirs"}, 201),
        f"{other}/coin": reply(GRANT),
    }
    record = await flow.run(previous=flow.kept[0])
    assert (record.client.client_id, record.issuer) == ("theirs", other)
    assert await flow.store.load(store_key(flow))


async def test_one_whose_secret_ended_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    ended = Client(client_id="old", kind="dynamic", secret="s", redirect_uri=flow.uri(), secret_expires_at=1.0)
    await flow.store.save(store_key(flow), encode_client(ended))
    assert (await flow.run()).client.client_id == "made-1"
    assert flow.http.seen("probe") == []


class Broken(MemoryStore):
    """Keeps nothing."""

    async def load(self, store_key: str) -> bytes | None:
        raise StoreError("It cannot be read.")

    async def save(self, store_key: str, data: bytes) -> None:
        raise StoreError("It cannot be written.")

    async def delete(self, store_key: str) -> None:
        raise StoreError("It cannot be removed.")


async def test_a_store_that_is_broken_costs_a_registration_each_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow(monkeypatch)
    flow.store = Broken()
    for count in (1, 2):
        assert (await flow.run()).client.client_id == f"made-{count}"
    assert "It cannot be written." in caplog.text


class Full(MemoryStore):
    """Takes nothing; `hint` is what it says to do."""

    hint = ""

    async def save(self, store_key: str, data: bytes) -> None:
        raise StoreError("The disk is full.", hint=self.hint)


@pytest.mark.parametrize("hint", ["", "Make room.", "Or keep tokens for this run only with --token-store memory."])
async def test_a_registration_whose_secret_cannot_be_kept_is_refused_before_a_tab(
    hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch)
    flow.store = Full()
    flow.store.hint = hint
    flow.http.pages[f"{ISSUER}/new"] = reply({"client_id": "me", "client_secret": "planted-client-secret"}, 201)
    with pytest.raises(SignInError) as caught:
        await flow.run()
    for words in (ISSUER, "client secret", "The disk is full."):
        assert words in caught.value.message
    assert caught.value.hint.count("--token-store memory") == 1
    assert hint in caught.value.hint
    assert "planted-client-secret" not in str(caught.value)
    assert (flow.opened, flow.registrations, flow.forms()) == ([], 1, [])


async def test_a_server_that_registers_nobody_names_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[ISSUER + PLACE] = server_document(registration_endpoint=None)
    with pytest.raises(RegistrationFailed) as caught:
        await flow.run()
    assert f"--client-id ID --issuer {ISSUER}" in caught.value.hint
    assert f"with the redirect URI {flow.plain_uri}, and" in caught.value.hint
    assert flow.opened == []


# -- a redirect URI for each issuer


async def test_each_issuer_has_a_redirect_uri_of_its_own_and_no_other_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = Flow(monkeypatch)
    seen: list[int] = []

    async def elsewhere(answer: dict[str, str]) -> None:
        for uri in (flow.plain_uri, flow.uri("https://other.example")):
            page = await ask(flow.port, head(f"{urlsplit(uri).path}?{urlencode(answer)}", flow.port))
            seen.append(page.status)

    async def both(answer: dict[str, str], visit: Any = flow.visit) -> None:
        await elsewhere(answer)
        await visit(answer)

    monkeypatch.setattr(flow, "visit", both)
    await flow.run()
    assert seen == [404, 404]
    (registered,) = [json.loads(body) for url, body, _ in flow.http.posted if url == f"{ISSUER}/new"]
    assert registered["redirect_uris"] == [flow.uri()] == [flow.asked()["redirect_uri"]]
    assert flow.uri() != flow.uri("https://other.example") != flow.plain_uri


@pytest.mark.parametrize(
    "settings",
    [
        {"client_id": "mine"},
        {"client_metadata_url": "https://me.example/client.json"},
        {"callback_path": "/cb"},
        {"callback_host": "127.0.0.1"},
        {"callback_port": 0},
    ],
    ids=["client", "document", "path", "host", "port"],
)
async def test_a_redirect_uri_that_somebody_relies_on_stays_as_it_is(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch)
    if "callback_port" in settings:
        settings = {"callback_port": flow.port}
    flow.settings = msgspec.structs.replace(flow.settings, **settings)
    flow.http.pages[ISSUER + PLACE] = server_document(client_id_metadata_document_supported=True)
    await flow.run()
    host, path = settings.get("callback_host", "localhost"), settings.get("callback_path", "/callback")
    assert flow.asked()["redirect_uri"] == f"http://{host}:{flow.port}{path}"


async def test_a_registration_from_before_goes_on_with_the_redirect_uri_that_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = Flow(monkeypatch)
    old = Client(client_id="old", kind="dynamic", redirect_uri=flow.plain_uri)
    await flow.store.save(client_key(ISSUER, flow.plain_uri), encode_client(old))
    assert (await flow.run()).client.client_id == "old"
    assert (flow.asked()["redirect_uri"], flow.registrations) == (flow.plain_uri, 0)
    flow.http.pages[f"{ISSUER}/coin"] = [UNKNOWN, reply(GRANT)]
    assert (await flow.run()).client.client_id == "made-1", "the server has forgotten it"
    assert flow.asked()["redirect_uri"] == flow.uri()
    assert await flow.store.load(client_key(ISSUER, flow.plain_uri)) is None


async def test_a_server_that_lost_its_clients_is_not_shown_the_one_of_an_earlier_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = await signed_in_before(monkeypatch)
    old = Client(client_id="old", kind="dynamic", redirect_uri=flow.plain_uri)
    await flow.store.save(client_key(ISSUER, flow.plain_uri), encode_client(old))
    flow.http.pages[f"{ISSUER}/in"] = reply(b"Who is that?", 400)
    assert (await flow.run()).client.client_id == "made-2"
    assert flow.asked()["client_id"] == "made-2"


async def test_one_from_before_that_does_not_fit_any_more_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = Flow(monkeypatch)
    ended = Client(client_id="old", kind="dynamic", secret="s", redirect_uri=flow.plain_uri, secret_expires_at=1.0)
    await flow.store.save(client_key(ISSUER, flow.plain_uri), encode_client(ended))
    assert (await flow.run()).client.redirect_uri == flow.uri()
    assert await flow.store.load(client_key(ISSUER, flow.plain_uri)) is None
    assert await flow.store.load(store_key(flow))


@pytest.mark.parametrize(
    "refusal",
    [
        {"error": "invalid_redirect_uri"},
        {"error": "invalid_client_metadata", "error_description": "Redirect URI is not on the list"},
    ],
    ids=["its own error", "in words"],
)
async def test_a_server_that_registers_no_longer_path_gets_the_plain_one(
    refusal: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch)

    def registers(body: bytes) -> Any:
        (uri,) = json.loads(body)["redirect_uris"]
        return reply({"client_id": "made"}, 201) if uri == flow.plain_uri else reply(refusal, 400)

    flow.http.pages[f"{ISSUER}/new"] = registers
    record = await flow.run()
    assert (record.client.client_id, record.client.redirect_uri) == ("made", flow.plain_uri)
    assert flow.asked()["redirect_uri"] == flow.plain_uri
    registrations = flow.registrations
    await flow.run()
    assert flow.registrations == registrations, "it is kept"


async def test_a_registration_that_is_refused_names_the_plain_redirect_uri_to_register_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[f"{ISSUER}/new"] = reply({"error": "access_denied"}, 403)
    with pytest.raises(RegistrationFailed) as caught:
        await flow.run()
    assert f"with the redirect URI {flow.plain_uri}, and" in caught.value.hint
    assert flow.registrations == 1


# -- what a server refuses in a registration


@pytest.mark.parametrize(
    ("listed", "refusal", "methods"),
    [
        (
            ["client_secret_basic", "client_secret_post", "none"],
            {"error": "invalid_client_metadata", "error_description": "Public client registration is not allowed"},
            ["none", "client_secret_basic"],
        ),
        (None, {"error": "invalid_client_metadata"}, ["none", "none", "client_secret_basic"]),
        (["client_secret_basic"], {}, ["client_secret_basic"]),
    ],
    ids=["named", "unsaid", "listed"],
)
async def test_a_server_that_registers_no_public_client_gets_one_with_a_secret(
    listed: list[str] | None,
    refusal: dict[str, str],
    methods: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    flow = Flow(monkeypatch)
    flow.settings = msgspec.structs.replace(flow.settings, scope="a")
    flow.http.pages[ISSUER + PLACE] = server_document(token_endpoint_auth_methods_supported=listed)
    asked: list[dict[str, Any]] = []

    def registers(body: bytes) -> Any:
        asked.append(json.loads(body))
        if asked[-1]["token_endpoint_auth_method"] == "none":
            return reply(refusal, 400)
        made = {"client_id": "made", "client_secret": "planted-client-secret", "client_secret_expires_at": 0}
        return reply(asked[-1] | made, 201)

    flow.http.pages[f"{ISSUER}/new"] = registers
    record = await flow.run()
    assert [one["token_endpoint_auth_method"] for one in asked] == methods
    assert asked[-1]["scope"] == "a"
    assert (record.client.secret, record.client.auth_method) == ("planted-client-secret", "client_secret_basic")
    (form,) = flow.forms()
    assert not {"client_id", "client_secret"} & form.keys()
    if "error_description" in refusal:
        assert "400 to a client with the authentication method none; the server said" in caplog.text
        assert "Trying the authentication method client_secret_basic with the scopes 'a'." in caplog.text


async def test_a_registration_that_is_refused_in_every_way_tells_the_last_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[ISSUER + PLACE] = server_document(token_endpoint_auth_methods_supported=None)
    flow.http.pages[f"{ISSUER}/new"] = reply({"error": "x", "error_description": "unsupported auth method"}, 400)
    with pytest.raises(RegistrationFailed, match="400 to a client with the authentication method client_secret_post"):
        await flow.run()
    assert (flow.registrations, flow.opened) == (3, [])


# -- endpoints on other sites


async def test_an_endpoint_on_another_site_is_warned_of_before_the_tab_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[ISSUER + PLACE] = server_document(authorization_endpoint="https://login.honest.example/in")
    flow.http.pages["https://login.honest.example/in"] = reply(b"<html>", content_type="text/html")
    await flow.run()
    (asked,) = flow.asks
    (warning,) = asked.warnings
    assert "sign in at login.honest.example" in warning
    assert f"goes to {urlsplit(ISSUER).hostname}, which is another site" in warning
    assert warning in caplog.text
    assert asked.shown_first.startswith("http://")
    assert asked.url.startswith("https://login.honest.example/in?")


async def test_a_promised_iss_needs_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    flow.http.pages[ISSUER + PLACE] = server_document(
        authorization_endpoint="https://login.honest.example/in", authorization_response_iss_parameter_supported=True
    )
    flow.deeds = [lambda asked: {"code": "the-code", "state": asked["state"], "iss": ISSUER}]
    await flow.run()
    assert (flow.asks[0].warnings, flow.asks[0].shown_first) == ((), "")


# -- a client of the user's


def static(flow: Flow, issuer: str) -> Record:
    return Record(
        server=SERVER,
        profile="default",
        resource=SERVER,
        issuer=issuer,
        token_endpoint=f"{issuer}/coin",
        client=Client(client_id="mine", kind="static"),
    )


async def test_it_is_never_registered_or_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine")
    record = await flow.run()
    assert (record.client.client_id, record.client.kind) == ("mine", "static")
    flow.http.pages[f"{ISSUER}/coin"] = UNKNOWN
    with pytest.raises(ClientUnknown) as caught:
        await flow.run(previous=record)
    assert "--client-id" in caught.value.hint
    assert (flow.registrations, len(flow.opened)) == (0, 2)


@pytest.mark.parametrize(
    ("answer", "says", "to_do"),
    [
        (reply(b"", 302, location="/error?error=invalid_client"), "does not know the client mine", "--client-id"),
        (reply({"error": "invalid_client"}, 400), "does not know the client mine", "--client-id"),
        (reply(b"Invalid redirect_uri", 400, "text/html"), "does not accept the redirect URI", "--callback-port"),
        (reply(b"", 302, location="/x?error=invalid_target"), "does not accept the resource", "--resource"),
    ],
)
async def test_what_is_wrong_with_it_is_told_before_a_tab_opens(
    answer: Answer, says: str, to_do: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch, client_id="mine")
    flow.http.pages[f"{ISSUER}/in"] = answer
    with pytest.raises(SignInError) as caught:
        await flow.run()
    assert says in caught.value.message
    assert to_do in caught.value.hint
    if says.endswith("URI"):
        assert f"Register exactly {flow.plain_uri}" in caught.value.hint
    assert flow.opened == []


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_page_that_may_be_a_firewalls_opens_the_tab(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine")
    flow.http.pages[f"{ISSUER}/in"] = reply(b"<h1>Just a moment", status, "text/html")
    assert (await flow.run()).client.client_id == "mine"


async def test_a_tab_does_not_wait_for_a_silent_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.login.registering._PROBE_SECONDS", 0.01)

    async def silent(url: str, what: str) -> None:
        await asyncio.Event().wait()

    flow = Flow(monkeypatch, client_id="mine")
    monkeypatch.setattr(flow.http, "probe", silent)
    assert (await flow.run()).client.client_id == "mine"


async def test_a_forgotten_registration_is_told_by_any_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await signed_in_before(monkeypatch)
    flow.http.pages[f"{ISSUER}/in"] = reply(b"", 302, location="https://as.example/api/error?error=invalid_client")
    assert (await flow.run()).client.client_id == "made-2"
    assert (flow.registrations, len(flow.opened)) == (2, 2)


async def test_one_that_nobody_knows_is_named_when_nothing_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine", login_timeout=0.05)
    flow.deeds = [leaves]
    with pytest.raises(SignInError) as caught:
        await flow.run()
    assert "the client mine (--client-id)" in caught.value.hint


async def test_it_is_not_shown_to_another_authorization_server(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine", client_secret="secret")
    with pytest.raises(SignInError) as caught:
        await flow.run(previous=static(flow, "https://old.example"))
    for words in (ISSUER, "https://old.example", "mine"):
        assert words in caught.value.message
    assert (flow.opened, flow.http.posted) == ([], [])


async def test_of_several_authorization_servers_it_is_used_at_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine")
    flow.http.pages[OWN] = resource_document("https://first.example", ISSUER)
    flow.http.pages["https://first.example" + PLACE] = server_document("https://first.example")
    assert (await flow.run(previous=static(flow, ISSUER))).issuer == ISSUER


# -- a client metadata document

DOCUMENT = "https://me.example/client.json"


@pytest.mark.parametrize(("supported", "client"), [(True, DOCUMENT), (False, "made-1"), (None, "made-1")])
async def test_a_document_is_the_client_where_the_server_takes_one(
    supported: bool | None, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(monkeypatch, client_metadata_url=DOCUMENT)
    flow.http.pages[ISSUER + PLACE] = server_document(client_id_metadata_document_supported=supported)
    assert (await flow.run()).client.client_id == client
    assert flow.asked()["client_id"] == client
    assert flow.registrations == (client != DOCUMENT)


async def test_a_client_of_the_users_goes_before_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch, client_id="mine", client_metadata_url=DOCUMENT)
    flow.http.pages[ISSUER + PLACE] = server_document(client_id_metadata_document_supported=True)
    assert (await flow.run()).client.client_id == "mine"
