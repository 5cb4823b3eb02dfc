"""The reference `mcp` client as a host of either era, and what of it is the same in both.

A host of 2026-07-28 asks `server/discover` first; what the server wants to know of it comes in results, and changes
come on `subscriptions/listen`. A host of 2025-11-25 opens with `initialize`; the server sends it requests, and changes
just come. `EitherEraHost` hides that, so that one test serves every pairing.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import anyio
from mcp import Client, types
from mcp.client.session import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from tests.support.hosts.reference_host import CLIENT_INFO, DEADLINE, ROOTS, launching
from tests.support.revisions import MODERN, Wire
from tests.support.waits import stretched

Era = Literal["legacy", "modern"]
LEGACY = "2025-11-25"
Streams = tuple[Any, Any]
Transport = AbstractAsyncContextManager[Streams]
Kind = TypeVar("Kind")


@dataclass
class EitherEraHost:
    """A connected host: what came of the server's own accord, and the answers it gives to questions."""

    era: Era
    client: Client = field(init=False)
    elicitation: types.ElicitResult = field(
        default_factory=lambda: types.ElicitResult(action="accept", content={"name": "Zoë"})
    )
    notifications: list[Any] = field(default_factory=list)
    logs: list[types.LoggingMessageNotificationParams] = field(default_factory=list)
    samplings: list[types.CreateMessageRequestParams] = field(default_factory=list)
    elicitations: list[types.ElicitRequestParams] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    """What came and was no message."""
    wire: Wire = field(init=False)
    """Has looked at every message between this host and its counterpart."""
    said: Callable[[], str] = field(init=False)
    """What the bridge has written on stderr so far."""
    _bell: anyio.Event = field(default_factory=anyio.Event)

    def _ring(self) -> None:
        bell, self._bell = self._bell, anyio.Event()
        bell.set()

    def begin(self) -> None:
        """Forget what came so far, for another test with the same connection."""
        self.elicitation = types.ElicitResult(action="accept", content={"name": "Zoë"})
        for kept in (self.notifications, self.logs, self.samplings, self.elicitations):
            kept.clear()

    def check(self) -> None:
        """What must be true after every test, of what came since the last."""
        assert not self.broken, self.broken
        faults, self.wire.faults = self.wire.faults, []
        assert not faults, faults
        self.wire.check()
        for word in ("Traceback", "a bug in the bridge"):
            assert word not in self.said(), self.said()

    async def on_message(self, message: types.ServerNotification | Exception) -> None:
        """Keep a notification, or the proof that something else came."""
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
        """Answer as the test says the user does; a page is opened and nothing filled in."""
        self.elicitations.append(params)
        if isinstance(params, types.ElicitRequestURLParams):
            return types.ElicitResult(action=self.elicitation.action)
        return self.elicitation

    async def on_roots(self, context: ClientRequestContext) -> types.ListRootsResult:
        """Name the host's roots."""
        return types.ListRootsResult(roots=ROOTS)

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool of the pairings' server and return the value it said; fails on a tool error."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result
        assert result.structured_content is not None, result
        return result.structured_content["value"]

    async def text(self, tool: str, **arguments: Any) -> str:
        """Call a tool and return the text it answered."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result
        return "\n".join(part.text for part in result.content if isinstance(part, types.TextContent))

    async def tool_names(self) -> list[str]:
        """Every tool, page by page."""
        names: list[str] = []
        cursor: str | None = None
        while True:
            page = await self.client.list_tools(cursor=cursor, cache_mode="bypass")
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                return names

    def received(self, kind: type[Kind]) -> list[Kind]:
        """Every notification of one kind so far."""
        return [message for message in self.notifications if isinstance(message, kind)]

    async def until(self, condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
        """Wait for what the server sends to make `condition` true."""
        with anyio.move_on_after(stretched(deadline)):
            while not condition():
                await self._bell.wait()
        assert condition(), f"no {what} within {deadline} s; had {self.notifications[-5:]} {self.logs[-5:]}"

    async def until_told(self, condition: Callable[[], bool], tool: str, **arguments: Any) -> None:
        """Call a tool that tells of a change, once and then until that has come through.

        Once is not enough: before the stream of a session that carries changes is open, a change is lost by right.
        """
        with anyio.fail_after(stretched(DEADLINE)):
            while True:
                await self.call(tool, **arguments)
                with anyio.move_on_after(0.2):
                    while not condition():
                        await self._bell.wait()
                if condition():
                    return

    @contextlib.asynccontextmanager
    async def watching(self, *uris: str) -> AsyncIterator[None]:
        """Hear of changed lists, and of these resources."""
        if self.era == "modern":
            async with self.client.listen(
                tools_list_changed=True,
                prompts_list_changed=True,
                resources_list_changed=True,
                resource_subscriptions=uris,
            ) as subscription:
                assert set(subscription.honored.resource_subscriptions or ()) == set(uris)
                yield
            return
        for uri in uris:
            wish = types.SubscribeRequest(params=types.SubscribeRequestParams(uri=uri))
            await self.client.session.send_request(wish, types.EmptyResult)
        yield
        for uri in uris:
            end = types.UnsubscribeRequest(params=types.UnsubscribeRequestParams(uri=uri))
            await self.client.session.send_request(end, types.EmptyResult)

    async def log_from(self, level: types.LoggingLevel) -> dict[str, Any]:
        """Ask for log messages from a level on; the `_meta` to send with a call that is to be logged."""
        if self.era == "modern":
            return {"io.modelcontextprotocol/logLevel": level}
        wish = types.SetLevelRequest(params=types.SetLevelRequestParams(level=level))
        await self.client.session.send_request(wish, types.EmptyResult)
        return {}


@contextlib.contextmanager
def directly(url: str) -> Iterator[tuple[Transport, Callable[[], str]]]:
    """The host talks to the server itself, without the bridge: proof that the two can do what is tested."""
    yield streamable_http_client(url), str


@contextlib.contextmanager
def through_the_bridge(url: str, *options: str) -> Iterator[tuple[Transport, Callable[[], str]]]:
    """The host launches the bridge. With the transport comes what the bridge has said on stderr so far."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        (Path(home) / "stderr").open("w", encoding="utf-8") as errors,
    ):

        def said() -> str:
            return (Path(home) / "stderr").read_text("utf-8", errors="replace")

        yield stdio_client(launching(url, home, *options), errlog=errors), said


Way = Callable[[str], AbstractContextManager[tuple[Transport, Callable[[], str]]]]


@contextlib.asynccontextmanager
async def either_era_host(
    era: Era, url: str, way: Way = through_the_bridge, *, mode: str | None = None, can_be_asked: bool = True
) -> AsyncIterator[EitherEraHost]:
    """A host of an era, connected. `mode` is the package's: a revision pins it, and the host asks nothing first.

    A host that cannot be asked declares no capability.
    """
    host = EitherEraHost(era)
    revision = MODERN if era == "modern" else LEGACY
    host.wire = Wire(revision)
    with way(url) as (transport, host.said):
        host.client = client = Client(
            _checked(transport, host.wire),
            mode=mode or ("auto" if era == "modern" else "legacy"),
            read_timeout_seconds=stretched(DEADLINE),
            sampling_callback=host.on_sampling if can_be_asked else None,
            elicitation_callback=host.on_elicitation if can_be_asked else None,
            list_roots_callback=host.on_roots if can_be_asked else None,
            logging_callback=host.on_log,
            message_handler=host.on_message,
            client_info=CLIENT_INFO,
        )
        try:
            async with client:
                assert client.protocol_version == revision
                yield host
        except BaseException as error:
            cause = _alone(error)
            cause.add_note(f"stderr of the bridge: {host.said()[-3000:]}")
            raise cause from cause.__cause__
        host.check()


@contextlib.asynccontextmanager
async def _checked(transport: Transport, wire: Wire) -> AsyncIterator[Streams]:
    """A transport whose messages are shown to `wire` on their way, as the package read them or is about to write."""
    async with transport as (incoming, outgoing), anyio.create_task_group() as tasks:
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_server, from_client = anyio.create_memory_object_stream[SessionMessage](0)

        async def down() -> None:
            # A client that leaves does not wait for what is still on its way.
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await read()

        async def read() -> None:
            async with to_client:
                async for message in incoming:
                    if isinstance(message, SessionMessage):
                        with contextlib.suppress(AssertionError):
                            wire.from_server(_written(message))
                    await to_client.send(message)

        async def up() -> None:
            async with outgoing, from_client:
                async for message in from_client:
                    with contextlib.suppress(AssertionError):
                        wire.from_client(_written(message))
                    await outgoing.send(message)

        tasks.start_soon(down)
        tasks.start_soon(up)
        yield from_server, to_server
        # The client has closed its end: what it said last goes out, and nobody hears any more.
        await to_server.aclose()
        await from_server.aclose()
        tasks.cancel_scope.cancel()


def _written(message: SessionMessage) -> str:
    return message.message.model_dump_json(by_alias=True, exclude_unset=True)


def _alone(error: BaseException) -> BaseException:
    """The failure of a test itself, where the client's task groups wrapped it in groups."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
