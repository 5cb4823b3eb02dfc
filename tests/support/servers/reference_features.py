"""What the reference server offers: one tool for each thing the relay has to carry.

The handlers register without the package's deprecation notices: the notices are about its next
protocol era, the relay is about this one.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.shared.message import ServerMessageMetadata

Context = ServerRequestContext[Any, Any]
Arguments = dict[str, Any]
Handler = Callable[["State", Context, Arguments], Awaitable[types.CallToolResult]]

LEVELS: tuple[types.LoggingLevel, ...] = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)
REFUSAL = {"why": "on purpose", "nested": {"list": [1, None, "ü"]}}
"""The data of the JSON-RPC error that the tool `refuse` raises."""

BIG_UNIT = "0123456789äöüé"
"""What the tool `big` repeats; the last four characters take two bytes each in UTF-8."""


@dataclass
class State:
    """What the server remembers from call to call; one per process, keyed by session where it matters."""

    blocks: dict[str, list[str]] = field(default_factory=dict)
    levels: dict[str | None, types.LoggingLevel] = field(default_factory=dict)
    subscribed: set[tuple[str | None, str]] = field(default_factory=set)


def session_id(context: Context) -> str | None:
    """The session the HTTP request named, None in the stateless modes."""
    found: str | None = context.request.headers.get("mcp-session-id") if context.request else None
    return found


def channel(context: Context, arguments: Arguments) -> types.RequestId | None:
    """The id that ties a message to the call's own stream, or None for the standing GET stream."""
    return None if arguments.get("standalone") else context.request_id


def said(value: Any) -> types.CallToolResult:
    """A result that carries `value` both as text and as structured content."""
    text = json.dumps(value, ensure_ascii=False)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content={"value": value}
    )


async def ask(context: Context, arguments: Arguments, request: types.ServerRequest, kind: type[Any]) -> Any:
    """The host's answer to `request`, as plain JSON."""
    related = channel(context, arguments)
    metadata = ServerMessageMetadata(related_request_id=related) if related is not None else None
    answer = await context.session.send_request(request, kind, metadata=metadata)
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)


async def echo(_state: State, _context: Context, arguments: Arguments) -> types.CallToolResult:
    await anyio.sleep(arguments.get("delay", 0))
    return said(arguments)


async def add(_state: State, _context: Context, arguments: Arguments) -> types.CallToolResult:
    total = arguments["a"] + arguments["b"]
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=str(total))], structured_content={"sum": total}
    )


async def fail(_state: State, _context: Context, _arguments: Arguments) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text="it broke")], is_error=True)


async def refuse(_state: State, _context: Context, _arguments: Arguments) -> types.CallToolResult:
    raise MCPError(-31999, "refused, naïvely", REFUSAL)


async def slow(_state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    steps = arguments["steps"]
    for step in range(1, steps + 1):
        await context.session.report_progress(step, steps, f"step {step}")
    return said(steps)


async def sample(_state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=arguments["prompt"]))
    request = types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=17))
    return said(await ask(context, arguments, request, types.CreateMessageResult))


async def elicit(_state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    request = types.ElicitRequest(
        params=types.ElicitRequestFormParams(message=arguments["message"], requested_schema=schema)
    )
    return said(await ask(context, arguments, request, types.ElicitResult))


async def roots(_state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    return said(await ask(context, arguments, types.ListRootsRequest(), types.ListRootsResult))


async def ping_host(_state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    return said(await ask(context, arguments, types.PingRequest(), types.EmptyResult))


async def log(state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    floor = LEVELS.index(state.levels.get(session_id(context), "debug"))
    for level in LEVELS[floor:]:
        params = types.LoggingMessageNotificationParams(level=level, logger="reference", data=arguments["data"])
        await context.session.send_notification(
            types.LoggingMessageNotification(params=params), channel(context, arguments)
        )
    return said(len(LEVELS) - floor)


async def announce(_state: State, context: Context, _arguments: Arguments) -> types.CallToolResult:
    await context.session.send_tool_list_changed()
    await context.session.send_resource_list_changed()
    await context.session.send_prompt_list_changed()
    return said("announced")


async def touch(state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    known = (session_id(context), arguments["uri"]) in state.subscribed
    if known:
        await context.session.send_resource_updated(arguments["uri"])
    return said(known)


async def block(state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    events = state.blocks.setdefault(arguments["key"], [])
    events.append("started")
    try:
        await anyio.sleep(arguments.get("limit", 30))
    except anyio.get_cancelled_exc_class():
        events.append("cancelled")
        raise
    events.append("ended")
    return said("nobody cancelled it")


async def blocks(state: State, _context: Context, arguments: Arguments) -> types.CallToolResult:
    return said(state.blocks.get(arguments["key"], []))


async def big(_state: State, _context: Context, arguments: Arguments) -> types.CallToolResult:
    size = arguments["size"]
    text = (BIG_UNIT * (size // len(BIG_UNIT) + 1))[:size]
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


async def session(_state: State, context: Context, _arguments: Arguments) -> types.CallToolResult:
    return said(session_id(context))


async def drop(_state: State, context: Context, arguments: Arguments) -> types.CallToolResult:
    """Close the call's own stream, `times` over, and answer on whatever stream the client resumes."""
    if context.close_sse_stream is None:
        raise MCPError(-31998, "this mode cannot resume a stream")
    for time in range(1, arguments["times"] + 1):
        await context.session.report_progress(time, arguments["times"])
        await context.close_sse_stream()
        await anyio.sleep(arguments["pause"])
    return said("resumed")


_ANY: dict[str, Any] = {"type": "object"}
_NUMBERS = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
_SUM = {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]}
HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "add": add,
    "fail": fail,
    "refuse": refuse,
    "slow": slow,
    "sample": sample,
    "elicit": elicit,
    "roots": roots,
    "ping-host": ping_host,
    "log": log,
    "announce": announce,
    "touch": touch,
    "block": block,
    "blocks": blocks,
    "big": big,
    "session": session,
    "drop": drop,
}
TOOLS = [
    types.Tool(
        name=name,
        description=f"{name}, with an umlaut: ä",
        input_schema=_NUMBERS if name == "add" else _ANY,
        output_schema=_SUM if name == "add" else None,
        annotations=types.ToolAnnotations(read_only_hint=True) if name in {"echo", "add"} else None,
    )
    for name in HANDLERS
]


class ReferenceServer(Server[Any]):
    """The package's server, saying in `initialize` what it does: lists that change and subscriptions."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
        return super().create_initialization_options(
            notification_options or changes, experimental_capabilities, extensions
        )
