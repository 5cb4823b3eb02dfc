"""The log level of a legacy session: the most verbose that a request of the host has asked for.

A modern host names the level in each request (MCP 2026-07-28, Logging); a legacy server has one for the session
(MCP 2025-11-25, Logging). Levels are indices into `mcp.LOG_LEVELS`: a low one is verbose.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Request, Response
from bridge.translate.downgrade.legacy_server import LegacyServer
from bridge.translate.translator import TranslatorPort

_SECONDS = 5.0
"""How long a request waits until its level is set. Then it is sent without, because it matters more than the log."""


class LogLevel:
    """Sets the level. Only one `logging/setLevel` is unanswered at a time, so the last one sent is in effect."""

    def __init__(self, port: TranslatorPort, server: LegacyServer) -> None:
        self._server = server
        self._level = len(mcp.LOG_LEVELS)
        self._is_asking = False
        self._waiting: list[tuple[int, Request | None, Callable[[], None]]] = []
        self._limit = port.timer("log-level", self._too_late)

    def reach(self, level: int, request: Request | None, then: Callable[[], None]) -> None:
        """Call `then` once the session's level is at least as verbose as this, or cannot be set.

        `request` is the host's that waits for that, None where none does.
        """
        if self._level <= level or not self._server.offers("logging"):
            then()
            return
        self._waiting.append((level, request, then))
        if not self._is_asking:
            self._ask()

    def forget(self, request: Request) -> None:
        """The host cancelled a request: it does not wait any more."""
        self._waiting = [waiter for waiter in self._waiting if waiter[1] is not request]

    def take_waiting(self) -> list[Request]:
        """Remove and return the requests that wait."""
        waiting, self._waiting = self._waiting, []
        return [request for _, request, _ in waiting if request is not None]

    def _too_late(self) -> None:
        """The server does not answer in time: send what waits without its level."""
        waiting, self._waiting = self._waiting, []
        for _, _, then in waiting:
            then()

    def _ask(self) -> None:
        self._is_asking = True
        self._limit.start(_SECONDS)
        level = min(level for level, _, _ in self._waiting)
        params = msgspec.json.encode({"level": mcp.LOG_LEVELS[level]})
        then = partial(self._answered, level)
        self._server.ask(self._server.number(), mcp.SET_LEVEL, params, then, self._rerouted)

    def _answered(self, level: int, _response: Response) -> None:
        """A level that the server rejects is not set again."""
        self._stop_asking()
        self._level = min(level, self._level)
        waiting, self._waiting = self._waiting, []
        self._waiting.extend(waiter for waiter in waiting if waiter[0] < level)
        if self._waiting:
            self._ask()
        for wanted, _, then in waiting:
            if wanted >= level:
                then()

    def _stop_asking(self) -> None:
        self._is_asking = False
        self._limit.stop()

    def _rerouted(self) -> list[Request]:
        self._stop_asking()
        return self.take_waiting()
