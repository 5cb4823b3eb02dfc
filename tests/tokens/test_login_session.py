"""One sign-in of a login process, from the wishes it hears to the history it leaves."""

import asyncio
import contextlib
import logging
import types
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from bridge.config import Settings, SignInSettings
from bridge.login.browser import BrowserNotOpened
from bridge.login.channel_messages import LoginCommand, LoginStatus
from bridge.login.prompt import Prompt, PromptShown
from bridge.login.sign_in_reason import SignInReason
from bridge.oauth.errors import (
    ClientUnknown,
    MetadataError,
    RegistrationFailed,
    SignInError,
    SignInRefused,
    TimedOut,
    Unavailable,
)
from bridge.oauth.prompt_backoff import PromptHistory
from bridge.oauth.record import decode
from bridge.process.redact import Redactor
from bridge.remote.credentials import ANONYMOUS, AuthRefusal
from bridge.store.memory import MemoryStore
from bridge.store.paths import StorePaths
from bridge.tokens import login_session as login_module
from bridge.tokens.login_files import LoginFiles
from bridge.tokens.login_order import login_key, make_order, tokens_key_of
from bridge.tokens.login_session import LoginSession
from bridge.tokens.stored_record import StoredRecord
from tests.support.in_process.authorization_harness import URL, record
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

LINK = "https://as.example/authorize?state=s"
SHORT = "http://127.0.0.1:51234/start/token"
BEFORE = PromptHistory(tab_at=1.0, outcome="done", ended_at=2.0)

Keep = Callable[[Any], Awaitable[None]]


class Played:
    """A login whose flow is `play`, with the browser and the channel in place of the real ones.

    `at_the_end` happens while the last word waits for somebody to hear it.
    """

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, refusal: AuthRefusal | None = None, **settings: Any
    ) -> None:
        self.files = LoginFiles(StorePaths(folder))
        self.opened: list[str] = []
        self.browser_problem: SignInError | None = None
        self.last: list[LoginStatus] = []
        self.told: list[LoginStatus] = []
        order = make_order(
            Settings(url=URL, sign_in=SignInSettings(**{"token_store": "memory", **settings})), refusal, None, ""
        )
        order = msgspec.structs.replace(order, desktop="DISPLAY taken from process 12 (codex)")
        self.store_key = login_key(order.settings)
        monkeypatch.setattr(login_module, "sign_in_flow", self._flow)
        monkeypatch.setattr(login_module, "open_browser", self._open)
        monkeypatch.setattr(login_module, "stop_on_signals", lambda _: None)
        monkeypatch.setenv("BROWSER", "one")
        self.login = LoginSession(order, self.files, cast("Any", types.SimpleNamespace(redactor=Redactor())))

    async def run(
        self, play: Callable[[Prompt, Keep], Awaitable[None]], at_the_end: Callable[[], Awaitable[None]] | None = None
    ) -> PromptHistory:
        self._play = play

        async def until_taken(_: float) -> None:
            if at_the_end is not None:
                await at_the_end()

        server = types.SimpleNamespace(
            publish=self.told.append, publish_last=lambda first, _: self.last.append(first), until_taken=until_taken
        )
        async with asyncio.timeout(stretched(10)):
            await self.login.run(cast("Any", server))
        return self.files.history(self.store_key)

    def _flow(self, settings: object, http: object, store: object, person: Prompt, add_secret: object) -> Any:
        async def run(ask: object, keep: Keep) -> None:
            await self._play(person, keep)

        return types.SimpleNamespace(run=run, short_address=lambda _: SHORT)

    async def _open(
        self, url: str, environ: Mapping[str, str], on_start: Callable[[str], None], shorten: Callable[[str], str]
    ) -> None:
        assert shorten(url) == SHORT
        on_start("/usr/bin/xdg-open")
        if self.browser_problem:
            raise self.browser_problem
        self.opened.append(url)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Played]]:
    handlers = list(logging.getLogger("bridge").handlers)

    async def reason(order: object, http: object) -> SignInReason:
        return SignInReason(leave="logout it")

    monkeypatch.setattr(login_module, "ask_of", reason)
    yield lambda **settings: Played(tmp_path, monkeypatch, **settings)
    logging.getLogger("bridge").handlers[:] = handlers


async def wish(played: Played) -> str:
    return await played.login.on_command(LoginCommand(number=1, want="open"))


def ends_with(problem: Exception | None, *, asks: bool = True) -> Callable[[Prompt, Keep], Awaitable[None]]:
    async def play(person: Prompt, keep: Keep) -> None:
        if asks:
            await person.ask(PromptShown(LINK, 60.0))
        if problem is not None:
            raise problem
        person.answered()
        await keep(record("a", "r"))

    return play


@pytest.mark.parametrize(
    "problem", [None, SignInRefused("No."), TimedOut("Nobody came.")], ids=["done", "refused", "late"]
)
async def test_the_link_of_a_login_that_is_over_is_not_opened(
    problem: Exception | None, played: Callable[..., Played]
) -> None:
    one = played(no_browser=True)

    async def at_the_end() -> None:
        assert await wish(one) == ""

    await one.run(ends_with(problem), at_the_end)
    assert one.opened == []


async def test_a_profile_that_was_taken_meanwhile_stays_with_its_account(played: Callable[..., Played]) -> None:
    one = played(token_store="file", profile="work")
    store = one.login._store = MemoryStore()
    kept = StoredRecord(tokens_key_of(one.login._settings), store)
    first = msgspec.structs.replace(record("a", "r"), profile="work", subject="id:1", user="ann")

    async def play(person: Prompt, keep: Keep) -> None:
        await kept.replace(first)  # Another sign-in was quicker; this one's order knows nothing of it.
        await keep(msgspec.structs.replace(first, subject="id:2", user="bob", access_token="b"))

    await one.run(play)
    assert "belongs to ann" in one.last[-1].message
    assert "bob" in one.last[-1].message
    assert "logout it" in one.last[-1].hint
    assert await kept.read() == first


async def test_a_wish_that_comes_before_the_link_opens_it(played: Callable[..., Played]) -> None:
    one = played(no_browser=True)

    async def play(person: Prompt, keep: Keep) -> None:
        assert await wish(one) == ""
        assert one.opened == []
        await person.ask(PromptShown(LINK, 60.0))
        raise SignInRefused("No.")

    await one.run(play)
    assert one.opened == [LINK]


async def test_a_wish_while_the_person_is_waited_for_opens_one_tab(played: Callable[..., Played]) -> None:
    one = played(no_browser=True)

    async def play(person: Prompt, keep: Keep) -> None:
        await person.ask(PromptShown(LINK, 60.0))
        assert one.opened == []
        await asyncio.gather(wish(one), wish(one))
        raise SignInRefused("No.")

    await one.run(play)
    assert one.opened == [LINK]


@pytest.mark.parametrize("opens", [True, False])
async def test_a_renewed_link_opens_no_tab_and_is_told_at_once_only_where_none_is_open(
    opens: bool, played: Callable[..., Played]
) -> None:
    one = played(no_browser=not opens)
    later = f"{LINK}&later=1"

    async def play(person: Prompt, keep: Keep) -> None:
        await person.ask(PromptShown(LINK, 60.0))
        await person.ask(PromptShown(later, 60.0, is_renewed=True))
        assert one.told[-1].url == (LINK if opens else later)
        assert one.opened == ([LINK] if opens else [])
        await wish(one)
        assert one.told[-1].url == later
        raise SignInRefused("No.")

    await one.run(play)
    assert one.opened == ([LINK] if opens else [later])


@pytest.mark.parametrize(
    ("problem", "outcome", "failures"),
    [
        (None, "done", 0),
        (SignInRefused("No."), "refused", 1),
        (TimedOut("Nobody came."), "timed-out", 1),
        (SignInError("It broke."), "failed", 0),
        (RuntimeError("a defect"), "failed", 0),
    ],
    ids=["done", "refused", "late", "failed", "defect"],
)
async def test_how_it_went_is_left_for_the_next(
    problem: Exception | None, outcome: str, failures: int, played: Callable[..., Played]
) -> None:
    one = played()
    one.files.put_history(one.store_key, BEFORE)
    history = await one.run(ends_with(problem))
    assert (history.outcome, history.failures) == (outcome, failures)
    assert history.ended_at >= history.tab_at > BEFORE.ended_at
    assert [(login_status.failure or "done", login_status.tab) for login_status in one.last] == [(outcome, "opened")]


@pytest.mark.parametrize(
    ("problem", "needs_change"),
    [
        (MetadataError("It names another issuer."), True),
        (RegistrationFailed("It registers nobody."), True),
        (ClientUnknown("It does not know mine."), True),
        (SignInRefused("No."), False),
        (TimedOut("Nobody came."), False),
        (Unavailable("It is down."), False),
        (SignInError("It broke."), False),
    ],
)
async def test_it_is_told_whether_another_sign_in_could_end_otherwise(
    problem: SignInError, needs_change: bool, played: Callable[..., Played]
) -> None:
    one = played()
    await one.run(ends_with(problem))
    assert one.last[-1].needs_change is needs_change


async def test_one_that_asked_nobody_leaves_the_history_alone(played: Callable[..., Played]) -> None:
    one = played()
    one.files.put_history(one.store_key, BEFORE)
    assert await one.run(ends_with(SignInError("The server is away."), asks=False)) == BEFORE
    assert [login_status.tab for login_status in one.last] == [""]


async def test_a_browser_that_cannot_be_opened_leaves_the_history_alone(played: Callable[..., Played]) -> None:
    one = played()
    one.files.put_history(one.store_key, BEFORE)
    one.browser_problem = SignInError("There is none.")
    assert await one.run(ends_with(SignInError("It broke."))) == BEFORE


async def test_who_stops_it_is_told_that_it_ended_for_that(played: Callable[..., Played]) -> None:
    one = played()

    async def play(person: Prompt, keep: Keep) -> None:
        await person.ask(PromptShown(LINK, 60.0))
        await one.login.on_command(LoginCommand(number=1, want="stop"))
        await asyncio.Event().wait()

    assert (await one.run(play)).outcome == "stopped"
    assert [login_status.failure for login_status in one.last] == ["stopped"]


# -- what is said of the browser


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    caplog.set_level("DEBUG", "bridge.login")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


async def ask_and_end(person: Prompt, _: Keep) -> None:
    await person.ask(PromptShown(LINK, 60.0, redirect_uri="http://localhost:51234/callback"))
    raise SignInError("It broke.")


async def test_what_is_waited_for_and_what_was_started_is_logged(
    played: Callable[..., Played], said: Callable[[], list[tuple[str, str]]]
) -> None:
    await played().run(ask_and_end)
    assert said()[:2] == [
        ("INFO", "Waiting up to 60 s for the browser to return to http://localhost:51234/callback"),
        ("INFO", "Opening the sign-in page with /usr/bin/xdg-open (DISPLAY taken from process 12 (codex))"),
    ]


async def test_what_is_to_be_read_first_is_told_and_is_what_the_browser_opens(played: Callable[..., Played]) -> None:
    async def play(person: Prompt, _: Keep) -> None:
        await person.ask(PromptShown(LINK, 60.0, warnings=("It moved.",), shown_first="http://localhost:51234/x"))
        raise SignInError("It broke.")

    one = played()
    await one.run(play)
    assert one.opened == ["http://localhost:51234/x"]
    assert [(login_status.url, login_status.warnings) for login_status in one.told if login_status.tab == "opened"] == [
        (LINK, ("It moved.",))
    ]


async def test_of_a_code_it_is_logged_that_it_is_waited_for(
    played: Callable[..., Played], said: Callable[[], list[tuple[str, str]]]
) -> None:
    async def play(person: Prompt, _: Keep) -> None:
        await person.ask(PromptShown(LINK, 60.0, user_code="ABCD"))
        raise SignInError("It broke.")

    await played().run(play)
    assert said()[0] == ("INFO", "Waiting up to 60 s for the code to be entered")
    assert "ABCD" not in said()[0][1]


def message_of(one: Played) -> str:
    (message,) = {login_status.message for login_status in one.told if login_status.tab == "unopened"}
    return message


@pytest.mark.parametrize(
    ("files", "begins", "tunnels"),
    [
        ([], "No display and no desktop portal was found, so no browser can be opened here", True),
        (["/.dockerenv"], "This is a container without a display or desktop portal", False),
    ],
    ids=["no-display", "container"],
)
async def test_where_nothing_opens_it_the_place_and_what_was_tried_are_told(
    files: list[str],
    begins: str,
    tunnels: bool,
    played: Callable[..., Played],
    monkeypatch: pytest.MonkeyPatch,
    said: Callable[[], list[tuple[str, str]]],
) -> None:
    one = played()
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.path.exists", files.__contains__)
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "KUBERNETES_SERVICE_HOST", "container"):
        monkeypatch.setenv(name, "")
    one.browser_problem = BrowserNotOpened("It did not.", hint="", tried=("the desktop portal is not running",))
    await one.run(ask_and_end)
    assert message_of(one).startswith(begins)
    assert "(the desktop portal is not running). Either " in message_of(one)
    assert ("ssh -L 51234:localhost:51234" in message_of(one)) is tunnels
    assert "mcp-remote-bridge callback 'ITS ADDRESS'" in message_of(one)
    assert ("DEBUG", "No browser was opened; DISPLAY taken from process 12 (codex)") in said()


async def test_on_a_desktop_what_was_tried_is_told(
    played: Callable[..., Played], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = played()
    monkeypatch.setenv("DISPLAY", ":0")
    one.browser_problem = BrowserNotOpened(
        "No browser could be opened: /usr/bin/xdg-open ended with status 3.", hint="", tried=("x",)
    )
    await one.run(ask_and_end)
    assert message_of(one).startswith(
        "No browser could be opened: /usr/bin/xdg-open ended with status 3. Either open the link in a browser on this "
    )


@pytest.mark.parametrize("is_wished", [False, True])
async def test_over_ssh_none_is_opened_even_if_it_is_wished(
    is_wished: bool, played: Callable[..., Played], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would open on the screen of a machine that the user is not at."""
    one = played()
    monkeypatch.setenv("BROWSER", "")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")

    async def play(person: Prompt, keep: Keep) -> None:
        if is_wished:
            await wish(one)
        await ask_and_end(person, keep)

    await one.run(play)
    assert one.opened == []
    assert message_of(one).startswith("This is an SSH session, ")


@pytest.mark.parametrize(
    ("peer", "reach", "opens"), [("10.0.0.5", "private", True), ("8.8.8.8", "public", False), ("", "", False)]
)
async def test_what_the_server_leads_to_is_judged_by_where_its_refusal_came_from(
    peer: str, reach: str, opens: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = AuthRefusal(URL, 401, ("Bearer",), "", ANONYMOUS, None, 0, False, peer)
    played = Played(tmp_path, monkeypatch, refusal)

    async def play(person: Prompt, keep: Keep) -> None:
        with contextlib.nullcontext() if opens else pytest.raises(MetadataError):
            await played.login._http.vet("https://10.0.0.1/token", "token endpoint")
        await keep(record("access"))

    await played.run(play)
    (login_status,) = played.last
    kept = decode(bytes(login_status.record))
    assert kept is not None
    assert kept.reach == reach
