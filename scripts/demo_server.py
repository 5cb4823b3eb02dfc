"""The demo's remote server: the reference `mcp` package over Streamable HTTP, on a loopback port of its own.

`demo.py` runs it as a process of its own, as a remote server is one. On stdout it writes its URL, then a line
for each HTTP request it answered (`POST /mcp 200`); it ends when its stdin ends, so that it cannot outlive who
started it.

With `--protected SECONDS` it requires a sign-in, and is the authorization server too. Its access tokens live that long.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel, Field

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.oauth.reference_authority import Authority

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STEP = 0.25
"""Seconds between two progress notifications of the slow tool."""


class Wish(BaseModel):
    """What the booking tool asks the user."""

    seat: str = Field(description="window or aisle")
    meal: bool = Field(default=False, description="a meal on board")


def build(**protected: Any) -> MCPServer:
    """Return the server with its tools, its resource and its prompt."""
    server = MCPServer("demo-server", version="1.0.0", log_level="WARNING", **protected)

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    async def count(steps: int, ctx: Context) -> str:
        """Count slowly and report each step."""
        for step in range(1, steps + 1):
            await asyncio.sleep(STEP)
            await ctx.report_progress(step, steps, f"step {step} of {steps}")
        return f"counted to {steps}"

    @server.tool()
    async def book(flight: str, ctx: Context) -> str:
        """Book a flight after asking for the traveller's wishes."""
        answer = await ctx.elicit(f"Which seat on {flight}?", Wish)
        if answer.action != "accept":
            return f"{flight}: not booked"
        return f"{flight}: {answer.data.seat} seat, {'with' if answer.data.meal else 'without'} a meal"

    @server.resource("demo://timetable", mime_type="text/plain")
    def timetable() -> str:
        """Return today's flights."""
        return "MB101 09:30 Oslo\nMB202 17:45 Lisbon"

    @server.prompt()
    def plan(city: str) -> str:
        """Return a first message for planning a trip."""
        return f"Plan a weekend in {city} that starts at the airport."

    return server


def protection(origin: str, lifetime: int) -> dict[str, Any]:
    """Return what makes the server require a sign-in. `lifetime` in seconds is that of its access tokens."""
    settings = {
        "issuer_url": origin,
        "resource_server_url": f"{origin}/mcp",
        "required_scopes": ["demo"],
        "client_registration_options": {"enabled": True, "valid_scopes": ["demo"]},
        "validate_token_resource": True,
    }
    return {"auth": AuthSettings.model_validate(settings), "auth_server_provider": Authority(lifetime)}


def told(app: ASGIApp) -> ASGIApp:
    """Wrap the application so that each answered HTTP request becomes a line on stdout."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                print(scope["method"], scope["path"], message["status"], flush=True)
            await send(message)

        await app(scope, receive, noting if scope["type"] == "http" else send)

    return wrapped


def main() -> None:
    """Serve until stdin ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    match sys.argv[1:]:
        case ["--protected", lifetime]:
            protected = protection(origin, int(lifetime))
        case _:
            protected = {}
    app = told(build(**protected).streamable_http_app())
    # A stream that is still open at the end must not keep the process: its reader is gone.
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)

    def stop_at_end_of_input() -> None:
        # Not through the buffered reader: a thread that waits in it would hold its lock at exit.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        server.should_exit = True

    threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    # The listener takes connections from here on, also before the server comes to accept them.
    print(f"{origin}/mcp", flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
