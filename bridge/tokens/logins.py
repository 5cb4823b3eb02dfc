"""One login for each server and profile on the machine: joined where one is under way, else started.

A login is a process of its own, so it outlives whoever started it. The order of things, for as many copies of the
bridge as there are:

| step | why |
|---|---|
| look for a notice and ask at its port | most often that is enough: nothing is locked and nothing started |
| take the lock `<store_key>.start`, look again | of those who found none, one at a time goes on |
| see whether a login is needed still, and may be begun | the one before may have brought the token, or a refusal |
| start a process, and read from it where it listens | it takes the lock `<store_key>`, which dies with it |
| where it finds that another has the lock, or had it since, look again | one may have ended while it was started |
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
from bridge.login.spawn import start_detached, surroundings_of
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
    """The way to a login. `was_under_way` tells that somebody else began it; `pid` is its process, 0 if unknown."""

    channel: Channel
    was_under_way: bool
    pid: int = 0


class Logins:
    """Logins in one store key (`login_order.login_key`). `notice` takes a sentence about locks that cannot be had."""

    def __init__(self, store_key: str, places: StorePaths, notice: Callable[[str], None]) -> None:
        self._store_key = store_key
        self.files = LoginFiles(places)
        self._locks = ProcessLocks(places.locks, notice)

    async def join(self) -> Joined | None:
        """The login that is under way, if there is one."""
        notice = self.files.notice(self._store_key)
        channel = await reach(notice) if notice else None
        return Joined(channel, was_under_way=True, pid=notice.pid) if notice and channel else None

    async def join_or_start(self, order: Order, may_start: Callable[[], Awaitable[bool]]) -> Joined | None:
        """The login that is under way, else a new one; None where `may_start`, asked just before, says no.

        Raises `BridgeError` where none can be started, `ChannelLost` where it is over before it is reached, and
        whatever `may_start` raises.
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
                # Only from here on: where a process takes long to start, it is not yet known to be silent.
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
                _logger.debug("other processes cannot be kept from starting a login: %s", problem)
            yield

    async def _start(self, order: Order) -> Joined | None:
        """A new login; None where it is to be looked again for one, and for what became of it.

        Another is under way: one that was started by a copy that died at once, and has not said yet where it is, or
        one at its end. Or the new one was over before it could be asked, as when this machine or this process slept.
        """
        answer = await self._launch(order)
        if isinstance(answer, Unable):
            raise SignInError(answer.message, hint=answer.hint)
        if isinstance(answer, Ready):
            with contextlib.suppress(ChannelLost):
                channel = await Channel.connect(answer.port, bytes.fromhex(answer.key), _CONNECT_SECONDS)
                return Joined(channel, was_under_way=False)
        return None

    async def _launch(self, order: Order) -> Ready | Busy | Unable:
        command = [sys.executable, "-P", "-m", "bridge", "login-process"]
        # It is in a session of its own and outlives us, so it cannot find what only the processes above us have.
        own = child_environment(os.environ, order.settings.secret_variables)
        desktop = await desktop_here(own)
        environ = surroundings_of({**own, **desktop.variables})
        order = msgspec.structs.replace(order, desktop=str(desktop))
        try:
            line = await start_detached(command, environ, encode_order(order), _START_SECONDS)
            return decode_answer(line or b"")
        except TimeoutError:
            return Busy()  # A slow machine: it is at it, and will be found by its notice.
        except ValueError:
            raise SignInError(
                f"The process that is to sign in to {order.settings.url} was started, but ended without a result.",
                hint=f"Run {PROGRAM} login with the same URL in a terminal; --log-file names a file for the "
                "process to write to.",
            ) from None

    def _stuck(self) -> SignInError:
        notice = self.files.notice(self._store_key)
        which = f"The process {notice.pid}" if notice else "A process"
        return SignInError(
            f"{which} is signing in to the same server and does not answer.",
            hint="End it, and sign in again.",
        )


async def reach(notice: Notice) -> Channel | None:
    """The way to the login that this notice is about; None where it is over."""
    try:
        return await Channel.connect(notice.port, bytes.fromhex(notice.key), _CONNECT_SECONDS)
    except (ChannelLost, ValueError):
        return None
