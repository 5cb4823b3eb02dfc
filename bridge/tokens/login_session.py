"""The sign-in of a login process: what it shows the user, what it tells its clients, and what it stores."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import BridgeError
from bridge.login.browser import BrowserNotOpened, open_browser
from bridge.login.browser_available import advice, place, why_not_here
from bridge.login.channel import ChannelServer
from bridge.login.channel_messages import Failure, LoginCommand, LoginStatus
from bridge.login.openers import names_browser
from bridge.login.prompt import PromptShown
from bridge.oauth.errors import NeedsChange, SignInError, SignInRefused, TimedOut
from bridge.oauth.pinned_identity import pinned
from bridge.oauth.record import DEFAULT_PROFILE, Record, encode
from bridge.process import log
from bridge.process.host_environment import keyring_variables
from bridge.process.shutdown import stop_on_signals
from bridge.store.choice import open_store
from bridge.tokens.login_files import LoginFiles
from bridge.tokens.login_order import Order, login_key, tokens_key_of
from bridge.tokens.sign_in_setup import ask_of, open_http, sign_in_flow
from bridge.tokens.stored_record import StoredRecord

_MOST_LINES = 100
_FIRST_SECONDS = 3.0

_logger = logging.getLogger("bridge.login")


class LoginSession:
    """One sign-in, and its `Prompt`: it tells its clients what the user has to do, and opens the browser."""

    def __init__(self, order: Order, files: LoginFiles, logging_to: log.Log) -> None:
        self._order = order
        self._settings = order.settings
        self._store_key = login_key(order.settings)
        self._files = files
        self._redact = logging_to.redactor
        self._add_secret = logging_to.redactor.add
        self._add_secret(self._settings.sign_in.client_secret)
        self._login_status = LoginStatus(phase="preparing")
        logging.getLogger("bridge").addHandler(LogForwarder(logging_to.redactor, self._note))
        self._opening = asyncio.Lock()
        self._server: ChannelServer | None = None
        self._record: Record | None = None
        self._is_kept = False
        self._http = open_http(self._settings, refused_at=order.refusal.peer if order.refusal else None)
        self._store = open_store(
            self._settings.sign_in.token_store, lambda text: _logger.warning("%s", text), keyring_variables
        )
        self._flow = sign_in_flow(self._settings, self._http, self._store, self, self._add_secret)
        self._is_wished = False
        self._has_opened = False
        self._to_open = ""  # What the browser opens: the link, or a page to read before it.
        self._link = ""  # The last one. The clients may know one that has expired.

    async def run(self, server: ChannelServer) -> None:
        """Sign in, and tell the clients the outcome."""
        self._server = server
        server.publish(self._login_status)
        work = self._work = asyncio.create_task(self._sign_in())
        stop_on_signals(lambda _: work.cancel())
        outcome = await _outcome_of(work, self._redact)
        if self._has_opened or outcome.failure not in {"failed", "stopped"}:
            history = self._files.history(self._store_key).ended(outcome.failure or "done", time.time())
            self._files.put_history(self._store_key, history)
        await asyncio.sleep(0)  # So that the last lines of the log are sent too.
        outcome = self._login_status = msgspec.structs.replace(
            outcome,
            tab="opened" if self._has_opened else "",
            log=self._login_status.log,
            logged=self._login_status.logged,
        )
        first = others = outcome
        if outcome.phase == "done" and self._record is not None:
            first = others = _with(outcome, self._record, is_kept=self._is_kept)
            if not self._is_kept:
                # A refresh token can be used only once: the client that has waited longest gets it.
                others = _with(outcome, msgspec.structs.replace(self._record, refresh_token=""), is_kept=False)
        self._server = None  # No status may follow the last one.
        server.publish_last(first, others)
        await server.until_taken(_FIRST_SECONDS)

    async def _sign_in(self) -> None:
        reason = await ask_of(self._order, self._http)
        await self._flow.run(reason, partial(self._keep, reason.leave))

    async def _keep(self, leave: str, record: Record) -> None:
        def settle(record: Record, stored: Record | None) -> Record:
            # Another sign-in may have been stored since this one was ordered.
            return pinned(record, stored if stored is not None and stored.subject else self._order.previous, leave)

        record = msgspec.structs.replace(record, reach=self._http.reach)
        own = self._settings.sign_in
        if not record.subject and own.profile != DEFAULT_PROFILE:
            _logger.info(
                "%s does not say who signed in, so it is not known whether the profile %s is that account's",
                record.issuer,
                own.profile,
            )
        if own.token_store == "memory":  # noqa: S105 - a place
            self._record = settle(record, None)
            return
        kept = StoredRecord(tokens_key_of(self._settings), self._store, own.grant_without_user)
        self._record = await kept.replace(record, settle)
        self._is_kept = kept.is_kept

    # -- commands of clients

    async def on_command(self, word: LoginCommand) -> str:
        """Carry out a client's command; return why it failed, empty where it did not."""
        match word.want:
            case "callback":
                return self._flow.paste(word.text)
            case "stop":
                self._work.cancel()
                return ""
        self._is_wished = True
        if self._login_status.phase != "waiting":
            return ""  # The browser opens as soon as there is a link, if there will be one.
        if self._login_status.url != self._link:
            self._tell(url=self._link)
        await self._open(wished=True)
        return "" if self._login_status.tab == "opened" else self._login_status.message

    # -- the user

    async def ask(self, asked: PromptShown) -> None:
        """Show what the user has to do, and open a browser where that is possible."""
        self._to_open, self._link = asked.shown_first or asked.url, asked.url
        if asked.is_renewed:
            if self._login_status.tab != "opened":
                self._tell(url=self._link)
            return
        self._tell(
            phase="waiting",
            url=asked.url,
            user_code=asked.user_code,
            redirect_uri=asked.redirect_uri,
            warnings=asked.warnings,
            ends_at=time.time() + asked.seconds,
            tab="",
        )
        if asked.user_code:
            _logger.info("Waiting up to %g s for the code to be entered", asked.seconds)
        else:
            _logger.info("Waiting up to %g s for the browser to return to %s", asked.seconds, asked.redirect_uri)
        await self._open(wished=self._is_wished, anew=True)

    def answered(self) -> None:
        """The user has answered."""
        self._tell(phase="finishing")

    async def _open(self, *, wished: bool, anew: bool = False) -> None:
        async with self._opening:
            if self._login_status.tab == "opened" and not anew:
                return
            if why := self._why_not(wished=wished):
                self._not_opened(advice(why, self._login_status.redirect_uri, socket.gethostname()))
                return
            if self._login_status.tab:
                self._tell(tab="")  # A browser is being opened, so what waits for the link goes on waiting.
            history = self._files.history(self._store_key)
            self._files.put_history(self._store_key, history.tab_opened(time.time()))
            self._has_opened = True
            try:
                await open_browser(self._to_open, os.environ, self._opening_with, self._flow.short_address)
            except SignInError as problem:
                self._files.put_history(self._store_key, history)
                self._has_opened = False
                self._not_opened(self._what_to_do(problem))
            else:
                self._tell(tab="opened", message="")

    def _why_not(self, *, wished: bool) -> str:
        """Why the bridge opens no browser, as a clause; empty where it opens one."""
        if self._settings.sign_in.no_browser and not wished:
            return "--no-browser is set"
        return why_not_here(os.environ, sys.platform, names_browser=names_browser(os.environ, sys.platform))

    def _opening_with(self, opener: str) -> None:
        # This is logged before the outcome is known, because the user's answer may come first.
        found = f" ({self._order.desktop})" if self._order.desktop else ""
        _logger.info("Opening the sign-in page with %s%s", opener, found)

    def _not_opened(self, message: str) -> None:
        found = self._order.desktop or "no further variables of the desktop were found"
        _logger.debug("No browser was opened; %s", found)
        self._tell(tab="unopened", message=message)

    def _what_to_do(self, problem: SignInError) -> str:
        """Why no browser could be opened, and what the user can do."""
        if not isinstance(problem, BrowserNotOpened):
            return str(problem)
        why = problem.message.rstrip(".")
        at = place(os.environ, sys.platform, os.path.exists)
        if at:
            why = f"{at} ({'; '.join(problem.tried)})" if problem.tried else at
        return advice(why, self._login_status.redirect_uri, socket.gethostname(), at=at)

    def _note(self, level: str, text: str) -> None:
        """Send a line of the log to the clients, because no program reads this process's stderr."""
        lines = (*self._login_status.log, (level, text))[-_MOST_LINES:]
        self._tell(log=lines, logged=self._login_status.logged + 1)

    def _tell(self, **changes: object) -> None:
        self._login_status = msgspec.structs.replace(self._login_status, **changes)
        if self._server is not None:
            self._server.publish(self._login_status)


class LogForwarder(logging.Handler):
    """Gives each line of the log to `hand_on`, without secrets."""

    def __init__(self, redact: Callable[[str], str], hand_on: Callable[[str, str], None]) -> None:
        super().__init__()
        self._redact = redact
        self._hand_on = hand_on
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the message on, without a traceback."""
        with contextlib.suppress(Exception):
            text = self._redact(record.getMessage())[: log.LONGEST_LINE]
            self._loop.call_soon_threadsafe(self._hand_on, record.levelname.lower(), text)


async def _outcome_of(work: asyncio.Task[None], redact: Callable[[str], str]) -> LoginStatus:
    """Wait for the end, and return the status for the clients, which cannot tell what is secret in it."""
    await asyncio.wait([work])
    if work.cancelled():
        return _failed("stopped", "The sign-in was stopped before it was finished.", "Sign in again.")
    match work.exception():
        case None:
            return LoginStatus(phase="done")
        case BridgeError() as problem:
            _logger.info("the sign-in failed: %s", problem)
            failed = _failed(_failure_of(problem), redact(problem.message), redact(problem.hint))
            return msgspec.structs.replace(failed, needs_change=isinstance(problem, NeedsChange))
        case defect:
            _logger.error("a bug in the bridge: the sign-in was not carried out", exc_info=defect)
            return _failed(
                "failed",
                f"The sign-in was stopped by an unexpected {type(defect).__name__}, a bug in the bridge.",
                "To see where, pass --log-level debug and --log-file FILE, and sign in again.",
            )


def _failure_of(problem: BridgeError) -> Failure:
    match problem:
        case TimedOut():
            return "timed-out"
        case SignInRefused():
            return "refused"
        case _:
            return "failed"


def _failed(failure: Failure, message: str, hint: str) -> LoginStatus:
    return LoginStatus(phase="failed", failure=failure, message=message, hint=hint)


def _with(login_status: LoginStatus, record: Record, *, is_kept: bool) -> LoginStatus:
    return msgspec.structs.replace(login_status, record=Raw(encode(record)), is_kept=is_kept)
