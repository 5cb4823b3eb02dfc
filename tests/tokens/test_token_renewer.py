"""How refreshing and signing in are put together, and what is said of a token that does not help."""

import asyncio
import base64
import json
import ssl
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from bridge.config import Settings, SignInSettings
from bridge.login import token_endpoint
from bridge.login.auth_http import AuthHttpClient
from bridge.login.channel import ChannelLost
from bridge.login.channel_messages import LoginStatus
from bridge.login.network import Network
from bridge.oauth.client import Client
from bridge.oauth.errors import SignInError
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.prompt_backoff import PromptHistory
from bridge.oauth.record import Record, encode
from bridge.process.log import FORWARDED
from bridge.remote.credentials import ANONYMOUS, AuthRefusal
from bridge.session.events import SignInShown
from bridge.store.paths import StorePaths
from bridge.tokens import logins as logins_module
from bridge.tokens import sign_in_setup
from bridge.tokens import token_renewer as renewal_module
from bridge.tokens.authorization import TokenObtained
from bridge.tokens.issuers_file import issuers_file
from bridge.tokens.login_order import Order
from bridge.tokens.logins import Joined
from bridge.tokens.token_renewer import TokenRenewer
from tests.support.in_process.authorization_harness import NOW, URL, record

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.store.paths.platform_paths", lambda: StorePaths(tmp_path / "data"))


class Channel:
    """The way to a login that says this, one news after the other; then it is gone. None: it says no more."""

    def __init__(self, *login_status: LoginStatus | None) -> None:
        self.said: list[str] = []
        self.closed = 0
        self.problem = ""
        self._login_status = list(login_status)

    async def login_status(self) -> LoginStatus:
        await asyncio.sleep(0)
        if not self._login_status:
            raise ChannelLost("The login is gone.")
        if (login_status := self._login_status.pop(0)) is None:
            await asyncio.Event().wait()
            raise AssertionError
        return login_status

    async def say(self, want: str, text: str = "") -> str:
        self.said.append(want)
        return self.problem

    async def close(self) -> None:
        self.closed += 1


class Built:
    """What the parts are made with, in place of the parts. `logins` are those that can be joined, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *logins: Joined, **settings: Any) -> None:
        self.webs: list[Network] = []
        self.guards: list[tuple[str, dict[str, Any]]] = []
        self.refreshed: list[Record] = []
        self.concealed: list[str] = []
        self.announced: list[tuple[str, str]] = []
        self.shown: list[SignInShown] = []
        self.orders: list[Order] = []
        self.history = PromptHistory()
        built = self
        ahead = list(logins)

        class FakeGuard:
            def __init__(self, server_url: str, network: Network, **details: Any) -> None:
                built.guards.append((server_url, details))

        class FakeWeb:
            def __init__(self, guard: FakeGuard, network: Network) -> None:
                assert isinstance(guard, FakeGuard)
                built.webs.append(network)

        class FakeEndpoint:
            def __init__(self, http: AuthHttpClient, add_secret: Any, load_key: Any) -> None:
                assert isinstance(http, FakeWeb)

            async def renew(self, held: Record, settings: SignInSettings, assertion: str) -> Tokens:
                built.refreshed.append(held)
                return Tokens(access_token="new", expires_in=60.0)

        class FakeLogins:
            def __init__(self, store_key: str, paths: StorePaths, notice: Any) -> None:
                assert store_key.startswith("login-")
                self.files = types.SimpleNamespace(
                    history=lambda asked: built.history if asked == store_key else None,
                    put_history=lambda asked, history: (
                        setattr(built, "history", history) if asked == store_key else None
                    ),
                )

            async def join_or_start(self, order: Order, may_start: Any) -> Joined | None:
                built.orders.append(order)
                if not ahead[0].was_under_way and not await may_start():
                    return None
                return ahead.pop(0)

        monkeypatch.setattr(sign_in_setup, "AddressGuard", FakeGuard)
        monkeypatch.setattr(sign_in_setup, "AuthHttpClient", FakeWeb)
        monkeypatch.setattr(token_endpoint, "TokenEndpoint", FakeEndpoint)
        monkeypatch.setattr(logins_module, "Logins", FakeLogins)
        monkeypatch.setattr(renewal_module, "time", types.SimpleNamespace(time=lambda: NOW))
        self.settings = Settings(**{"url": URL, **settings})
        self.renewal = TokenRenewer(self.settings, self, self, since=NOW - 1000)

    host_name = "The Host"

    def add_secret(self, secret: str) -> None:
        self.concealed.append(secret)

    def announce(self, words: str, url: str, first: Sequence[str] = ()) -> None:
        self.announced.append((words, url))

    def take(self, event: SignInShown) -> None:
        self.shown.append(event)

    async def sign_in(self, *, is_wished: bool = False, is_needed: bool = True, **lacking: Any) -> TokenObtained | None:
        async def needed() -> bool:
            return is_needed

        return await self.renewal.sign_in(refusal(**lacking), record(), is_wished=is_wished, is_needed=needed)


def a_login(*login_status: LoginStatus | None, was_under_way: bool = False) -> Any:
    return Joined(cast("Any", Channel(*login_status)), was_under_way, 4711)


LINK = "https://as.example/authorize?client_id=c&state=very-secret"
ASKED = LoginStatus(phase="waiting", url=LINK, tab="opened", ends_at=NOW + 300)
DONE = LoginStatus(phase="done", record=Raw(encode(record("signed", "in"))))


def refusal(*challenges: str, lacks: tuple[str, ...] | None = None, said: str = "") -> AuthRefusal:
    return AuthRefusal(URL, 401 if lacks is None else 403, challenges, said, ANONYMOUS, lacks, 0, False)


async def test_a_refresh_keeps_what_the_server_does_not_say_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch)
    held = record("old", "kept", generation=3)
    renewed = await built.renewal.refresh(held)
    assert built.refreshed == [held]
    assert (renewed.access_token, renewed.refresh_token, renewed.generation) == ("new", "kept", 4)
    assert (renewed.issued_at, renewed.expires_at) == (NOW, NOW + 60)
    assert renewed.issuer == held.issuer


@pytest.mark.parametrize("option", [{"issuer": "https://other.example"}, {}], ids=["option", "kept"])
async def test_the_secret_of_a_client_does_not_go_where_it_does_not_belong(
    option: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The record is older than what the user says, or what was kept: a sign-in is needed."""
    built = Built(monkeypatch, sign_in=SignInSettings(client_id="mine", client_secret="planted", **option))
    file = issuers_file(built.settings, StorePaths(tmp_path / "data"))
    await file.change(lambda issuers: issuers.bound("mine", "https://other.example"))
    with pytest.raises(SignInError, match=r"https://as\.example.*https://other\.example"):
        await built.renewal.refresh(record("old", "kept", client=Client(client_id="mine", kind="static")))
    assert built.refreshed == []


# -- signing in


async def test_a_login_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    login = a_login(LoginStatus(phase="preparing"), ASKED, msgspec.structs.replace(ASKED, phase="finishing"), DONE)
    built = Built(monkeypatch, login)
    assert await built.sign_in() == TokenObtained(record("signed", "in"), is_kept=True)
    assert built.announced == [("Sign in at:", LINK)]
    assert built.shown == [SignInShown(LINK, is_open=True, ends_in=300.0)] * 2
    assert "very-secret" in built.concealed
    (order,) = built.orders
    assert order.previous is not None
    assert (order.host_name, order.previous.access_token, order.previous.refresh_token) == ("The Host", "", "")
    assert (login.channel.said, login.channel.closed) == ([], 1)


async def test_one_that_is_under_way_is_joined_and_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(ASKED, DONE, was_under_way=True))
    built.history = PromptHistory(tab_at=NOW - 1, outcome="refused", ended_at=NOW - 1, failures=1)
    assert await built.sign_in() is not None
    ((words, url),) = built.announced
    assert ("4711" in words, url) == (True, LINK)


async def test_what_is_to_be_read_first_is_shown_with_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(msgspec.structs.replace(ASKED, warnings=("It moved.",)), DONE))
    await built.sign_in()
    assert built.shown == [SignInShown(LINK, is_open=True, ends_in=300.0, warnings=("It moved.",))]


async def test_a_code_to_type_in_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = LoginStatus(phase="waiting", url="https://as.example/device", user_code="WDJB-MJHT", tab="unopened")
    built = Built(monkeypatch, a_login(asked, DONE))
    await built.sign_in()
    assert built.announced == [("Sign in with the code WDJB-MJHT at:", "https://as.example/device")]
    assert built.shown[0].user_code == "WDJB-MJHT"


UNOPENED = msgspec.structs.replace(ASKED, tab="unopened")


async def test_a_request_for_more_scopes_does_not_wait_for_what_nobody_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(UNOPENED, DONE), sign_in=SignInSettings(resource="none"))
    with pytest.raises(SignInError, match="more scopes") as caught:
        await built.sign_in(lacks=("three",))
    assert f"mcp-remote-bridge login {URL} --resource none" in caught.value.hint


async def test_the_command_that_is_shown_can_be_typed_in_any_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{URL}?team=a&tools=b"
    built = Built(monkeypatch, a_login(UNOPENED, DONE), url=url, sign_in=SignInSettings(profile="work"))
    with pytest.raises(SignInError, match="more scopes") as caught:
        await built.sign_in(lacks=("three",))
    assert caught.value.hint.endswith(f'mcp-remote-bridge login "{url}" --profile work --scope "one two three"')


async def test_a_server_that_is_down_meanwhile_is_not_to_be_asked_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    down = LoginStatus(phase="failed", failure="failed", message="It is down.", hint="Try again later.")
    built = Built(monkeypatch, a_login(down))
    with pytest.raises(SignInError, match="It is down") as caught:
        await built.sign_in(lacks=("three",))
    assert caught.value.hint == "Try again later."


async def test_after_a_refusal_of_more_scopes_the_advice_is_a_command_and_not_the_tool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = LoginStatus(phase="failed", failure="refused", message="It was refused.", hint="Ask for less.")
    own = SignInSettings(
        client_id="mine", client_secret="s", client_secret_source="keyring:example", callback_port=8123
    )
    built = Built(monkeypatch, a_login(ASKED, refused), sign_in=own)
    with pytest.raises(SignInError, match="It was refused") as caught:
        await built.sign_in(lacks=("three",))
    command = (
        f"mcp-remote-bridge login {URL} --client-id mine --client-secret keyring:example --callback-port 8123 "
        '--scope "one two three"'
    )
    assert caught.value.hint.endswith(command)
    assert "sign_in" not in caught.value.hint
    assert "requires more scopes for a request (one two three). Sign in at:" in str(built.announced)


@pytest.mark.parametrize(("is_wished", "lacks"), [(True, ("three",)), (False, None)])
async def test_any_other_waits_for_it(
    is_wished: bool, lacks: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Built(monkeypatch, a_login(UNOPENED, DONE))
    assert await built.sign_in(is_wished=is_wished, lacks=lacks) is not None


async def test_what_a_login_logs_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lines = (("warning", "first"), ("error", "second"), ("strange", "third"))
    login_status = [msgspec.structs.replace(ASKED, log=lines[:count][-2:], logged=count) for count in (1, 1, 2, 3)]
    with caplog.at_level("INFO", "bridge"):
        await Built(monkeypatch, a_login(*login_status, DONE)).sign_in()
    told = [(entry.levelname, entry.message) for entry in caplog.records if entry.name == FORWARDED]
    assert told == [("WARNING", "first"), ("ERROR", "second"), ("INFO", "third")]


async def test_why_no_browser_was_opened_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = msgspec.structs.replace(UNOPENED, message="There is none.")
    other = msgspec.structs.replace(closed, message="There is none any more.")
    with caplog.at_level("WARNING", "bridge"):
        await Built(monkeypatch, a_login(closed, closed, other, other, DONE)).sign_in()
    assert [entry.message for entry in caplog.records] == ["There is none.", "There is none any more."]


async def test_a_refusal_is_an_error_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = LoginStatus(phase="failed", failure="refused", message="It was refused.", hint="Ask for less.")
    with pytest.raises(SignInError, match=r"It was refused\. Ask for less\."):
        await Built(monkeypatch, a_login(failed)).sign_in()


async def test_a_login_that_dies_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(ASKED), a_login(ASKED, DONE))
    assert await built.sign_in() is not None
    assert len(built.orders) == 2


async def test_logins_that_die_one_after_the_other_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, *(a_login(ASKED) for _ in range(9)))
    with pytest.raises(SignInError, match="more than once"):
        await built.sign_in(is_wished=True)
    assert len(built.orders) == 3


async def test_one_that_comes_to_no_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal_module, "_BESIDES_THE_PERSON", 0.0)
    built = Built(monkeypatch, a_login(ASKED, None), sign_in=SignInSettings(login_timeout=0.01))
    with pytest.raises(SignInError, match="process 4711"):
        await built.sign_in()


async def test_where_none_is_needed_none_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(DONE))
    assert await built.sign_in(is_needed=False) is None


REFUSED = PromptHistory(tab_at=NOW - 20, outcome="refused", ended_at=NOW - 10, failures=1)


@pytest.mark.parametrize(
    ("history", "words"),
    [
        (REFUSED, "was refused"),
        (PromptHistory(tab_at=NOW - 20, outcome="timed-out", ended_at=NOW - 10, failures=1), "not finished in time"),
        (PromptHistory(tab_at=NOW - 20, crashes=1), "interrupted"),
        (PromptHistory(tab_at=NOW - 20, outcome="failed", ended_at=NOW - 10), "last sign-in failed"),
        (PromptHistory(logged_out_at=NOW - 10), "signed out"),
    ],
)
async def test_nobody_is_asked_again_at_once_unless_he_wishes_it(
    history: PromptHistory, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Built(monkeypatch, a_login(ASKED, DONE), sign_in=SignInSettings(profile="work"))
    built.history = history
    with pytest.raises(SignInError, match=words) as caught:
        await built.sign_in()
    assert f"mcp-remote-bridge login {URL} --profile work" in caught.value.hint
    assert "sign_in" in caught.value.hint
    assert await built.sign_in(is_wished=True) is not None


async def test_where_the_disk_keeps_no_history_the_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = LoginStatus(phase="failed", failure="refused", message="It was refused.", tab="opened")
    built = Built(monkeypatch, a_login(ASKED, failed), a_login(ASKED, DONE))
    with pytest.raises(SignInError, match="It was refused"):
        await built.sign_in()
    with pytest.raises(
        SignInError, match="the last sign-in was refused, so the bridge opens no browser by itself for another 120 s"
    ):
        await built.sign_in()
    assert await built.sign_in(is_wished=True) is not None


async def test_a_host_that_has_no_such_tool_is_not_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(DONE), sign_in=SignInSettings(answer_within=None))
    built.history = REFUSED
    with pytest.raises(SignInError) as caught:
        await built.sign_in()
    assert "tool" not in caught.value.hint


async def test_a_success_holds_no_tab_back(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(ASKED, DONE))
    built.history = PromptHistory(tab_at=NOW - 2, outcome="done", ended_at=NOW - 1)
    assert await built.sign_in() is not None


async def test_a_token_that_the_server_refuses_holds_the_next_tab_back(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(ASKED, DONE))
    built.history = PromptHistory(tab_at=NOW - 2, outcome="done", ended_at=NOW - 1)
    built.renewal.still_refused(refusal(), record(), NOW)
    with pytest.raises(SignInError, match="the server refused the token of the last sign-in"):
        await built.sign_in()


@pytest.mark.parametrize("no_browser", [False, True])
async def test_a_browser_that_cannot_be_opened_is_told_once_more(
    no_browser: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = a_login(UNOPENED, None, was_under_way=True)
    login.channel.problem = "No browser was found on this machine."
    built = Built(monkeypatch, login, sign_in=SignInSettings(no_browser=no_browser))
    signing_in = asyncio.create_task(built.sign_in())
    for _ in range(20):
        await asyncio.sleep(0)
    before = len(built.shown)
    await built.renewal.open_browser()
    assert [shown.is_open for shown in built.shown[before:]] == [False]
    signing_in.cancel()


async def test_the_pause_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_BRIDGE_TAB_PAUSE", "0")
    built = Built(monkeypatch, a_login(DONE))
    built.history = REFUSED
    assert await built.sign_in() is not None


@pytest.mark.parametrize(("no_browser", "said"), [(False, ["open"]), (True, [])])
async def test_who_wishes_it_gets_a_browser(no_browser: bool, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    login = a_login(ASKED, DONE, was_under_way=True)
    built = Built(monkeypatch, login, sign_in=SignInSettings(no_browser=no_browser))
    await built.sign_in(is_wished=True)
    assert login.channel.said == said


async def test_who_wishes_it_while_it_is_judged_is_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    login = a_login(ASKED, DONE)
    built = Built(monkeypatch, login)
    built.history = REFUSED

    async def needed() -> bool:
        await built.renewal.open_browser()
        return True

    assert await built.renewal.sign_in(refusal(), record(), is_wished=False, is_needed=needed) is not None
    assert login.channel.said == ["open"]


async def test_a_login_at_its_end_that_hears_no_wish_any_more_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    login = a_login(DONE, was_under_way=True)

    async def say(want: str, text: str = "") -> str:
        raise ChannelLost("The login is gone.")

    login.channel.say = say
    assert await Built(monkeypatch, login).sign_in(is_wished=True) == TokenObtained(
        record("signed", "in"), is_kept=True
    )


async def test_what_a_store_has_is_not_renewed_by_a_copy_that_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch, a_login(DONE, was_under_way=True), sign_in=SignInSettings(token_store="memory"))
    assert await built.sign_in() == TokenObtained(record("signed", ""), is_kept=False)


async def test_without_a_login_there_is_nothing_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    await Built(monkeypatch).renewal.open_browser()


# -- the web


async def test_the_web_is_made_once_and_with_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:word@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "direct.example")
    built = Built(monkeypatch, connect_timeout=7.0, sign_in=SignInSettings(allow_private=True))
    await built.renewal.refresh(record())
    await built.renewal.refresh(record())
    (network,) = built.webs
    ((url, guarded),) = built.guards
    assert (url, network.connect_timeout, guarded["allow_private"]) == (URL, 7.0, True)
    assert network.proxy_for("https://as.example/x") == ("http://proxy.example:3128", ("user", "word"))
    assert network.proxy_for("https://direct.example/x") is None


async def test_it_is_made_for_where_the_server_was_reached_at_the_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(monkeypatch)
    for reach in ("", "private", "private", "public"):
        await built.renewal.refresh(msgspec.structs.replace(record(), reach=reach))
    assert [(guarded["kept"], guarded["refused_at"]) for _, guarded in built.guards] == [
        ("", None),
        ("private", None),
        ("public", None),
    ]


async def test_the_users_certificate_is_shown_to_his_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []

    def ssl_context(settings: Settings) -> ssl.SSLContext:
        seen.append(settings)
        return ssl.create_default_context()

    monkeypatch.setattr("bridge.remote.tls.ssl_context", ssl_context)
    built = Built(monkeypatch, client_cert="me.pem", client_cert_key="me.key")
    await built.renewal.refresh(record())
    tls = built.webs[0].tls
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
    assert problem.message.endswith('has just issued; the server said: "It is for another".')
    assert ".." not in problem.message


@pytest.mark.parametrize("held", [None, record("opaque"), record().without_tokens()])
def test_one_that_says_nothing_is_told_without_claims(held: Record | None, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Built(monkeypatch).renewal.still_refused(refusal(), held, NOW)
    assert "About the token" not in problem.message
    assert "opaque" not in str(problem)


@pytest.mark.parametrize(
    ("granted", "named"),
    [("one two", "three four"), ("one three", "four"), (None, "three four"), ("", "three four")],
)
def test_missing_scopes_are_named(granted: str | None, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = record(scope=granted)
    problem = Built(monkeypatch).renewal.still_refused(refusal(lacks=("three", "four"), said="Ask Ann"), held, NOW)
    assert f'the scope "{named}" was requested but not granted' in problem.message
    assert "Ask Ann" in problem.message
    assert "insufficient_scope" in problem.message


def test_scopes_that_nobody_names(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Built(monkeypatch).renewal.still_refused(refusal(lacks=()), None, NOW)
    assert "does not name" in problem.message
