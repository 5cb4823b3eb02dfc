"""Runs a router on the event loop: turns what happens into events, and commands into IO. Only this module does both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bridge.errors import SERVER_ERROR
from bridge.host.output import HostOutput
from bridge.process.suspend import SuspendDetector
from bridge.protocol import hosts, jsonrpc, mcp
from bridge.protocol.framing import Framed, HostFraming
from bridge.protocol.jsonrpc import Request
from bridge.remote.exchanges import Remote, RemoteRequest
from bridge.remote.http1 import Header
from bridge.remote.response_reader import MAX_MESSAGE_BYTES
from bridge.session.commands import (
    Abandon,
    CancelTimer,
    Command,
    Connect,
    DrainStream,
    DropConnections,
    DropResponses,
    EndSession,
    FindResponse,
    KeepResponse,
    OpenSignIn,
    OpenStream,
    Post,
    Report,
    SaveEras,
    SaveResult,
    SendToHost,
    SetTimer,
)
from bridge.session.events import (
    Cause,
    Event,
    ExchangeFailed,
    HostClosed,
    HostMessage,
    SystemResumed,
    TimerFired,
    TimerKey,
)
from bridge.session.host_input import read_line
from bridge.session.router import HostRouter

if TYPE_CHECKING:
    from bridge.app.response_cache import KeptResponses
    from bridge.provisional.standby import Standby

_NOTE_SECONDS = 30.0
_SETTLE_SECONDS = 1.0
_QUICK_ANSWER_SECONDS = 1.0
_GOODBYE_SECONDS = 0.5

_POST_HEADERS: tuple[Header, ...] = (
    (b"accept", mcp.JSON + b", " + mcp.EVENT_STREAM),
    (b"content-type", mcp.JSON),
    (b"accept-encoding", b"identity"),
)
_STREAM_HEADERS: tuple[Header, ...] = (
    (b"accept", mcp.EVENT_STREAM),
    (b"accept-encoding", b"identity"),
    (b"cache-control", b"no-store"),
)

_DEFECT = "A bug in the bridge stopped it from handling this request. With --log-level debug, the log shows where."

_logger = logging.getLogger("bridge.session")


class Bridge:
    """Runs one router until it is told to stop. Everything here runs on the event loop's thread.

    `remember(eras)` stores, for later runs, which eras the server supports.
    """

    def __init__(
        self, machine: HostRouter | Standby, output: HostOutput, remember: Callable[[frozenset[str]], None]
    ) -> None:
        self._machine = machine
        self._output = output
        self._remember = remember
        self._loop = asyncio.get_running_loop()
        self._framing = HostFraming(MAX_MESSAGE_BYTES)
        self._sleep = SuspendDetector()
        self._exchanges: dict[int, asyncio.Task[None]] = {}
        self._timers: dict[TimerKey, asyncio.TimerHandle] = {}
        self._stop: asyncio.Future[str] = self._loop.create_future()
        self._quiet: asyncio.Event | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._remote: Remote
        self._drop_idle: Callable[[], None]
        self._wish: Callable[[], None]
        self._responses: Callable[[], KeptResponses]
        self._is_host_told = not _logger.isEnabledFor(logging.DEBUG)
        self._act: dict[type, Callable[[Any], None]] = {
            SendToHost: self._send_to_host,
            SaveEras: lambda command: self._remember(command.eras),
            Post: self._post,
            OpenStream: self._open_stream,
            EndSession: self._end_session,
            Abandon: self._abandon,
            DrainStream: self._settle,
            SetTimer: self._set_timer,
            CancelTimer: self._cancel_timer,
            DropConnections: self._drop_connections,
            Connect: self._connect,
            OpenSignIn: self._sign_in,
            FindResponse: lambda command: self._responses().find(command),
            KeepResponse: lambda command: self._responses().keep(command),
            DropResponses: lambda command: self._responses().drop(command),
            SaveResult: self._save_result,
        }

    def connect(self, remote: Remote, drop_idle: Callable[[], None], wish: Callable[[], None] = lambda: None) -> None:
        """Set what carries out exchanges, drops idle connections, and is called when the user asks to sign in."""
        self._remote = remote
        self._drop_idle = drop_idle
        self._wish = wish

    def use_kept_responses(self, responses: Callable[[], KeptResponses]) -> None:
        """Set what makes the store of answers, when the machine first asks for one."""
        self._responses = responses

    @property
    def host_name(self) -> str:
        """The host's name for itself; empty until it has given one."""
        return self._machine.host_name

    # -- what happens

    def on_input(self, data: bytes) -> None:
        """The host sent something."""
        if slept := self._sleep.slept():
            _logger.info("the machine was suspended for %.0f seconds; the bridge reconnects", slept)
            self.take(SystemResumed(slept))
        self._take_all(self._framing.feed(data))

    def on_input_end(self) -> None:
        """The host will send no more."""
        self._take_all(self._framing.end())
        self.stop("end of input")

    def _take_all(self, messages: Sequence[Framed]) -> None:
        self._output.has_headers = self._framing.has_headers
        for message in messages:
            event = read_line(message)
            if isinstance(event, bytes):
                self._output.write(event)
            else:
                self.take(event)

    def take(self, event: Event) -> None:
        """Give an event to the machine, and carry out its commands."""
        if not self._is_host_told and isinstance(event, HostMessage) and isinstance(event.message, Request):
            self._tell_host(event.message)
        try:
            commands = self._machine.handle(event, time.monotonic())
        except Exception:
            _logger.error("a bug in the bridge: %s was not handled", type(event).__name__, exc_info=True)
            if isinstance(event, HostMessage) and isinstance(event.message, Request):
                self._output.write(jsonrpc.error_line(event.message.raw_id, SERVER_ERROR, _DEFECT))
            return
        for command in commands:
            if type(command) is Report:
                # After the messages to the host in this turn of the loop: the first line of a log takes milliseconds.
                self._loop.call_soon(self._loop.call_soon, self._report, command)
            else:
                self._act[type(command)](command)
        if self._quiet is not None and not self._machine.busy:
            self._quiet.set()

    def _tell_host(self, request: Request) -> None:
        if host := hosts.described(request.params):
            self._is_host_told = True
            _logger.debug("host: %s", host)

    def stop(self, why: str) -> None:
        """End the run. The first reason that is given counts."""
        if not self._stop.done():
            self._stop.set_result(why)

    # -- the run

    async def run(self, on_stop: Callable[[], None]) -> None:
        """Run until `stop` is called, then call `on_stop` and end the session within two seconds."""
        why = await self._stop
        on_stop()
        _logger.debug("stopping: %s", why)
        if why == "end of input" and self._machine.busy:
            self._quiet = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_QUICK_ANSWER_SECONDS):
                    await self._quiet.wait()
        self.take(HostClosed())
        for timer in self._timers.values():
            timer.cancel()
        if self._exchanges:
            await asyncio.wait(self._exchanges.values(), timeout=_GOODBYE_SECONDS)
        for task in self._exchanges.values():
            task.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        await self._output.close(_GOODBYE_SECONDS / 2)

    # -- what to do

    def _send_to_host(self, command: SendToHost) -> None:
        self._output.write(command.line)

    def _post(self, command: Post) -> None:
        self._begin(
            RemoteRequest(
                command.exchange,
                b"POST",
                _POST_HEADERS + command.headers,
                bytes(command.body),  # They are: nothing is copied.
                command.endpoint,
                command.urgent,
                _NOTE_SECONDS if command.urgent else None,
                command.quiet,
                command.tentative,
            )
        )

    def _open_stream(self, command: OpenStream) -> None:
        headers = _STREAM_HEADERS + command.headers
        self._begin(RemoteRequest(command.exchange, b"GET", headers, urgent=True, quiet=command.quiet))

    def _end_session(self, command: EndSession) -> None:
        self._begin(RemoteRequest(command.exchange, b"DELETE", command.headers, urgent=True))

    def _begin(self, request: RemoteRequest) -> None:
        task = self._exchanges[request.exchange] = self._loop.create_task(self._carry_out(request))
        # Not a `finally` in the task, because a task that is cancelled before it begins never reaches it.
        task.add_done_callback(lambda _: self._exchanges.pop(request.exchange, None))

    async def _carry_out(self, request: RemoteRequest) -> None:
        try:
            await self._remote.run(request)
        except Exception:
            _logger.error("a bug in the bridge: an exchange was not carried out", exc_info=True)
            self.take(ExchangeFailed(request.exchange, Cause.PROTOCOL, True, _DEFECT))

    def _abandon(self, command: Abandon) -> None:
        if task := self._exchanges.get(command.exchange):
            task.cancel()

    def _settle(self, command: DrainStream) -> None:
        if task := self._exchanges.get(command.exchange):
            self._loop.call_later(_SETTLE_SECONDS, task.cancel)

    def _set_timer(self, command: SetTimer) -> None:
        self._cancel_timer(command)
        # Random, so that many bridges do not return to a server at the same moment.
        seconds = command.seconds * (1 - command.spread * _chance()) if command.spread else command.seconds
        self._timers[command.timer] = self._loop.call_later(seconds, self._fire, command.timer)

    def _cancel_timer(self, command: SetTimer | CancelTimer) -> None:
        if timer := self._timers.pop(command.timer, None):
            timer.cancel()

    def _fire(self, timer: TimerKey) -> None:
        self._timers.pop(timer, None)
        self.take(TimerFired(timer))

    def _drop_connections(self, _: Command) -> None:
        self._drop_idle()

    def _connect(self, _: Command) -> None:
        self._connecting = self._loop.create_task(self._remote.connect())

    def _sign_in(self, _: Command) -> None:
        self._loop.call_soon(self._wish)  # After the other commands.

    def _save_result(self, command: SaveResult) -> None:
        from bridge.app.saved_results import save_result  # Only with --max-result.

        save_result(command, self.take)

    def _report(self, command: Report) -> None:
        _logger.log(logging.getLevelNamesMapping()[command.level.upper()], "%s", command.text)


def _chance() -> float:
    from random import random

    return random()  # noqa: S311
