"""The reference `mcp` client as the desktop host: it launches the bridge and talks to it over stdio.

`ClientSession.initialize` is the handshake of the revisions up to 2025-11-25. The package's higher `Client`
starts by asking `server/discover` of the next revision; a host that does so is `discovering_host`.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
from mcp import Client, ClientSession, types
from mcp.client.session import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.support.process.bridge_process import ROOT, environment, forked_command
from tests.support.waits import stretched

DEADLINE = 8.0
"""Seconds any single answer may take; far above what is normal, so that only a hang meets it."""

CLIENT_INFO = types.Implementation(name="reference-host", version="9.8.7", title="The host")
ROOTS = [
    types.Root.model_validate({"uri": "file:///home/anna/houses", "name": "Häuser"}),
    types.Root.model_validate({"uri": "file:///srv"}),
]
Notification = TypeVar("Notification")
_markers = itertools.count(1)


@dataclass
class ReferenceHost:
    """A connected host: the session, all that the server sent of its own accord, and the answers to give."""

    session: ClientSession = field(init=False)
    elicitation: types.ElicitResult = field(
        default_factory=lambda: types.ElicitResult(action="accept", content={"name": "Zoë"})
    )
    notifications: list[Any] = field(default_factory=list)
    logs: list[types.LoggingMessageNotificationParams] = field(default_factory=list)
    samplings: list[types.CreateMessageRequestParams] = field(default_factory=list)
    elicitations: list[types.ElicitRequestParams] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    """What came on the bridge's stdout and was no message."""
    _bell: anyio.Event = field(default_factory=anyio.Event)

    def _ring(self) -> None:
        bell, self._bell = self._bell, anyio.Event()
        bell.set()

    async def on_message(self, message: types.ServerNotification | Exception) -> None:
        """Keep a notification, or the proof that stdout carried something else."""
        if isinstance(message, Exception):
            self.broken.append(message)
        else:
            self.notifications.append(message)
        self._ring()

    async def on_log(self, params: types.LoggingMessageNotificationParams) -> None:
        """Keep a log message."""
        self.logs.append(params)
        self._ring()

    async def on_sampling(
        self, context: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        """Answer as a model would, naming the prompt."""
        self.samplings.append(params)
        content = params.messages[0].content
        text = content.text if isinstance(content, types.TextContent) else "?"
        answer = types.TextContent(type="text", text=f"you said: {text}")
        return types.CreateMessageResult(role="assistant", content=answer, model="none", stop_reason="endTurn")

    async def on_elicitation(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        """Answer as the test says the user does."""
        self.elicitations.append(params)
        return self.elicitation

    async def on_roots(self, context: ClientRequestContext) -> types.ListRootsResult:
        """Name the host's roots."""
        return types.ListRootsResult(roots=ROOTS)

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool of the reference server and return the value it said; fails on a tool error."""
        result = await self.session.call_tool(tool, arguments)
        assert not result.is_error, result
        assert result.structured_content is not None, result
        return result.structured_content["value"]

    def received(self, kind: type[Notification]) -> list[Notification]:
        """Every notification of one kind so far."""
        return [message for message in self.notifications if isinstance(message, kind)]

    async def until(self, condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
        """Wait for what the server sends to make `condition` true."""
        with anyio.move_on_after(stretched(deadline)):
            while not condition():
                await self._bell.wait()
        assert condition(), f"no {what} within {deadline} s; had {self.notifications[-5:]} {self.logs[-5:]}"

    async def listening(self) -> None:
        """Wait until messages on the standing GET stream arrive, which opens some time after the handshake.

        A message sent before that is lost by right (there is no stream it could be on), so one is asked
        for again until the first has come through.
        """
        marker = f"marker-{next(_markers)}"

        def arrived() -> bool:
            return any(log.data == marker for log in self.logs)

        with anyio.fail_after(stretched(DEADLINE)):
            while not arrived():
                await self.call("log", data=marker, standalone=True)
                with anyio.move_on_after(0.1):
                    while not arrived():
                        await self._bell.wait()


def launching(url: str, home: str, *options: str) -> StdioServerParameters:
    """How the reference client starts the bridge, with a home of its own."""
    (program, *arguments), variables = forked_command(url, *options)
    env = environment(Path(home), variables)
    return StdioServerParameters(command=program, args=arguments, env=env, cwd=str(ROOT))


@contextlib.asynccontextmanager
async def reference_host(
    url: str, *options: str, version: str | None = None, host: ReferenceHost | None = None
) -> AsyncIterator[ReferenceHost]:
    """A host whose session is initialized; `version` asks for another revision than the package's latest.

    At the end the bridge must have kept the rules of every test: nothing but messages on stdout, no
    traceback on stderr.
    """
    host = host or ReferenceHost()
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        errors = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
        try:
            async with (
                stdio_client(launching(url, home, *options), errlog=errors) as (incoming, outgoing),
                ClientSession(
                    incoming,
                    outgoing,
                    read_timeout_seconds=stretched(DEADLINE),
                    sampling_callback=host.on_sampling,
                    elicitation_callback=host.on_elicitation,
                    list_roots_callback=host.on_roots,
                    logging_callback=host.on_log,
                    message_handler=host.on_message,
                    client_info=CLIENT_INFO,
                ) as session,
            ):
                host.session = session
                await (initialize(session, version) if version else session.initialize())
                yield host
        except Exception as error:
            cause = _alone(error)
            cause.add_note(f"stderr of the bridge: {_said(errors)[-3000:]}")
            raise cause from cause.__cause__
        assert "Traceback" not in _said(errors), _said(errors)
    assert not host.broken, host.broken


async def initialize(session: ClientSession, version: str) -> None:
    """The handshake at a revision of the caller's choice; the package itself asks for its latest only."""
    params = types.InitializeRequestParams(
        protocol_version=version, capabilities=types.ClientCapabilities(), client_info=CLIENT_INFO
    )
    result = await session.send_request(types.InitializeRequest(params=params), types.InitializeResult)
    assert result.protocol_version == version
    session.adopt(result)
    await session.send_notification(types.InitializedNotification())


@contextlib.asynccontextmanager
async def discovering_host(url: str, *options: str) -> AsyncIterator[Client]:
    """The package's `Client` as it comes: it asks `server/discover` first and falls back to `initialize`."""
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        errors = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
        transport = stdio_client(launching(url, home, *options), errlog=errors)
        async with Client(transport, mode="auto", client_info=CLIENT_INFO) as client:
            yield client
        assert "Traceback" not in _said(errors), _said(errors)


async def eventually(condition: Callable[[], Awaitable[bool]], deadline: float = DEADLINE) -> None:
    """Ask a server until it says yes; for what it does not tell of its own accord."""
    with anyio.fail_after(stretched(deadline)):
        while not await condition():  # noqa: ASYNC110 - the answer is in another process
            await anyio.sleep(0.02)


def _alone(error: Exception) -> Exception:
    """The failure of a test that the client's task groups wrapped, or the group where there are several."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _said(errors: Any) -> str:
    errors.seek(0)
    said: str = errors.read()
    return said
