"""The reference `mcp` package as servers of each era, in one program: `python -m tests.support.servers.two_era_server`.

| path | a request that names 2026-07-28 in its header | any other |
|---|---|---|
| `/modern` | served | 400 and the error that names the versions it has (MCP 2026-07-28, Versioning) |
| `/legacy` | as a server that has never heard of that revision: by its session id, of which there is none | served |
| `/dual` | served | served |

`/faults` gives, and forgets, what on those paths was not valid in its revision. The port is ephemeral and said on
stdout; the program ends with its stdin.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import warnings
from collections.abc import AsyncIterator
from typing import Any

import anyio
import uvicorn
from mcp import MCPError, types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPDeprecationWarning
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.process.end_with_stdin import leave_with_stdin
from tests.support.revisions import MODERN, Wire
from tests.support.servers.checked_server import check_server_side
from tests.support.servers.two_era_features import (
    ASKING,
    HANDLERS,
    NOTE,
    Context,
    Desk,
    InputWantedError,
    State,
    name_of_the_user,
    said,
    session_id,
    tools,
)

LEGACY = "2025-11-25"
INSTRUCTIONS = "Für Paare"
BLOB = "pairing://blob"
VERSION_HEADER = b"mcp-protocol-version"


class Offer:
    """The handlers, one for each method."""

    def __init__(self) -> None:
        self.state = State()

    async def list_tools(self, _context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        # Two pages: a host that follows cursors must get both.
        every = tools(self.state.learned)
        if params is not None and params.cursor == "rest":
            return types.ListToolsResult(tools=every[4:])
        return types.ListToolsResult(tools=every[:4], next_cursor="rest")

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        if params.name in self.state.learned:
            return said(params.name)
        if params.name not in HANDLERS:
            raise MCPError(types.INVALID_PARAMS, f"no tool {params.name}")
        try:
            return await HANDLERS[params.name](Desk(self.state, context, params.arguments or {}, params))
        except InputWantedError as wanted:
            return wanted.result

    async def list_resources(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return types.ListResourcesResult(
            resources=[types.Resource(uri=NOTE, name="note"), types.Resource(uri=BLOB, name="blob")]
        )

    async def list_templates(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        row = types.ResourceTemplate(uri_template="pairing://row/{number}", name="row")
        return types.ListResourceTemplatesResult(resource_templates=[row])

    async def read(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult | types.InputRequiredResult:
        uri = str(params.uri)
        if uri == ASKING:
            try:
                text = await name_of_the_user(Desk(self.state, context, {}, params))
            except InputWantedError as wanted:
                return wanted.result
            return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text)])
        if uri == BLOB:
            return types.ReadResourceResult(contents=[types.BlobResourceContents(uri=uri, blob="AAECAw==")])
        if uri == NOTE or uri.startswith("pairing://row/"):
            text = f"{self.state.text} from {uri}"
            return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text)])
        missing = types.INVALID_PARAMS if context.protocol_version == MODERN else -32002
        raise MCPError(missing, "Resource not found", {"uri": uri})

    async def subscribe(self, context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        self.state.subscribed.add((session_id(context), str(params.uri)))
        return types.EmptyResult()

    async def unsubscribe(self, context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        self.state.subscribed.discard((session_id(context), str(params.uri)))
        return types.EmptyResult()

    async def list_prompts(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        who = types.PromptArgument(name="who")
        return types.ListPromptsResult(prompts=[types.Prompt(name="greet", arguments=[who])])

    async def get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        try:
            who = (params.arguments or {}).get("who") or await name_of_the_user(Desk(self.state, context, {}, params))
        except InputWantedError as wanted:
            return wanted.result
        content = types.TextContent(type="text", text=f"Greet {who}")
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])

    async def complete(self, _context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        found = [name for name in ("alma", "alois", "beat") if name.startswith(params.argument.value)]
        return types.CompleteResult(completion=types.Completion(values=found, total=len(found)))

    async def set_level(self, context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        self.state.levels[session_id(context)] = params.level
        return types.EmptyResult()


class TwoEraServer(Server[Any]):
    """The package's server, saying in `initialize` that its lists change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
        return super().create_initialization_options(changes, experimental_capabilities, extensions)


def build() -> TwoEraServer:
    """One server with a memory of its own."""
    offer = Offer()
    server = TwoEraServer(
        "pairing",
        version="1.2.3",
        instructions=INSTRUCTIONS,
        on_list_tools=offer.list_tools,
        on_call_tool=offer.call_tool,
        on_list_resources=offer.list_resources,
        on_list_resource_templates=offer.list_templates,
        on_read_resource=offer.read,
        on_subscribe_resource=offer.subscribe,
        on_unsubscribe_resource=offer.unsubscribe,
        on_subscriptions_listen=ListenHandler(offer.state.bus),
        on_list_prompts=offer.list_prompts,
        on_get_prompt=offer.get_prompt,
        on_completion=offer.complete,
    )
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, offer.set_level)
    return server


def by_era(modern: ASGIApp, legacy: ASGIApp) -> ASGIApp:
    """Serve what names 2026-07-28 in its header with the one, and everything else with the other."""

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        is_modern = dict(scope["headers"]).get(VERSION_HEADER) == MODERN.encode()
        await (modern if is_modern else legacy)(scope, receive, send)

    return choose


def deaf(app: ASGIApp) -> ASGIApp:
    """Serve a request as if its version header were not there, as before the header meant anything."""

    async def without(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != VERSION_HEADER]
        await app(dict(scope) | {"headers": headers}, receive, send)

    return without


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a client of the era with sessions: an error that names the versions there are."""
    if scope["method"] == "POST":
        message = await Request(scope, receive).json()
        data = {"supported": [MODERN], "requested": message.get("params", {}).get("protocolVersion", "")}
        error = {"code": -32022, "message": "Unsupported protocol version", "data": data}
        refusal = {"jsonrpc": "2.0", "id": message.get("id"), "error": error}
        await JSONResponse(refusal, status_code=400)(scope, receive, send)
    else:
        await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)


def application() -> Starlette:
    """The three servers behind their paths."""
    wires: list[Wire] = []
    managers: list[StreamableHTTPSessionManager] = []

    def checked(wire: Wire, app: ASGIApp) -> ASGIApp:
        wires.append(wire)
        return check_server_side(wire)(app)

    def served() -> ASGIApp:
        managers.append(StreamableHTTPSessionManager(build()))
        return managers[-1].handle_request

    async def faults(_request: Request) -> JSONResponse:
        found = [fault for wire in wires for fault in wire.faults]
        for wire in wires:
            wire.faults.clear()
        return JSONResponse(found)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for manager in managers:
                await stack.enter_async_context(manager.run())
            yield

    dual = served()
    paths: dict[str, ASGIApp] = {
        "/modern": by_era(checked(Wire(MODERN), served()), refuse),
        "/legacy": checked(Wire(LEGACY, probes=True), deaf(served())),
        "/dual": by_era(checked(Wire(MODERN), dual), checked(Wire(LEGACY), dual)),
    }
    return Starlette(
        routes=[
            Route("/faults", faults),
            *(Route(path, endpoint=_Endpoint(app)) for path, app in paths.items()),
        ],
        lifespan=lifespan,
    )


class _Endpoint:
    """An app as a route's endpoint, for every HTTP method: Starlette would take a function for a view."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def main() -> None:
    """Serve until stdin ends."""
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    leave_with_stdin()
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(application(), log_level="warning", lifespan="on")
    anyio.run(lambda: uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
