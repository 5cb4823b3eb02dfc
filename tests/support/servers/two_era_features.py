"""What the server of the pairings offers: each feature of the standard once, in whichever era it is asked.

A handler does not know the era. `Desk.ask` puts its questions as requests where there is a session, and as an
`input_required` result where there is none (MCP 2026-07-28, Multi Round-Trip Requests); `Desk.tell` reaches the
standing GET stream in one era and the streams of `subscriptions/listen` in the other.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent, ToolsListChanged
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, event_to_notification

from tests.support.revisions import MODERN

Context = ServerRequestContext[Any, Any]

LEVELS: tuple[types.LoggingLevel, ...] = ("debug", "info", "warning", "error")
NOTE = "pairing://note"
REFUSAL = {"why": "on purpose", "nested": [1, None, "ü"]}
"""The data of the JSON-RPC error that the tool `refuse` raises."""
FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ASKING = "pairing://asking"
"""The resource that is read only after the user has said who they are."""
PAGE = "https://consent.example/pay?for=äpfel"
URL_ELICITATION_REQUIRED = -32042


@dataclass
class State:
    """What one server remembers from call to call."""

    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    blocks: dict[str, list[str]] = field(default_factory=dict)
    learned: set[str] = field(default_factory=set)
    """Tools that were added while the server ran."""
    levels: dict[str | None, types.LoggingLevel] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    subscribed: set[tuple[str | None, str]] = field(default_factory=set)
    text: str = "grüezi"


class InputWantedError(Exception):
    """The call cannot go on before the host has answered."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        super().__init__("input required")
        self.result = result


@dataclass(frozen=True)
class Desk:
    """One request: what it brought, and how its handler reaches the host."""

    state: State
    context: Context
    arguments: Mapping[str, Any]
    answered: types.InputResponseRequestParams

    @property
    def is_modern(self) -> bool:
        """Whether this request is of the era without sessions."""
        return self.context.protocol_version == MODERN

    async def ask(self, **questions: types.InputRequest) -> dict[str, Any]:
        """The host's answers by the questions' names, as plain JSON.

        Without a session every handler starts anew with each round, so what was answered in earlier rounds is in
        the request state.
        """
        if not self.is_modern:
            return {name: await self._ask_now(question) for name, question in questions.items()}
        known: dict[str, Any] = json.loads(self.answered.request_state or "{}")
        known |= {name: _plain(answer) for name, answer in (self.answered.input_responses or {}).items()}
        missing = {name: question for name, question in questions.items() if name not in known}
        if missing:
            state = json.dumps(known, ensure_ascii=False)
            raise InputWantedError(types.InputRequiredResult(input_requests=missing, request_state=state))
        return {name: known[name] for name in questions}

    async def _ask_now(self, question: types.InputRequest) -> Any:
        kinds = {
            "sampling/createMessage": types.CreateMessageResult,
            "elicitation/create": types.ElicitResult,
            "roots/list": types.ListRootsResult,
        }
        # What comes on no call's stream comes on the standing one.
        related = None if self.arguments.get("standing") else self.context.request_id
        metadata = ServerMessageMetadata(related_request_id=related)
        return _plain(await self.context.session.send_request(question, kinds[question.method], metadata=metadata))

    async def tell(self, event: ServerEvent) -> None:
        """Say that something changed, to whoever listens."""
        if self.is_modern:
            await self.state.bus.publish(event)
        elif not isinstance(event, ResourceUpdated) or (session_id(self.context), event.uri) in self.state.subscribed:
            notification = event_to_notification(event, {})
            await self.context.session.send_notification(notification.model_copy(update={"params": _bare(event)}))


def session_id(context: Context) -> str | None:
    """The session the HTTP request named, if any."""
    found: str | None = context.request.headers.get("mcp-session-id") if context.request else None
    return found


def said(value: Any) -> types.CallToolResult:
    """A result that carries `value` both as text and as structured content."""
    text = types.TextContent(type="text", text=json.dumps(value, ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content={"value": value})


def form(message: str) -> types.ElicitRequest:
    """A question for a name."""
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=FORM))


def sampling(prompt: str) -> types.CreateMessageRequest:
    """A question for the host's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=prompt))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=17))


def page(desk: Desk) -> types.ElicitRequestURLParams:
    """A page to visit; its id is of the era with sessions only."""
    own = None if desk.is_modern else f"visit-{desk.arguments['key']}"
    return types.ElicitRequestURLParams(message="Please pay", url=PAGE, elicitation_id=own)


async def echo(desk: Desk) -> types.CallToolResult:
    return said(dict(desk.arguments))


async def fail(_desk: Desk) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text="it broke")], is_error=True)


async def refuse(_desk: Desk) -> types.CallToolResult:
    raise MCPError(-31999, "refused, naïvely", REFUSAL)


async def slow(desk: Desk) -> types.CallToolResult:
    steps = desk.arguments["steps"]
    for step in range(1, steps + 1):
        await desk.context.session.report_progress(step, steps, f"step {step}")
    return said(steps)


async def block(desk: Desk) -> types.CallToolResult:
    events = desk.state.blocks.setdefault(desk.arguments["key"], [])
    events.append("started")
    try:
        await anyio.sleep(30)
    except anyio.get_cancelled_exc_class():
        events.append("cancelled")
        raise
    events.append("ended")
    return said("nobody cancelled it")


async def blocks(desk: Desk) -> types.CallToolResult:
    return said(desk.state.blocks.get(desk.arguments["key"], []))


async def name_of_the_user(desk: Desk) -> str:
    """Ask who it is; not only tools do so."""
    name: str = (await desk.ask(name=form("Who?")))["name"]["content"]["name"]
    return name


async def elicit(desk: Desk) -> types.CallToolResult:
    return said((await desk.ask(name=form(desk.arguments["message"])))["name"])


async def visit(desk: Desk) -> types.CallToolResult:
    answers = await desk.ask(page=types.ElicitRequest(params=page(desk)))
    if not desk.is_modern:
        await desk.context.session.send_elicit_complete(f"visit-{desk.arguments['key']}", desk.context.request_id)
    return said(answers["page"])


async def paywall(desk: Desk) -> types.CallToolResult:
    """Refuse until a page was visited: the error of 2025-11-25, a question of 2026-07-28."""
    key = desk.arguments["key"]
    if desk.is_modern:
        await desk.ask(page=types.ElicitRequest(params=page(desk)))
    elif key not in desk.state.paid:
        desk.state.paid.add(key)
        wanted = page(desk).model_dump(mode="json", by_alias=True, exclude_none=True)
        raise MCPError(URL_ELICITATION_REQUIRED, "Pay first", {"elicitations": [wanted]})
    return said("paid")


async def sample(desk: Desk) -> types.CallToolResult:
    return said((await desk.ask(model=sampling(desk.arguments["prompt"])))["model"])


async def roots(desk: Desk) -> types.CallToolResult:
    return said((await desk.ask(roots=types.ListRootsRequest()))["roots"])


async def interview(desk: Desk) -> types.CallToolResult:
    """Two rounds: two questions at once, and then one that hangs on their answers. With progress between."""
    first = await desk.ask(name=form("Who?"), roots=types.ListRootsRequest())
    await desk.context.session.report_progress(1, 2)
    name = first["name"]["content"]["name"]
    second = await desk.ask(model=sampling(f"{name} has {len(first['roots']['roots'])} roots"))
    await desk.context.session.report_progress(2, 2)
    return said(second["model"]["content"]["text"])


async def touch(desk: Desk) -> types.CallToolResult:
    await desk.tell(ResourceUpdated(uri=desk.arguments["uri"]))
    return said("touched")


async def announce(desk: Desk) -> types.CallToolResult:
    for event in (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged()):
        await desk.tell(event)
    return said("announced")


async def learn(desk: Desk) -> types.CallToolResult:
    """Add a tool to the list, and say so."""
    desk.state.learned.add(desk.arguments["name"])
    await desk.tell(ToolsListChanged())
    return said("learned")


async def log(desk: Desk) -> types.CallToolResult:
    floor = LEVELS.index(desk.state.levels.get(session_id(desk.context), "debug"))
    for level in LEVELS[floor:]:
        await desk.context.session.send_log_message(
            level, desk.arguments["data"], "pairing", related_request_id=desk.context.request_id
        )
    return said("logged")


async def route(desk: Desk) -> types.CallToolResult:
    """Say which header this call brought beside its argument (MCP 2026-07-28, Custom Headers from Tool Parameters)."""
    request = desk.context.request
    return said(request.headers.get("mcp-param-region") if request else None)


Handler = Callable[[Desk], Awaitable[types.CallToolResult]]
HANDLERS: dict[str, Handler] = {
    handler.__name__: handler
    for handler in (
        echo,
        fail,
        refuse,
        slow,
        block,
        blocks,
        elicit,
        visit,
        paywall,
        sample,
        roots,
        interview,
        touch,
        announce,
        learn,
        log,
        route,
    )
}
_ANY: dict[str, Any] = {"type": "object"}
_ROUTED = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}


def tools(learned: set[str]) -> list[types.Tool]:
    """The tools, and those that were added."""
    return [
        types.Tool(name=name, description=f"{name}: ä", input_schema=_ROUTED if name == "route" else _ANY)
        for name in (*HANDLERS, *sorted(learned))
    ]


def _bare(event: ServerEvent) -> Any:
    """The params of a change as a session knows them: without a subscription's id."""
    return types.ResourceUpdatedNotificationParams(uri=event.uri) if isinstance(event, ResourceUpdated) else None


def _plain(answer: Any) -> Any:
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)
