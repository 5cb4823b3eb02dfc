"""Documents of the shape that a registry has, for tests."""

from typing import Any

import msgspec

from bridge.registry.server_json import PublishedServer, read_server

NAME = "io.github.owner/weather"


def remote(**members: Any) -> dict[str, Any]:
    """A remote of Streamable HTTP."""
    return {"type": "streamable-http", "url": "https://example.com/mcp", **members}


def document(*remotes: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A `server.json`."""
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": NAME,
        "description": "Weather.",
        "version": "1.0.0",
        "remotes": list(remotes),
        **members,
    }


def encoded(found: object) -> bytes:
    """As JSON."""
    return msgspec.json.encode(found)


def published(*remotes: dict[str, Any], **members: Any) -> PublishedServer:
    """The same, read."""
    return read_server(encoded(document(*remotes, **members)), NAME)
