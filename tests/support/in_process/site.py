"""A whole sign-in without a process: the bridge, the login process and the browser each run in a thread of the test's.

`InProcessSite` is a `Site` whose bridges start in milliseconds. All of the bridge is real, from the command line's
words to the sockets; what only a process has is replaced, and that is the table `process_parts.REPLACED`:

| of a process | here |
|---|---|
| stdin, stdout, stderr | queues between the threads |
| its environment | this process's, for as long as the site is open; `env` of a bridge for as long as that bridge runs |
| the log's sinks | one root logger, whose handlers hear their own thread only |
| the login process | a thread, started with the order as it would come on stdin |
| the browser | a thread, with `browser_program.visit` |
| signals, the parent's death, the timer that ends a process | none |
| the keyring | none, as in the environment of `bridge_process` |
| the system's certificates | read once |
| the disk's promise that a file is there after a power cut | not waited for |

So a test that is about the life of a process, its streams, several copies, or how programs are started needs `Site`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast
from unittest import mock

import keyring.core

from bridge.cli.plain import plain_settings
from bridge.tokens.authorization import Authorization
from tests.support.in_process.process_parts import NO_KEYRING, REPLACED
from tests.support.in_process.process_threads import BridgeThread, LoginThread
from tests.support.oauth.browser_program import visit
from tests.support.oauth.site import Site
from tests.support.oauth.user import Person
from tests.support.ports import callback_ports_of_tests
from tests.support.process.bridge_process import BridgeProcess, environment
from tests.support.revisions import Wire
from tests.support.waits import stretched


class Visitor(Person):
    """A person whose browser is a thread."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.in_process: InProcess
        self._seen: list[dict[str, Any]] = []

    def launch(
        self,
        url: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        patience: float | None = None,
        wire: Wire | None = None,
        own_session: bool = False,
        as_program: bool = False,
    ) -> contextlib.AbstractAsyncContextManager[BridgeProcess]:
        assert not as_program, "A bridge in threads is not a program of its own."
        own = self.environment() | dict(env or {})
        return self.in_process.bridge(url, *arguments, env=own, patience=patience, wire=wire)

    def _records(self) -> list[dict[str, Any]]:
        return list(self._seen)

    async def start(self, command: Sequence[str], environ: Mapping[str, str]) -> str:
        """Start the browser; why it did not start, empty if it did."""
        browser = environ["LOGIN_BROWSER_DO"]
        if browser == "fail":
            return "ended with status 1"
        url = command[-1]
        self._seen.append({"opened": url, "environ": dict(environ), "parent": os.getpid()})
        if browser == "follow":
            threading.Thread(target=visit, args=(url, self._seen.append), name="browser", daemon=True).start()
        return ""


def client_clock_ahead(seconds: float) -> contextlib.AbstractContextManager[object]:
    """Let bridges that start meanwhile believe that it is later: what they do near a token's end, without the wait."""
    defaults = Authorization.__init__.__kwdefaults__
    return mock.patch.dict(defaults, clock=lambda: time.time() + seconds)


@contextlib.asynccontextmanager
async def visitor(folder: Path) -> AsyncIterator[Visitor]:
    """A person for whom everything is in this process."""
    person = Visitor(folder)
    async with InProcess(person):
        yield person


class InProcess:
    """Where bridges, login processes and browsers of one person are threads; use as an async context manager."""

    def __init__(self, person: Visitor) -> None:
        self._person = person
        person.in_process = self
        self._logins: list[LoginThread] = []
        self._stack = contextlib.ExitStack()
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        patches = {
            **REPLACED,
            "bridge.tokens.logins.start_detached": self._start_login,
            "bridge.login.browser._start": self._person.start,
        }
        with contextlib.ExitStack() as stack:
            for name, standin in patches.items():
                stack.enter_context(mock.patch(name, standin))
            stack.enter_context(mock.patch.object(keyring.core, "_keyring_backend", NO_KEYRING))
            own = environment(self._person.home, self._person.environment())
            own |= {name: value for name, value in os.environ.items() if name.startswith("MCP_BRIDGE_TEST_")}
            stack.enter_context(mock.patch.dict(os.environ, own, clear=True))
            stack.enter_context(_logging_as_before())
            stack.enter_context(callback_ports_of_tests())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *details: object) -> None:
        with self._stack:
            for login in self._logins:
                login.kill()
                await login.gone()

    @contextlib.asynccontextmanager
    async def bridge(
        self,
        url: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        patience: float | None = None,
        wire: Wire | None = None,
    ) -> AsyncIterator[BridgeProcess]:
        """Run the bridge, as `bridge_process.launch` does."""
        own = dict(env or {}) | ({} if patience is None else {"MCP_BRIDGE_PATIENCE": f"{stretched(patience):g}"})
        with mock.patch.dict(os.environ, own):
            settings = plain_settings([url, *arguments], os.environ)
            assert settings is not None, "what click is to read is tested with a process"
            standin = BridgeThread(settings)
            standin.start()
            bridge = BridgeProcess(cast("asyncio.subprocess.Process", standin), wire)
            try:
                yield bridge
            finally:
                await bridge.end()
        bridge.check()

    async def _start_login(
        self, command: Sequence[str], environ: Mapping[str, str], order: bytes, seconds: float
    ) -> bytes:
        """In the place of `start_detached`, on the loop of the bridge that starts it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._login(order), self._loop))

    async def _login(self, order: bytes) -> bytes:
        login = LoginThread(order)
        self._logins.append(login)
        login.start()
        return await login.said


class InProcessSite(Site):
    """A `Site` whose bridges, login processes and browsers are threads of this process."""

    person_type = Visitor

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._stack.enter_async_context(InProcess(cast("Visitor", self.person)))
        return self

    def _end_logins(self) -> None:
        """They end with the rest."""


@contextlib.contextmanager
def _logging_as_before() -> Iterator[None]:
    """Give loggers back as they were: those that ended last saw what another had set."""
    loggers = [logging.getLogger(), logging.getLogger("bridge")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
