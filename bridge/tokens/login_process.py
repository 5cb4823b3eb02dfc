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

import contextlib
import logging
import os
import secrets
import sys
import time

import msgspec

from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.login.channel import ChannelServer
from bridge.process import log
from bridge.process.event_loop import run_on_loop
from bridge.process.log_head import log_head
from bridge.process.shutdown import end_for_certain
from bridge.store.errors import StoreBusy, StoreError
from bridge.store.locks import ProcessLocks
from bridge.store.paths import StorePaths, platform_places
from bridge.tokens.login_files import LoginFiles, Notice
from bridge.tokens.login_order import LIMIT, Answer, Busy, Order, Ready, Unable, decode_order, encode_answer, login_key
from bridge.tokens.login_session import LoginSession
from bridge.tokens.logins import reach

_ORDER_SECONDS = 10.0
_BESIDES_THE_PERSON = 180.0
_MOST_ASKED = 2
_LOCK_SECONDS = 0.1

_logger = logging.getLogger("bridge.login")


def run_login_process() -> int:
    """Take the order on stdin, say on stdout where to listen for news, and sign in; return the exit code."""
    order = _take_order()
    if order is None:
        return 2
    # A person is asked once more where the server turns out not to know the client.
    end_for_certain(_MOST_ASKED * order.settings.sign_in.login_timeout + _BESIDES_THE_PERSON, 1)
    with _configure_log(order.settings) as logging_to:
        log_head(order.settings, "a sign-in, in a process of its own")
        try:
            run_on_loop(_run(order, logging_to, platform_places()))
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
        logging_to = log.configure(msgspec.structs.replace(settings, log_file=None))
        _logger.warning("%s", problem)
        return logging_to


def _take_order() -> Order | None:
    """The order; None where it does not come, is cut off, or makes no sense: who gave it is dead or lost."""
    # Whoever starts a login and dies before it has said what for, leaves a process that must not wait for ever.
    timer = end_for_certain(_ORDER_SECONDS, 1)
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


async def _run(order: Order, logging_to: log.Log, places: StorePaths) -> None:
    files = LoginFiles(places)
    store_key = login_key(order.settings)
    async with contextlib.AsyncExitStack() as stack:
        try:
            locks = ProcessLocks(places.locks, lambda text: _logger.warning("%s", text))
            await stack.enter_async_context(locks.hold(store_key, _LOCK_SECONDS))
        except StoreBusy:
            answer(Busy())
            return
        except StoreError as problem:
            _logger.warning("other copies of the bridge cannot be kept from a login of their own: %s", problem)
        if order.judged_at < files.history(store_key).ended_at <= time.time():
            # It ended while this process started, and may have brought what is wanted, or a refusal.
            answer(Busy())
            return
        login = LoginSession(order, files, logging_to)
        key = secrets.token_bytes(32)
        server = await ChannelServer.start(key, login.on_word)
        notice = Notice(
            store_key=store_key,
            pid=os.getpid(),
            port=server.port,
            key=key.hex(),
            server=order.settings.url,
            profile=order.settings.sign_in.profile,
            since=time.time(),
        )
        try:
            if await _is_under_way(files.notice(store_key)):
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
