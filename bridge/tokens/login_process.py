"""The login process: one sign-in, from the challenge to the stored tokens, whether or not its starter still runs.

| what happens | what it does |
|---|---|
| the copy that started it ends | it goes on, because the user's consent still counts |
| another login process has the lock, or has just released it | it says so, and ends |
| a client connects to the channel | it sends the status, and each change of it |
| tokens, a refusal, `--login-timeout`, a signal, the command `stop` | it sends the outcome, cleans up and ends |
| it hangs | a timer ends it |
| it is killed | its lock is free at once, its clients notice at once, and no token is half written |

It never uses the host's stdio: the order comes on a pipe, one line goes back, and then both are closed.
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
from bridge.store.paths import StorePaths, platform_paths
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
    """Read the order on stdin, write to stdout how to reach the channel, and sign in; return the exit code."""
    order = _take_order()
    if order is None:
        return 2
    # The user is asked a second time where the server turns out not to know the client.
    end_for_certain(_MOST_ASKED * order.settings.sign_in.login_timeout + _BESIDES_THE_PERSON, 1)
    with _configure_log(order.settings) as logging_to:
        log_head(order.settings, "a login process")
        try:
            run_on_loop(_run(order, logging_to, platform_paths()))
        except BridgeError as problem:
            _logger.warning("the sign-in did not start: %s", problem)
            answer(Unable(problem.message, problem.hint))
            return problem.exit_code
        except Exception:
            # No program reads its stderr.
            _logger.exception("a bug in the bridge: the sign-in was not carried out")
            return 1
    return 0


def _configure_log(settings: Settings) -> log.Log:
    """The configured log; without its file where that can no longer be opened, so that the sign-in goes on."""
    try:
        return log.configure(settings)
    except BridgeError as problem:
        logging_to = log.configure(msgspec.structs.replace(settings, log_file=None))
        _logger.warning("%s", problem)
        return logging_to


def _take_order() -> Order | None:
    """The order; None where it does not come, is cut off or cannot be read."""
    # A copy may start a login process and end before it has sent the order, so the wait has a limit.
    timer = end_for_certain(_ORDER_SECONDS, 1)
    try:
        return decode_order(sys.stdin.buffer.readline(LIMIT))
    except (OSError, ValueError, BridgeError) as problem:
        answer(
            Unable(
                f"The login process could not read its instructions: {type(problem).__name__}.",
                "Restart the server in the host, and sign in again.",
            )
        )
        return None
    finally:
        timer.cancel()


def answer(said: Answer) -> None:
    """Write the one line and close the pipes, so that neither side waits for the other's end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    with contextlib.suppress(OSError):
        os.write(1, encode_answer(said))
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.close(nothing)


async def _run(order: Order, logging_to: log.Log, paths: StorePaths) -> None:
    files = LoginFiles(paths)
    store_key = login_key(order.settings)
    async with contextlib.AsyncExitStack() as stack:
        try:
            locks = ProcessLocks(paths.locks, lambda text: _logger.warning("%s", text))
            await stack.enter_async_context(locks.hold(store_key, _LOCK_SECONDS))
        except StoreBusy:
            answer(Busy())
            return
        except StoreError as problem:
            _logger.warning("other bridges may start a sign-in at the same time: %s", problem)
        if order.judged_at < files.history(store_key).ended_at <= time.time():
            # Another login ended while this process started, and may have brought tokens or a refusal.
            answer(Busy())
            return
        login = LoginSession(order, files, logging_to)
        key = secrets.token_bytes(32)
        server = await ChannelServer.start(key, login.on_command)
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
                _logger.warning("other bridges cannot find this sign-in: %s", problem)
            answer(Ready(server.port, key.hex()))
            await login.run(server)
        finally:
            files.drop_notice(notice)
            await server.close()


async def _is_under_way(notice: Notice | None) -> bool:
    """Whether another login is running in spite of the lock, which some file systems do not support."""
    channel = await reach(notice) if notice else None
    if channel is None:
        return False
    await channel.close()
    return True
