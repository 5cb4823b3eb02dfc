"""The parts of the bridge that only a process has, and what stands for them in a thread: the table `REPLACED`."""

from __future__ import annotations

import functools
import logging
import os
import ssl
import time
from collections.abc import Callable
from typing import Any, cast

from keyring.backends import null

from bridge.config import Settings
from bridge.process import log
from bridge.process.log import Log
from bridge.protocol.jsonrpc import Octets
from bridge.remote import tls
from bridge.tokens.login_order import Answer, Order, decode_order
from bridge.tokens.login_session import LoginSession
from tests.support.in_process.process_threads import BridgeThread, LoginThread, is_heard_by, this_thread


class _Input:
    def __init__(self, descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._host = cast("BridgeThread", this_thread()).stdin
        self._on_data, self._on_end = on_data, on_end

    def start(self) -> None:
        self._host.read(self._on_data, self._on_end)


class _Output:
    is_clear = True

    def __init__(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        self.has_headers = False
        self._bridge = cast("BridgeThread", this_thread())

    def write(self, line: Octets) -> None:
        assert not self.has_headers, "bridges that speak so are tested as processes"
        self._bridge.wrote(bytes(line) + b"\n")

    async def drained(self) -> None:
        """It has always room."""

    async def close(self, seconds: float) -> None:
        """Everything was handed on at once."""


class _StderrLines:
    def __init__(self) -> None:
        self._standin = this_thread()

    def write(self, text: str, *, is_kept: bool = False) -> None:
        self._standin.wrote_to_stderr(text)

    def close(self, seconds: float) -> None:
        """Everything was handed on at once."""


def _take_order() -> Order:
    return decode_order(cast("LoginThread", this_thread()).order)


def _answer(said: Answer) -> None:
    cast("LoginThread", this_thread()).answer(said)


def _configure_log(settings: Settings) -> Log:
    made = _REAL_CONFIGURE(settings)
    for handler in made._handlers:
        handler.addFilter(is_heard_by(this_thread()))
    return made


def _login(*arguments: Any) -> LoginSession:
    """One whose handler of log records hears its own only."""
    logger = logging.getLogger("bridge")
    before = list(logger.handlers)
    login = LoginSession(*arguments)
    for handler in set(logger.handlers) - set(before):
        handler.addFilter(is_heard_by(this_thread()))
    return login


def _ssl_context(settings: Settings, *, may_verify_late: bool = False) -> ssl.SSLContext:
    if settings.ca_file or settings.client_cert:
        return _REAL_SSL_CONTEXT(settings, may_verify_late=may_verify_late)
    return _usual_ssl_context(may_verify_late)


@functools.cache
def _usual_ssl_context(may_verify_late: bool) -> ssl.SSLContext:
    return _REAL_SSL_CONTEXT(Settings("https://mcp.example/mcp"), {}, may_verify_late=may_verify_late)


_REAL_CONFIGURE = log.configure
_REAL_SSL_CONTEXT = tls.ssl_context
NO_KEYRING: Any = null.Keyring()  # type: ignore[no-untyped-call]
_NOWHERE = os.open(os.devnull, os.O_RDWR)
"""No terminal; nothing is read from it or written to it."""

REPLACED: dict[str, object] = {
    "bridge.app.start.take_over": lambda: (_NOWHERE, _NOWHERE),
    "bridge.app.main.HostInput": _Input,
    "bridge.app.main.HostOutput": _Output,
    "bridge.app.main.watch_hang_up": lambda descriptor, on_hang_up: None,
    "bridge.app.main.watch_parent": lambda on_death: True,
    "bridge.app.main.stop_on_signals": lambda stop: None,
    "bridge.app.main.end_for_certain": lambda seconds, code: None,
    "bridge.app.main._collect_again": lambda: None,
    "bridge.app.main.run_on_loop": lambda work: this_thread().run_on_loop(work),
    "bridge.process.log.configure": _configure_log,
    "bridge.process.log.StderrLines": _StderrLines,
    "bridge.process.log._take_hooks": lambda: None,
    "bridge.process.log_head.log_head": lambda settings, what: None,
    "bridge.tokens.login_process.LoginSession": _login,
    "bridge.tokens.login_process.log_head": lambda settings, what: None,
    "bridge.tokens.login_process.end_for_certain": lambda seconds, code: None,
    "bridge.tokens.login_process.run_on_loop": lambda work: this_thread().run_on_loop(work),
    "bridge.tokens.login_process._take_order": _take_order,
    "bridge.tokens.login_process.answer": _answer,
    "bridge.tokens.login_session.stop_on_signals": lambda stop: None,
    "bridge.remote.tls.ssl_context": _ssl_context,
    "time.process_time": time.thread_time,
    "os.fsync": lambda descriptor: None,
}
