"""The reference `mcp` server over Streamable HTTP, as a program: `python -m tests.support.servers.reference_server`.

It binds an ephemeral port of 127.0.0.1 (or the one given), says which in one JSON line on stdout, and ends
when its stdin does, so a test run that is killed leaves no server behind. Beside `/mcp` it serves
`/journal`: every HTTP request it had, for tests that check what the bridge puts on the wire.
"""

from __future__ import annotations

import argparse
import base64
import json
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

import anyio
import uvicorn
from mcp import MCPError, types
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.process.end_with_stdin import leave_with_stdin
from tests.support.servers.reference_features import HANDLERS, TOOLS, Context, ReferenceServer, State, session_id

TEXT = "reference://text"
BLOB = "reference://blob"
TEMPLATE = "reference://row/{number}"
BLOB_BYTES = bytes(range(256))
RETRY_MS = 50
"""What the server suggests in `retry` when it closes a stream that can be resumed."""


class Remembering(EventStore):
    """Keeps every event, so that a stream which broke can be resumed (MCP 2025-11-25, Resumability)."""

    def __init__(self) -> None:
        self._events: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        self._events.append((stream_id, message))
        return f"e-{len(self._events)}"

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        position = int(last_event_id.removeprefix("e-"))
        stream = self._events[position - 1][0]
        for offset, (owner, message) in enumerate(self._events[position:], position + 1):
            if owner == stream and message is not None:
                await send_callback(EventMessage(message, f"e-{offset}"))
        return stream


@dataclass
class Journal:
    """An ASGI layer that notes each HTTP request of `/mcp` and the status it was answered with."""

    app: ASGIApp
    entries: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/mcp":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        entry = {"method": scope["method"], "headers": headers, "status": None}
        self.entries.append(entry)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                for name, value in message["headers"]:
                    if name.lower() == b"mcp-session-id":
                        headers.setdefault("mcp-session-id", value.decode())
            await send(message)

        await self.app(scope, receive, noting)

    async def show(self, _request: Request) -> JSONResponse:
        return JSONResponse(self.entries)


class Offer:
    """The handlers, one for each method of the standard that this server answers."""

    def __init__(self) -> None:
        self.state = State()

    async def list_tools(self, _context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        # Two pages: a host that follows cursors must get both through the bridge.
        half = len(TOOLS) // 2
        if params is not None and params.cursor == "rest":
            return types.ListToolsResult(tools=TOOLS[half:])
        return types.ListToolsResult(tools=TOOLS[:half], next_cursor="rest")

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name not in HANDLERS:
            raise MCPError(types.INVALID_PARAMS, f"no tool {params.name}")
        return await HANDLERS[params.name](self.state, context, params.arguments or {})

    async def list_resources(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        text = types.Resource(uri=TEXT, name="text", mime_type="text/plain")
        blob = types.Resource(uri=BLOB, name="blob", mime_type="application/octet-stream")
        return types.ListResourcesResult(resources=[text, blob])

    async def list_templates(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        row = types.ResourceTemplate(uri_template=TEMPLATE, name="row")
        return types.ListResourceTemplatesResult(resource_templates=[row])

    async def read(self, _context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        uri = str(params.uri)
        if uri == BLOB:
            blob = base64.b64encode(BLOB_BYTES).decode()
            return types.ReadResourceResult(contents=[types.BlobResourceContents(uri=uri, blob=blob)])
        if uri == TEXT or uri.startswith("reference://row/"):
            text = f"the text of {uri}: grüezi"
            return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text)])
        raise MCPError(-32002, "Resource not found", {"uri": uri})

    async def subscribe(self, context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        self.state.subscribed.add((session_id(context), str(params.uri)))
        return types.EmptyResult()

    async def unsubscribe(self, context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        self.state.subscribed.discard((session_id(context), str(params.uri)))
        return types.EmptyResult()

    async def list_prompts(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        who = types.PromptArgument(name="who", required=True)
        return types.ListPromptsResult(prompts=[types.Prompt(name="greet", arguments=[who])])

    async def get_prompt(self, _context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        content = types.TextContent(type="text", text=f"Greet {(params.arguments or {})['who']}")
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])

    async def complete(self, _context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        found = [name for name in ("alma", "alois", "beat") if name.startswith(params.argument.value)]
        return types.CompleteResult(completion=types.Completion(values=found, total=len(found)))

    async def set_level(self, context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        self.state.levels[session_id(context)] = params.level
        return types.EmptyResult()


def build() -> ReferenceServer:
    """The server with every handler the tests use."""
    offer = Offer()
    server = ReferenceServer(
        "reference",
        version="1.2.3",
        instructions="Für Tests",
        on_list_tools=offer.list_tools,
        on_call_tool=offer.call_tool,
        on_list_resources=offer.list_resources,
        on_list_resource_templates=offer.list_templates,
        on_read_resource=offer.read,
        on_subscribe_resource=offer.subscribe,
        on_unsubscribe_resource=offer.unsubscribe,
        on_list_prompts=offer.list_prompts,
        on_get_prompt=offer.get_prompt,
        on_completion=offer.complete,
    )
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, offer.set_level)
    return server


async def serve(*, json_answers: bool, stateless: bool, port: int) -> None:
    """Serve until the process is killed; the port is said on stdout once connections can wait on it."""
    server = build()
    app = server.streamable_http_app(
        json_response=json_answers,
        stateless_http=stateless,
        event_store=None if json_answers or stateless else Remembering(),
        retry_interval=RETRY_MS,
        max_request_body_size=64 * 1024 * 1024,
    )
    journal = Journal(app)
    app.router.routes.append(Route("/journal", journal.show))
    listener = socket.create_server(("127.0.0.1", port))
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(journal, log_level="warning", lifespan="on")
    await uvicorn.Server(config).serve(sockets=[listener])


def main() -> None:
    """Read the mode from the command line and serve it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    leave_with_stdin()
    anyio.run(lambda: serve(json_answers=chosen.json, stateless=chosen.stateless, port=chosen.port))


if __name__ == "__main__":
    main()
