"""One login for each server and profile on the machine: a copy of the bridge joins the one under way, or starts one.

A login is a process of its own, so it does not end with the copy that started it. Every copy of the bridge does this:

| step | why |
|---|---|
| look for a notice, and connect to its port | this is mostly enough: nothing is locked and nothing is started |
| take the lock `<store key>.start`, and look again | of the copies that found none, one at a time goes on |
| check whether a login is still needed, and may start | the last one may have brought tokens, or a refusal |
| start a process, and read its port from it | the process takes the lock `<store key>`, which ends with it |
| look again, where that process found the lock taken, or just released | another login may have ended meanwhile |
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import msgspec

from bridge import PROGRAM
from bridge.config import child_environment
from bridge.errors import BridgeError
from bridge.login.channel import Channel, ChannelLost
from bridge.login.spawn import detached_environment, start_detached
from bridge.oauth.errors import SignInError
from bridge.process.host_environment import desktop_here
from bridge.protocol.backoff import Backoff
from bridge.store.locks import ProcessLocks
from bridge.store.paths import StorePaths
from bridge.tokens.login_files import LoginFiles, Notice
from bridge.tokens.login_order import Busy, Order, Ready, Unable, decode_answer, encode_order

_CONNECT_SECONDS = 3.0
_START_SECONDS = 15.0
_TURN_SECONDS = 30.0
_BUSY_SECONDS = 10.0
_PAUSES = Backoff(0.02, 1.0)

_logger = logging.getLogger("bridge.authorization")


@dataclass(frozen=True)
class Joined:
    """A connection to a login. `was_under_way`: another process started it. `pid` is its process, 0 if unknown."""

    channel: Channel
    was_under_way: bool
    pid: int = 0


class Logins:
    """The logins with one store key (`login_order.login_key`). `notice` takes a sentence about missing locks."""

    def __init__(self, store_key: str, paths: StorePaths, notice: Callable[[str], None]) -> None:
        self._store_key = store_key
        self.files = LoginFiles(paths)
        self._locks = ProcessLocks(paths.locks, notice)

    async def join(self) -> Joined | None:
        """The login that is under way; None where there is none."""
        notice = self.files.notice(self._store_key)
        channel = await reach(notice) if notice else None
        return Joined(channel, was_under_way=True, pid=notice.pid) if notice and channel else None

    async def join_or_start(self, order: Order, may_start: Callable[[], Awaitable[bool]]) -> Joined | None:
        """The login that is under way, else a new one; None where `may_start`, called before a start, says no.

        Raises `BridgeError` where none can start, `ChannelLost` where it ends before it is reached, and whatever
        `may_start` raises.
        """
        if joined := await self.join():
            return joined
        async with self._turn():
            end = None
            pauses = _PAUSES.pauses()
            while True:
                if joined := await self.join():
                    return joined
                judged_at = time.time()
                if not await may_start():
                    return None
                if joined := await self._start(msgspec.structs.replace(order, judged_at=judged_at)):
                    return joined
                now = asyncio.get_running_loop().time()
                # The time counts from here, because a process that starts slowly is not silent yet.
                end = end or now + _BUSY_SECONDS
                if now >= end:
                    raise self._stuck()
                await asyncio.sleep(next(pauses))

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._locks.hold(f"{self._store_key}.start", _TURN_SECONDS))
            except BridgeError as problem:
                _logger.debug("other copies may start a login at the same time: %s", problem)
            yield

    async def _start(self, order: Order) -> Joined | None:
        """A new login; None where the caller has to look again for one that is under way, and for its outcome.

        This is so where another login is under way that has not written its notice yet, or is ending; or where the new
        one ended before it could be reached, as when this machine was suspended.
        """
        match await self._launch(order):
            case Unable(message=message, hint=hint):
                raise SignInError(message, hint=hint)
            case Ready(port=port, key=key):
                with contextlib.suppress(ChannelLost):
                    channel = await Channel.connect(port, bytes.fromhex(key), _CONNECT_SECONDS)
                    return Joined(channel, was_under_way=False)
        return None

    async def _launch(self, order: Order) -> Ready | Busy | Unable:
        command = [sys.executable, "-P", "-m", "bridge", "login-process"]
        # The process is in a session of its own, so it cannot find what only the processes above this one have.
        own = child_environment(os.environ, order.settings.secret_variables)
        desktop = await desktop_here(own)
        environ = detached_environment({**own, **desktop.variables})
        order = msgspec.structs.replace(order, desktop=str(desktop))
        try:
            line = await start_detached(command, environ, encode_order(order), _START_SECONDS)
            return decode_answer(line or b"")
        except TimeoutError:
            return Busy()  # The machine is slow; the notice of the process will come.
        except ValueError:
            raise SignInError(
                f"The login process for {order.settings.url} started, but ended without a result.",
                hint=f"Run {PROGRAM} login with the same URL in a terminal, with --log-file FILE: the process "
                "writes its log there.",
            ) from None

    def _stuck(self) -> SignInError:
        notice = self.files.notice(self._store_key)
        which = f"The process {notice.pid}" if notice else "A process"
        return SignInError(
            f"{which} is signing in to the same server and does not answer.",
            hint="End it, and sign in again.",
        )


async def reach(notice: Notice) -> Channel | None:
    """A connection to the login of this notice; None where that login has ended."""
    try:
        return await Channel.connect(notice.port, bytes.fromhex(notice.key), _CONNECT_SECONDS)
    except (ChannelLost, ValueError):
        return None
