"""How refreshing and signing in are put together, and what is said of a token that does not help."""

import base64
import json
import ssl
import types
from typing import Any

import pytest

from bridge.app import renewal as renewal_module
from bridge.app.renewal import PersonalRenewal
from bridge.config import Settings, SignInSettings
from bridge.login import sign_in, token_endpoint, web
from bridge.login.sign_in import Ask
from bridge.login.web import Web
from bridge.oauth.grants import Tokens
from bridge.oauth.record import Record
from bridge.remote.credentials import ANONYMOUS, Refusal
from bridge.store.memory import MemoryVault
from tests.support.authorizing import NOW, URL, record

pytestmark = pytest.mark.anyio


class Built:
    """What the parts are made with, in place of the parts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.webs: list[tuple[str, dict[str, Any]]] = []
        self.asks: list[Ask] = []
        self.flows: list[tuple[Any, ...]] = []
        self.details: list[dict[str, Any]] = []
        self.refreshed: list[Record] = []
        self.concealed: list[str] = []
        self.announced: list[str] = []
        built = self

        class FakeWeb:
            def __init__(self, server_url: str, **details: Any) -> None:
                built.webs.append((server_url, details))

        class FakeSignIn:
            def __init__(self, *parts: Any, **details: Any) -> None:
                built.flows.append(parts)
                built.details.append(details)

            async def run(self, ask: Ask, keep: Any) -> None:
                built.asks.append(ask)
                await keep(record("signed", "in"))

        class FakeEndpoint:
            def __init__(self, web: Web, conceal: Any) -> None:
                assert isinstance(web, FakeWeb)

            async def refresh(self, held: Record) -> Tokens:
                built.refreshed.append(held)
                return Tokens(access_token="new", expires_in=60.0)

        monkeypatch.setattr(web, "Web", FakeWeb)
        monkeypatch.setattr(sign_in, "SignIn", FakeSignIn)
        monkeypatch.setattr(token_endpoint, "TokenEndpoint", FakeEndpoint)
        self.settings = Settings(url=URL, **settings)
        self.vault = MemoryVault()
        self.renewal = PersonalRenewal(
            self.settings,
            self.vault,
            conceal=self.concealed.append,
            announce=self.announced.append,
            host_name=lambda: "The Host",
        )
        self.kept: list[Record] = []

    async def keep(self, made: Record) -> None:
        self.kept.append(made)


def refusal(*challenges: str, lacks: tuple[str, ...] | None = None, said: str = "") -> Refusal:
    return Refusal(URL, 401 if lacks is None else 403, challenges, said, ANONYMOUS, lacks, 0, False)


async def test_a_refresh_keeps_what_the_server_does_not_say_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch)
    monkeypatch.setattr(renewal_module, "time", types.SimpleNamespace(time=lambda: NOW))
    held = record("old", "kept", generation=3)
    renewed = await built.renewal.refresh(held)
    assert built.refreshed == [held]
    assert (renewed.access_token, renewed.refresh_token, renewed.generation) == ("new", "kept", 4)
    assert (renewed.issued_at, renewed.expires_at) == (NOW, NOW + 60)
    assert renewed.issuer == held.issuer


async def test_a_sign_in_hears_what_the_challenge_says(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch)
    before = record()
    challenge = 'Bearer scope="a b", resource_metadata="https://mcp.example/about"'
    await built.renewal.sign_in(refusal("Negotiate", challenge), before, built.keep)
    assert built.asks == [
        Ask(
            resource_metadata="https://mcp.example/about",
            challenged=("a", "b"),
            previous=before,
            widens=False,
            host="The Host",
        )
    ]
    assert [made.access_token for made in built.kept] == ["signed"]
    url, own, _, vault = built.flows[0]
    assert (url, own, vault) == (URL, built.settings.sign_in, built.vault)
    built.details[0]["announce"]("https://as.example/in")
    built.details[0]["conceal"]("secret")
    assert (built.announced, built.concealed) == (["https://as.example/in"], ["secret"])


@pytest.mark.parametrize("challenges", [(), ("Basic realm=x",), ("nonsense \x00 ,,",)])
async def test_a_server_that_says_nothing_is_asked_all_the_same(
    challenges: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Built(monkeypatch)
    await built.renewal.sign_in(refusal(*challenges), None, built.keep)
    assert built.asks == [Ask(host="The Host")]


async def test_missing_scopes_widen_the_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch)
    challenge = 'Bearer error="insufficient_scope", scope="c"'
    await built.renewal.sign_in(refusal(challenge, lacks=("c",)), record(), built.keep)
    (ask,) = built.asks
    assert (ask.widens, ask.challenged) == (True, ("c",))


async def test_the_web_is_made_once_and_with_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:word@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "direct.example")
    built = Built(monkeypatch, connect_timeout=7.0, sign_in=SignInSettings(allow_private=True))
    await built.renewal.refresh(record())
    await built.renewal.sign_in(refusal(), None, built.keep)
    ((url, details),) = built.webs
    assert (url, details["connect_timeout"], details["allow_private"]) == (URL, 7.0, True)
    assert details["proxy_for"]("https://as.example/x") == ("http://proxy.example:3128", ("user", "word"))
    assert details["proxy_for"]("https://direct.example/x") is None


async def test_the_users_certificate_is_shown_to_his_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []

    def ssl_context(settings: Settings) -> ssl.SSLContext:
        seen.append(settings)
        return ssl.create_default_context()

    monkeypatch.setattr("bridge.remote.tls.ssl_context", ssl_context)
    built = Built(monkeypatch, client_cert="me.pem", client_cert_key="me.key")
    await built.renewal.refresh(record())
    tls = built.webs[0][1]["tls"]
    tls(True)
    tls(False)
    assert [(str(given.client_cert), str(given.client_cert_key)) for given in seen] == [
        ("me.pem", "me.key"),
        ("None", "None"),
    ]


# -- a token that does not help


def jwt(**claims: object) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)] + [b"the-signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def test_it_is_told_with_its_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    token = jwt(aud="https://other.example", iss="https://as.example/", exp=NOW - 60, sub="somebody")
    problem = Built(monkeypatch).renewal.still_refused(refusal(said="Wrong audience"), record(token), NOW)
    for words in (URL, "401", "https://as.example", "Wrong audience", "https://other.example"):
        assert words in problem.message
    assert "--resource" in problem.hint
    for secret in (token, token.split(".")[2], "r0", "somebody"):
        assert secret not in str(problem)


def test_the_challenge_s_words_go_before_the_body_s(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch)
    challenge = 'Bearer error="invalid_token", error_description="It is for another."'
    problem = built.renewal.still_refused(refusal(challenge, said="No"), record(), NOW)
    assert "It says: It is for another." in problem.message
    assert ".." not in problem.message


@pytest.mark.parametrize("held", [None, record("opaque"), record().without_tokens()])
def test_one_that_says_nothing_is_told_without_claims(held: Record | None, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Built(monkeypatch).renewal.still_refused(refusal(), held, NOW)
    assert "Of the token" not in problem.message
    assert "opaque" not in str(problem)


@pytest.mark.parametrize(
    ("granted", "named"),
    [("one two", "three, four"), ("one three", "four"), (None, "three, four"), ("", "three, four")],
)
def test_missing_scopes_are_named(granted: str | None, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = record(scope=granted)
    problem = Built(monkeypatch).renewal.still_refused(refusal(lacks=("three", "four"), said="Ask Ann"), held, NOW)
    assert f"the scope {named} is missing" in problem.message
    assert "Ask Ann" in problem.message
    assert "insufficient_scope" in problem.message


def test_scopes_that_nobody_names(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Built(monkeypatch).renewal.still_refused(refusal(lacks=()), None, NOW)
    assert "does not name" in problem.message
