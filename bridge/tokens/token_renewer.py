"""Refreshes tokens and has the user sign in. It is made when one of these is first needed; most starts need neither."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec

from bridge.config import Settings, parse_seconds
from bridge.errors import BridgeError
from bridge.oauth.errors import NeedsChange, SignInError
from bridge.oauth.prompt_backoff import PAUSE, PromptHistory, held_back, why_held_back
from bridge.oauth.record import Record, decode
from bridge.process.log import FORWARDED
from bridge.protocol.sanitize import address, with_words
from bridge.remote.credentials import AuthRefusal
from bridge.session.events import SignInShown
from bridge.tokens.assertions import Assertions
from bridge.tokens.authorization import TokenObtained

if TYPE_CHECKING:
    from bridge.login.auth_http import AuthHttpClient
    from bridge.login.channel_messages import LoginStatus
    from bridge.oauth.challenge import Challenge
    from bridge.tokens.logins import Joined, Logins

_TRIES = 3

_BESIDES_THE_PERSON = 240.0

PAUSE_VARIABLE = "MCP_BRIDGE_TAB_PAUSE"

_logger = logging.getLogger("bridge.authorization")
_login_logger = logging.getLogger(FORWARDED)


class RunLog(Protocol):
    """The log of a run, as `process.log.Log` is one."""

    def add_secret(self, secret: str) -> None:
        """Hide this text from now on."""

    def announce(self, words: str, url: str, first: Sequence[str] = ()) -> None:
        """Show the user a URL to open, after the warnings `first`."""


class RunHost(Protocol):
    """The host of a run, as `app.bridge.Bridge` connects to it."""

    @property
    def host_name(self) -> str:
        """The name of the program that the user works with; empty where it is not known yet."""

    def take(self, event: SignInShown) -> None:
        """Tell the host about the link."""


class TokenRenewer:
    """`Renewal` over the network, and with the user. `since` is when this run began (Unix seconds)."""

    def __init__(self, settings: Settings, log: RunLog, host: RunHost, *, since: float) -> None:
        self._settings = settings
        self._since = since
        self._log = log
        self._host = host
        self._webs: dict[str, AuthHttpClient] = {}
        self._kept_logins: Logins | None = None
        self._joined: Joined | None = None
        self._announced = ""
        self._warned = ""
        self._is_wished = False
        self._unkept = PromptHistory()
        self._shown: SignInShown | None = None
        self._assertions = Assertions(settings.sign_in)

    async def refresh(self, record: Record) -> Record:
        """The record with new tokens."""
        http = await self._http(record.reach)
        from bridge.login.client_key_file import key_loader
        from bridge.login.token_endpoint import TokenEndpoint
        from bridge.oauth.pinned_identity import check_refreshed
        from bridge.store.paths import platform_paths
        from bridge.tokens.issuers_file import check_issuer_of
        from bridge.tokens.typed_command import LOGOUT, command_about

        await check_issuer_of(record, self._settings, platform_paths())
        asking = record
        if record.client.kind == "static":
            # The user keeps the client's secret, and may have changed it.
            own = msgspec.structs.replace(record.client, secret=self._settings.sign_in.client_secret)
            asking = msgspec.structs.replace(record, client=own)
        assertion = await self._assertions.read()
        endpoint = TokenEndpoint(http, self._log.add_secret, key_loader(self._settings.sign_in))
        try:
            tokens = await endpoint.renew(asking, self._settings.sign_in, assertion)
        except SignInError as problem:
            self._assertions.refused(assertion, problem)
            raise
        check_refreshed(record, tokens, command_about(LOGOUT, self._settings))
        return record.with_tokens(tokens, time.time())

    # -- signing in

    async def sign_in(
        self,
        refusal: AuthRefusal,
        previous: Record | None,
        *,
        is_wished: bool,
        is_needed: Callable[[], Awaitable[bool]],
    ) -> TokenObtained | None:
        """Wait for the user to sign in, in the login that is under way or in a new one."""
        from bridge.login.channel import ChannelLost
        from bridge.oauth.scopes import wider_scope
        from bridge.tokens.login_order import make_order

        order = make_order(self._settings, refusal, previous, self._host.host_name)
        self._is_wished = is_wished
        assertion = await self._assertions.read()
        wider = wider_scope(refusal.lacks, previous)

        async def may_start() -> bool:
            if not await is_needed():
                return False
            if not self._is_wished:
                self._check_backoff(wider)
            return True

        logins = self._logins()
        for _ in range(_TRIES):
            try:
                joined = await logins.join_or_start(order, may_start)
                return await self._follow(joined, wider) if joined is not None else None
            except SignInError as problem:
                self._assertions.refused(assertion, problem)
                raise
            except ChannelLost:
                # It was killed. Tokens that it had stored are found there; otherwise another login may start.
                _logger.info("the sign-in process for %s ended without a result", self._settings.url)
        raise SignInError(
            f"The sign-in process for {self._settings.url} was stopped more than once before it could finish.",
            hint="Another program ends it, perhaps a security program; --log-file FILE shows how far it gets.",
        )

    async def open_browser(self) -> None:
        """Open a browser for the sign-in that is under way, because the user asks for it. Raises nothing.

        Where none opens, tell again what the user has to do, because the answer to the user may wait for that.
        """
        from bridge.login.channel import ChannelLost

        self._is_wished = True  # A sign-in that has not started yet takes this into account.
        if self._joined is None:
            return
        try:
            if not self._settings.sign_in.no_browser and not await self._joined.channel.say("open"):
                return
        except ChannelLost:
            _logger.debug("the sign-in is over")
        else:
            if self._shown is not None:
                self._host.take(self._shown)

    async def _follow(self, joined: Joined, wider: str | None) -> TokenObtained:
        """Wait for the end of a login, see `wider_scope`.

        Raises `SignInError`, and `ChannelLost` where its process dies.
        """
        self._joined = joined
        self._shown = None
        # At the same time as the wait, because a login that is ending sends its status but no answers.
        opening = asyncio.create_task(self.open_browser()) if self._is_wished else None
        own = self._settings.sign_in
        try:
            async with asyncio.timeout(2 * own.login_timeout + _BESIDES_THE_PERSON):
                return await self._wait(joined, wider)
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

    async def _wait(self, joined: Joined, wider: str | None) -> TokenObtained:
        from bridge.tokens.typed_command import how_to_widen

        began = time.time()
        heard = 0
        while True:
            login_status = await joined.channel.login_status()
            heard = self._pass_on(login_status, heard)
            if login_status.is_last and login_status.tab == "opened" and self._history().ended_at < began:
                # The history could not be written, so this run remembers it.
                self._unkept = self._unkept.tab_opened(began).ended(login_status.failure or "done", time.time())
            if login_status.url:
                self._tell(joined, login_status, wider)
            if login_status.phase == "done":
                if (record := decode(bytes(login_status.record))) is None:
                    raise SignInError("The sign-in returned tokens that cannot be read.", hint="Sign in again.")
                return self._brought(record, is_kept=login_status.is_kept)
            if login_status.phase == "failed":
                hint = login_status.hint
                if wider is not None and login_status.failure in {"refused", "timed-out"}:
                    hint = how_to_widen(self._settings, wider)
                raise (NeedsChange if login_status.needs_change else SignInError)(login_status.message, hint=hint)
            if wider is not None and login_status.tab == "unopened" and not self._is_wished:
                # Other requests go on. This one must not wait for a link that the user may not see.
                raise SignInError(
                    f"{self._settings.url} requires more scopes for this request, and no browser could be opened.",
                    hint=how_to_widen(self._settings, wider),
                )

    def _brought(self, record: Record, *, is_kept: bool) -> TokenObtained:
        if is_kept and self._settings.sign_in.token_store == "memory":  # noqa: S105 - a place
            # A copy with a store started the login. Only copies that share the store may use the refresh token in it.
            return TokenObtained(msgspec.structs.replace(record, refresh_token=""), is_kept=False)
        return TokenObtained(record, is_kept)

    def _pass_on(self, login_status: LoginStatus, heard: int) -> int:
        """Log what the login process has logged since the last status."""
        for level, text in login_status.log_since(heard):
            _login_logger.log(logging.getLevelNamesMapping().get(level.upper(), logging.INFO), "%s", text)
        return login_status.logged

    def _tell(self, joined: Joined, login_status: LoginStatus, wider: str | None) -> None:
        for state in parse_qs(urlsplit(login_status.url).query).get("state", []):
            self._log.add_secret(state)
        if login_status.url != self._announced:
            self._announced = login_status.url
            words = "Sign in at:"
            if joined.was_under_way:
                words = f"A sign-in is already in progress (process {joined.pid}). Sign in at:"
            if wider is not None:
                words = f"{self._settings.url} requires more scopes for a request ({wider}). {words}"
            if login_status.user_code:
                words = f"{words.removesuffix(' at:')} with the code {login_status.user_code} at:"
            self._log.announce(words, login_status.url, login_status.warnings)
        if login_status.tab == "unopened" and login_status.message not in {"", self._warned}:
            self._warned = login_status.message  # Each status from now on has it.
            _logger.warning("%s", login_status.message)
        is_open = login_status.tab != "unopened"
        self._shown = SignInShown(
            login_status.url,
            login_status.user_code,
            is_open=is_open,
            ends_in=login_status.ends_at - time.time(),
            warnings=login_status.warnings,
        )
        self._host.take(self._shown)

    def _check_backoff(self, wider: str | None) -> None:
        """Raise `SignInError` where no browser may be opened before the user asks for it."""
        pause = parse_seconds(os.environ.get(PAUSE_VARIABLE) or f"{PAUSE:g}", PAUSE_VARIABLE, zero_is_none=True) or 0.0
        now = time.time()
        from bridge.tokens.typed_command import how_to_sign_in, how_to_widen

        if held := held_back(self._history(), now=now, since=self._since, pause=pause):
            hint = how_to_sign_in(self._settings) if wider is None else how_to_widen(self._settings, wider)
            raise SignInError(why_held_back(held, self._settings.url, now), hint=hint)

    def _history(self) -> PromptHistory:
        from bridge.tokens.login_order import login_key

        kept = self._logins().files.history(login_key(self._settings))
        return max(kept, self._unkept, key=lambda history: max(history.ended_at, history.logged_out_at))

    # -- tokens that the server refuses

    def still_refused(self, refusal: AuthRefusal, record: Record | None, now: float) -> BridgeError:
        """The error for a server that refuses a token which it has just been given, with what can be known of it."""
        from bridge.oauth import scopes
        from bridge.oauth.claims import describe_claims

        challenge = _challenge(refusal)
        heard = (challenge.parameters.get("error_description", "") if challenge else "") or refusal.said
        if refusal.lacks is not None:
            lacking: tuple[str, ...] = ()
            if record is not None:
                lacking = scopes.missing(refusal.lacks, record.scope, record.asked)
            named = scopes.named(lacking or refusal.lacks) or "that it does not name"
            granted = scopes.split((record.scope if record.scope is not None else record.asked) if record else "")
            what = (
                f"{refusal.url} answered 403 insufficient_scope: the scope {named} was requested but not granted "
                f"(granted: {scopes.named(granted) or 'none'})"
            )
            return SignInError(
                with_words(what, heard),
                hint="Your account may lack this scope; ask the server's operator.",
            )
        self._note_refused_token(now)
        token = (record.access_token if record else "") or ""
        claims = describe_claims(token, now) if token else ""
        of_token = f" About the token: {claims}." if claims else ""
        issuer = address(record.issuer) if record else "its authorization server"
        return SignInError(
            with_words(f"{refusal.url} answered {refusal.status} to the token that {issuer} has just issued", heard)
            + of_token,
            hint="The server does not accept tokens of its own authorization server. Compare the audience and the "
            "issuer; some providers need --resource URL or --use-id-token.",
        )

    def _note_refused_token(self, now: float) -> None:
        """Store that the last sign-in did not help, so that the next copy does not open the same tab at once."""
        from bridge.tokens.login_order import login_key

        history = self._history()
        if history.outcome == "done":
            self._unkept = history.ended("unaccepted", now)
            self._logins().files.put_history(login_key(self._settings), self._unkept)

    # -- the parts

    def _logins(self) -> Logins:
        if self._kept_logins is None:
            from bridge.store.paths import platform_paths
            from bridge.tokens.login_order import login_key
            from bridge.tokens.logins import Logins

            self._kept_logins = Logins(
                login_key(self._settings), platform_paths(), lambda text: _logger.warning("%s", text)
            )
        return self._kept_logins

    async def _http(self, reach: str) -> AuthHttpClient:
        """The HTTP client for a record with this `reach`."""
        if reach not in self._webs:
            # The import takes long enough to delay messages, so a thread does it.
            await asyncio.to_thread(importlib.import_module, "httpx")
            from bridge.tokens.sign_in_setup import open_http

            self._webs = {reach: open_http(self._settings, kept=reach)}
        return self._webs[reach]


def _challenge(refusal: AuthRefusal) -> Challenge | None:
    from bridge.oauth.challenge import bearer_challenge, parse_challenges

    return bearer_challenge(parse_challenges(refusal.challenges))
