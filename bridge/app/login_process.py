"""The login process: one sign-in, from the challenge to the stored tokens, whatever becomes of who started it.

| what happens | what it does |
|---|---|
| the copy that started it ends | goes on: the person's consent still counts |
| another login process has the lock, or had it until just now | says so, and ends |
| somebody connects to the channel | tells how it stands, and each change |
| tokens, a refusal, `--login-timeout`, a signal, the word `stop` | tells the outcome, tidies up, ends |
| it hangs, whatever on | a timer ends it |
| it is killed | its lock is free at once; whoever waited notices at once; no token was written by halves |

Nothing of it is on the host's stdio: the order comes on a pipe, one line goes back, and then both are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

import msgspec
from msgspec import Raw

from bridge.app import log
from bridge.app.kept_record import KeptRecord
from bridge.app.login_files import LoginFiles, Notice
from bridge.app.login_order import (
    LIMIT,
    Answer,
    Busy,
    Order,
    Ready,
    Unable,
    decode_order,
    encode_answer,
    login_slot,
    slot_of,
)
from bridge.app.logins import reach
from bridge.app.signing_in import ask_of, open_web, sign_in_flow
from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.login.browser import open_browser
from bridge.login.channel import ChannelServer
from bridge.login.news import Failure, News, Word
from bridge.login.person import Asked
from bridge.login.surroundings import advice, why_not_here
from bridge.oauth.errors import Refused, SignInError, TimedOut
from bridge.oauth.record import Record, encode
from bridge.store.errors import StoreBusy, StoreError
from bridge.store.locks import ProcessLocks
from bridge.store.places import Places, platform_places
from bridge.store.vault import open_vault

_ORDER_SECONDS = 10.0
_BESIDES_THE_PERSON = 180.0
_MOST_ASKED = 2
_LOCK_SECONDS = 0.1
_MOST_LINES = 100
_FIRST_SECONDS = 3.0

_logger = logging.getLogger("bridge.login")


def run_login_process() -> int:
    """Take the order on stdin, say on stdout where to listen for news, and sign in; return the exit code."""
    order = _take_order()
    if order is None:
        return 2
    # A person is asked once more where the server turns out not to know the client.
    _end_for_certain(_MOST_ASKED * order.settings.sign_in.login_timeout + _BESIDES_THE_PERSON)
    with _configure_log(order.settings) as logging_to:
        try:
            asyncio.run(_run(order, logging_to, platform_places()))
        except BridgeError as problem:
            _logger.warning("the sign-in was not begun: %s", problem)
            answer(Unable(problem.message, problem.hint))
            return problem.exit_code
        except Exception:
            # Nobody reads its stderr.
            _logger.exception("a defect of the bridge: the sign-in was not carried out")
            return 1
    return 0


def _configure_log(settings: Settings) -> log.Log:
    """The log that was asked for; without its file where that can be opened no more: no reason not to sign in."""
    try:
        return log.configure(settings)
    except BridgeError as problem:
        logging_to = log.configure(dataclasses.replace(settings, log_file=None))
        _logger.warning("%s", problem)
        return logging_to


def _take_order() -> Order | None:
    """The order; None where it does not come, is cut off, or makes no sense: who gave it is dead or lost."""
    # Whoever starts a login and dies before it has said what for, leaves a process that must not wait for ever.
    timer = _end_for_certain(_ORDER_SECONDS)
    try:
        return decode_order(sys.stdin.buffer.readline(LIMIT))
    except (OSError, ValueError, BridgeError) as problem:
        answer(Unable(f"The login process did not understand what it is to do: {type(problem).__name__}."))
        return None
    finally:
        timer.cancel()


def answer(said: Answer) -> None:
    """Say the one line, and let go of the pipes: nobody is to wait for their end, or to be waited for."""
    nothing = os.open(os.devnull, os.O_RDWR)
    with contextlib.suppress(OSError):
        os.write(1, encode_answer(said))
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.close(nothing)


async def _run(order: Order, logging_to: log.Log, places: Places) -> None:
    files = LoginFiles(places)
    slot = login_slot(order.settings)
    async with contextlib.AsyncExitStack() as stack:
        try:
            locks = ProcessLocks(places.locks, lambda text: _logger.warning("%s", text))
            await stack.enter_async_context(locks.hold(slot, _LOCK_SECONDS))
        except StoreBusy:
            answer(Busy())
            return
        except StoreError as problem:
            _logger.warning("other copies of the bridge cannot be kept from a login of their own: %s", problem)
        if order.judged_at < files.history(slot).ended_at <= time.time():
            # It ended while this process started, and may have brought what is wanted, or a refusal.
            answer(Busy())
            return
        login = Login(order, files, logging_to)
        key = secrets.token_bytes(32)
        server = await ChannelServer.start(key, login.on_word)
        notice = Notice(
            slot=slot,
            pid=os.getpid(),
            port=server.port,
            key=key.hex(),
            server=order.settings.url,
            profile=order.settings.sign_in.profile,
            since=time.time(),
        )
        try:
            if await _is_under_way(files.notice(slot)):
                answer(Busy())
                return
            try:
                files.put_notice(notice)
            except StoreError as problem:
                _logger.warning("other copies of the bridge cannot be told of this login: %s", problem)
            answer(Ready(server.port, key.hex()))
            await login.run(server)
        finally:
            files.drop_notice(notice)
            await server.close()


async def _is_under_way(notice: Notice | None) -> bool:
    """Whether there is a login all the same: on some file systems a lock keeps nobody out."""
    channel = await reach(notice) if notice else None
    if channel is None:
        return False
    await channel.close()
    return True


class Login:
    """One sign-in, and the `Person` of it: shows on the channel what is to be done, and opens the browser."""

    def __init__(self, order: Order, files: LoginFiles, logging_to: log.Log) -> None:
        self._order = order
        self._settings = order.settings
        self._slot = login_slot(order.settings)
        self._files = files
        self._redact = logging_to.redactor
        self._conceal = logging_to.redactor.add
        self._conceal(self._settings.sign_in.client_secret)
        self._news = News(phase="preparing")
        logging.getLogger("bridge").addHandler(Overheard(logging_to.redactor, self._note))
        self._opening = asyncio.Lock()
        self._server: ChannelServer | None = None
        self._record: Record | None = None
        self._is_kept = False
        self._web = open_web(self._settings)
        self._vault = open_vault(self._settings.sign_in.token_store, lambda text: _logger.warning("%s", text))
        self._flow = sign_in_flow(self._settings, self._web, self._vault, self, self._conceal)
        self._is_wished = False
        self._has_opened = False

    async def run(self, server: ChannelServer) -> None:
        """Sign in, and tell how it went."""
        self._server = server
        server.publish(self._news)
        work = self._work = asyncio.create_task(self._sign_in())
        _on_signals(lambda: work.cancel())
        outcome = await _outcome_of(work, self._redact)
        if self._has_opened or outcome.failure not in {"failed", "stopped"}:
            history = self._files.history(self._slot).ended(outcome.failure or "done", time.time())
            self._files.put_history(self._slot, history)
        await asyncio.sleep(0)  # What was logged last is told too.
        outcome = self._news = msgspec.structs.replace(
            outcome, tab="opened" if self._has_opened else "", log=self._news.log, logged=self._news.logged
        )
        first = others = outcome
        if outcome.phase == "done" and self._record is not None:
            first = others = _with(outcome, self._record, is_kept=self._is_kept)
            if not self._is_kept:
                # It can be spent once only: whoever waits longest is to renew it, the others ask again at its end.
                others = _with(outcome, msgspec.structs.replace(self._record, refresh_token=""), is_kept=False)
        self._server = None  # Nothing that is still under way may be heard after the last word.
        server.publish_last(first, others)
        await server.until_taken(_FIRST_SECONDS)

    async def _sign_in(self) -> None:
        await self._flow.run(await ask_of(self._order, self._web), self._keep)

    async def _keep(self, record: Record) -> None:
        self._record = record
        if self._settings.sign_in.token_store != "memory":  # noqa: S105 - a place
            kept = KeptRecord(slot_of(self._settings), self._vault)
            await kept.replace(record)
            self._is_kept = kept.is_kept

    # -- what others say

    async def on_word(self, word: Word) -> str:
        """Do what somebody on the channel wants; return why not, empty if done."""
        if word.want == "callback":
            return self._flow.paste(word.text)
        if word.want == "stop":
            self._work.cancel()
            return ""
        self._is_wished = True
        if self._news.phase != "waiting":
            return ""  # It is opened as soon as there is something to open, if there will be.
        await self._open(wished=True)
        return "" if self._news.tab == "opened" else self._news.message

    # -- the person

    async def ask(self, asked: Asked) -> None:
        """Show what is to be done, and open a browser where that is of use."""
        self._tell(
            phase="waiting",
            url=asked.url,
            user_code=asked.user_code,
            redirect_uri=asked.redirect_uri,
            ends_at=time.time() + asked.seconds,
            tab="",
        )
        await self._open(wished=self._is_wished, anew=True)

    def answered(self) -> None:
        """The person is done."""
        self._tell(phase="finishing")

    async def _open(self, *, wished: bool, anew: bool = False) -> None:
        async with self._opening:
            if self._news.tab == "opened" and not anew:
                return
            why = ""
            if not wished:
                why = "no browser is wanted" if self._settings.sign_in.no_browser else ""
                why = why or why_not_here(os.environ, sys.platform, os.path.exists)
            if why:
                self._tell(tab="unopened", message=advice(why, self._news.redirect_uri, socket.gethostname()))
                return
            history = self._files.history(self._slot)
            self._files.put_history(self._slot, history.tab_opened(time.time()))
            self._has_opened = True
            try:
                await open_browser(self._news.url, os.environ)
            except SignInError as problem:
                self._files.put_history(self._slot, history)
                self._has_opened = False
                self._tell(tab="unopened", message=str(problem))
            else:
                self._tell(tab="opened", message="")

    def _note(self, level: str, text: str) -> None:
        """Others see what is logged here: this process has no stderr that anybody reads."""
        lines = (*self._news.log, (level, text))[-_MOST_LINES:]
        self._tell(log=lines, logged=self._news.logged + 1)

    def _tell(self, **changes: object) -> None:
        self._news = msgspec.structs.replace(self._news, **changes)
        if self._server is not None:
            self._server.publish(self._news)


class Overheard(logging.Handler):
    """Hands each line of the log on, freed of secrets."""

    def __init__(self, redact: Callable[[str], str], hand_on: Callable[[str, str], None]) -> None:
        super().__init__()
        self._redact = redact
        self._hand_on = hand_on
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Of a record with a traceback, only what it says."""
        with contextlib.suppress(Exception):
            text = self._redact(record.getMessage())[: log.LONGEST_LINE]
            self._loop.call_soon_threadsafe(self._hand_on, record.levelname.lower(), text)


async def _outcome_of(work: asyncio.Task[None], redact: Callable[[str], str]) -> News:
    """Wait for the end, and say what it means to those who wait. They do not know what is secret in it."""
    await asyncio.wait([work])
    if work.cancelled():
        return _failed("stopped", "The sign-in was ended before anybody had finished it.", "")
    problem = work.exception()
    if problem is None:
        return News(phase="done")
    if isinstance(problem, BridgeError):
        _logger.info("the sign-in failed: %s", problem)
        failure: Failure = "refused" if isinstance(problem, Refused) else "failed"
        failure = "timed-out" if isinstance(problem, TimedOut) else failure
        return _failed(failure, redact(problem.message), redact(problem.hint))
    _logger.error("a defect of the bridge: the sign-in was not carried out", exc_info=problem)
    return _failed(
        "failed",
        f"The sign-in was stopped by an unexpected {type(problem).__name__}, a defect of the bridge.",
        "--log-file and --log-level debug show where.",
    )


def _failed(failure: Failure, message: str, hint: str) -> News:
    return News(phase="failed", failure=failure, message=message, hint=hint)


def _on_signals(stop: Callable[[], object]) -> None:
    """Stop in good order on whatever asks for it; asyncio's own handlers are not there on Windows."""
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))


def _with(news: News, record: Record, *, is_kept: bool) -> News:
    return msgspec.structs.replace(news, record=Raw(encode(record)), is_kept=is_kept)


def _end_for_certain(seconds: float) -> threading.Timer:
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), os._exit, (1,))
    timer.daemon = True
    timer.start()
    return timer
