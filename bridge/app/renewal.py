"""Refreshing, and having a person sign in, put together when the first of them is needed: most starts need neither."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec

from bridge.app.authorization import Brought
from bridge.app.log import FORWARDED
from bridge.config import Settings, parse_seconds
from bridge.errors import BridgeError
from bridge.oauth.errors import SignInError
from bridge.oauth.record import Record, decode
from bridge.oauth.tabs import PAUSE, HeldBack, History, held_back
from bridge.protocol.words import address, with_words
from bridge.remote.credentials import Refusal
from bridge.session.events import SignInShown

if TYPE_CHECKING:
    from bridge.app.logins import Joined, Logins
    from bridge.login.news import News
    from bridge.login.web import Web
    from bridge.oauth.challenge import Challenge

_TRIES = 3

_BESIDES_THE_PERSON = 240.0

PAUSE_VARIABLE = "MCP_BRIDGE_TAB_PAUSE"

_logger = logging.getLogger("bridge.authorization")
_login_logger = logging.getLogger(FORWARDED)


class PersonalRenewal:
    """`Renewal` with a person and the network.

    `since` is when this run began (Unix seconds), `host_name` names the program that the person works with, `announce`
    shows the user the URL to open, in words, a URL and the warnings about it; `show` tells the session of it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        since: float,
        conceal: Callable[[str], None],
        announce: Callable[[str, str, tuple[str, ...]], None],
        show: Callable[[SignInShown], None],
        host_name: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._since = since
        self._conceal = conceal
        self._announce = announce
        self._show = show
        self._host_name = host_name
        self._webs: dict[str, Web] = {}
        self._kept_logins: Logins | None = None
        self._joined: Joined | None = None
        self._announced = ""
        self._warned = ""
        self._is_wished = False
        self._unkept = History()
        self._shown: SignInShown | None = None

    async def refresh(self, record: Record) -> Record:
        """The record with new tokens."""
        web = await self._web(record.reach)
        from bridge.app.kept_issuers import check_issuer_of
        from bridge.login.token_endpoint import TokenEndpoint
        from bridge.store.places import platform_places

        await check_issuer_of(record, self._settings, platform_places())
        asking = record
        if record.client.kind == "static":
            # The user's secret stays where he keeps it, and may have changed there.
            own = msgspec.structs.replace(record.client, secret=self._settings.sign_in.client_secret)
            asking = msgspec.structs.replace(record, client=own)
        tokens = await TokenEndpoint(web, self._conceal).refresh(asking)
        return record.with_tokens(tokens, time.time())

    # -- signing in

    async def sign_in(
        self, refusal: Refusal, previous: Record | None, *, is_wished: bool, is_needed: Callable[[], Awaitable[bool]]
    ) -> Brought | None:
        """Wait for a person to sign in, in the login that is under way or a new one."""
        from bridge.app.login_order import make_order
        from bridge.login.channel import ChannelLost

        order = make_order(self._settings, refusal, previous, self._host_name())
        self._is_wished = is_wished

        async def may_start() -> bool:
            if not await is_needed():
                return False
            if not self._is_wished:
                self._check_tabs()
            return True

        logins = self._logins()
        for _ in range(_TRIES):
            try:
                joined = await logins.join_or_start(order, may_start)
                return await self._follow(joined, refusal) if joined is not None else None
            except ChannelLost:
                # It was killed. What it had kept is found in the store; else another one may be begun.
                _logger.info("the sign-in process for %s ended without an outcome", self._settings.url)
        raise SignInError(
            f"The sign-in process for {self._settings.url} was ended more than once before it could finish.",
            hint="Something ends it, such as a security program; --log-file FILE shows how far it gets.",
        )

    async def open_browser(self) -> None:
        """The user asks for it: open a browser for the sign-in that is under way. Raises nothing.

        Where none is opened, what the user has to do is told once more: the answer may wait for it.
        """
        from bridge.login.channel import ChannelLost

        self._is_wished = True  # Where there is none yet, it is begun with this.
        if self._joined is None:
            return
        try:
            if not self._settings.sign_in.no_browser and not await self._joined.channel.say("open"):
                return
        except ChannelLost:
            _logger.debug("the sign-in is over")
        else:
            if self._shown is not None:
                self._show(self._shown)

    async def _follow(self, joined: Joined, refusal: Refusal) -> Brought:
        """Wait for the end of a login. Raises `SignInError`, and `ChannelLost` where its process dies."""
        self._joined = joined
        self._shown = None
        # Beside the wait: one that is at its end has news, and no answer any more.
        opening = asyncio.create_task(self.open_browser()) if self._is_wished else None
        own = self._settings.sign_in
        try:
            async with asyncio.timeout(2 * own.login_timeout + _BESIDES_THE_PERSON):
                return await self._wait(joined, widens=refusal.lacks is not None)
        except TimeoutError:
            raise SignInError(
                f"The sign-in process {joined.pid or ''} for {self._settings.url} did not finish.".replace("  ", " "),
                hint="End that process, then sign in again.",
            ) from None
        finally:
            self._joined = None
            if opening is not None:
                opening.cancel()
            await joined.channel.close()

    async def _wait(self, joined: Joined, *, widens: bool) -> Brought:
        began = time.time()
        heard = 0
        while True:
            news = await joined.channel.news()
            heard = self._pass_on(news, heard)
            if news.is_last and news.tab == "opened" and self._history().ended_at < began:
                # The disk takes no history, so this run keeps one for itself.
                self._unkept = self._unkept.tab_opened(began).ended(news.failure or "done", time.time())
            if news.url:
                self._tell(joined, news)
            if news.phase == "done":
                if (record := decode(bytes(news.record))) is None:
                    raise SignInError("The sign-in returned tokens that cannot be read.", hint="Sign in again.")
                return self._brought(record, is_kept=news.is_kept)
            if news.phase == "failed":
                raise SignInError(news.message, hint=news.hint)
            if widens and news.tab == "unopened" and not self._is_wished:
                # All else goes on meanwhile: this one request does not wait for what nobody may see.
                raise SignInError(
                    f"{self._settings.url} wants more scopes for this request, and no browser could be opened.",
                    hint=f"Run this in a terminal, then try again: {_login_command(self._settings)}",
                )

    def _brought(self, record: Record, *, is_kept: bool) -> Brought:
        if is_kept and self._settings.sign_in.token_store == "memory":  # noqa: S105 - a place
            # The login was begun by a copy that has a store. What is in there is for those that share it to spend.
            return Brought(msgspec.structs.replace(record, refresh_token=""), is_kept=False)
        return Brought(record, is_kept)

    def _pass_on(self, news: News, heard: int) -> int:
        """Log what the login process logged since."""
        for level, text in news.log_since(heard):
            _login_logger.log(logging.getLevelNamesMapping().get(level.upper(), logging.INFO), "%s", text)
        return news.logged

    def _tell(self, joined: Joined, news: News) -> None:
        for state in parse_qs(urlsplit(news.url).query).get("state", []):
            self._conceal(state)
        if news.url != self._announced:
            self._announced = news.url
            words = "Sign in at:"
            if joined.was_under_way:
                words = f"A sign-in is already under way (process {joined.pid}). Sign in at:"
            if news.user_code:
                words = f"{words.removesuffix(' at:')} with the code {news.user_code} at:"
            self._announce(words, news.url, news.warnings)
        if news.tab == "unopened" and news.message not in {"", self._warned}:
            self._warned = news.message  # It is in all news from now on.
            _logger.warning("%s", news.message)
        is_open = news.tab != "unopened"
        self._shown = SignInShown(
            news.url, news.user_code, is_open=is_open, ends_in=news.ends_at - time.time(), warnings=news.warnings
        )
        self._show(self._shown)

    def _check_tabs(self) -> None:
        """Raise `SignInError` where no browser may be opened before the user asks for it."""
        pause = parse_seconds(os.environ.get(PAUSE_VARIABLE) or f"{PAUSE:g}", PAUSE_VARIABLE, zero_is_none=True) or 0.0
        now = time.time()
        if held := held_back(self._history(), now=now, since=self._since, pause=pause):
            raise SignInError(_why_held_back(held, self._settings.url, now), hint=_how_to_sign_in(self._settings))

    def _history(self) -> History:
        from bridge.app.login_order import login_slot

        kept = self._logins().files.history(login_slot(self._settings))
        return max(kept, self._unkept, key=lambda history: max(history.ended_at, history.logged_out_at))

    # -- what is asked of a token that does not help

    def still_refused(self, refusal: Refusal, record: Record | None, now: float) -> BridgeError:
        """Say why a token that was just given does not help, as far as it can be seen."""
        from bridge.oauth import scopes
        from bridge.oauth.claims import describe_claims

        challenge = _challenge(refusal)
        heard = (challenge.parameters.get("error_description", "") if challenge else "") or refusal.said
        if refusal.lacks is not None:
            lacking: tuple[str, ...] = ()
            if record is not None:
                lacking = scopes.missing(refusal.lacks, record.scope, record.asked)
            named = scopes.named(lacking or refusal.lacks) or "one it does not name"
            granted = scopes.split((record.scope if record.scope is not None else record.asked) if record else "")
            what = (
                f"{refusal.url} answered 403 insufficient_scope: the scope {named} was requested and not granted "
                f"(granted: {scopes.named(granted) or 'none'})"
            )
            return SignInError(
                with_words(what, heard),
                hint="Your account may not be allowed this scope; ask the server's operator.",
            )
        self._note_refused_token(now)
        token = (record.access_token if record else "") or ""
        claims = describe_claims(token, now) if token else ""
        of_token = f" Of the token, {claims}." if claims else ""
        issuer = address(record.issuer) if record else "its authorization server"
        return SignInError(
            with_words(f"{refusal.url} answered {refusal.status} to the token that {issuer} has just issued", heard)
            + of_token,
            hint="The server does not accept tokens of its own authorization server: compare audience and issuer. "
            "Some providers need --resource URL or --use-id-token.",
        )

    def _note_refused_token(self, now: float) -> None:
        """Keep that the last sign-in was of no use: the next copy must not open the same tab at once."""
        from bridge.app.login_order import login_slot

        history = self._history()
        if history.outcome == "done":
            self._unkept = history.ended("failed", now)
            self._logins().files.put_history(login_slot(self._settings), self._unkept)

    # -- the parts

    def _logins(self) -> Logins:
        if self._kept_logins is None:
            from bridge.app.login_order import login_slot
            from bridge.app.logins import Logins
            from bridge.store.places import platform_places

            self._kept_logins = Logins(
                login_slot(self._settings), platform_places(), lambda text: _logger.warning("%s", text)
            )
        return self._kept_logins

    async def _web(self, reach: str) -> Web:
        """The wire for a record that says so of the server's reach."""
        if reach not in self._webs:
            # Its import takes long enough to hold up messages.
            await asyncio.to_thread(importlib.import_module, "httpx")
            from bridge.app.signing_in import open_web

            self._webs = {reach: open_web(self._settings, kept=reach)}
        return self._webs[reach]


def _challenge(refusal: Refusal) -> Challenge | None:
    from bridge.oauth.challenge import bearer_challenge, parse_challenges

    return bearer_challenge(parse_challenges(refusal.challenges))


_HELD_BACK = {
    "refused": "the last sign-in was refused",
    "timed-out": "the last sign-in was not finished in time",
    "": "the last sign-in was interrupted",
}


def _why_held_back(held: HeldBack, url: str, now: float) -> str:
    """In words for the user."""
    if held.until == float("inf"):
        return f"You signed out of {url}, so the bridge opens no browser by itself."
    why = _HELD_BACK.get(held.outcome, "the last sign-in failed")
    seconds = f"{held.until - now:.0f} s"
    return f"{url} needs you to sign in, but {why}, so the bridge opens no browser by itself for another {seconds}."


def _how_to_sign_in(settings: Settings) -> str:
    if settings.sign_in.answer_within is None:
        return f"To sign in, run: {_login_command(settings)}"
    return f"Call the tool sign_in where the host shows it, or run: {_login_command(settings)}"


def _login_command(settings: Settings) -> str:
    """What to type in a terminal for the very same sign-in: some options make it another."""
    from bridge.app.naming import login_command

    return login_command(settings)
