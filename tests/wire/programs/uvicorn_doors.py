"""uvicorn at each door of a site: `python -m tests.wire.programs.uvicorn_doors SITE.json`."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn

from tests.wire.programs.served import Served, site

told = site()


async def serve() -> None:
    program: Any = Served(told)
    servers = []
    for door, port in told["ports"].items():
        own: dict[str, Any] = {"timeout_keep_alive": 1} if door == "brief" else {}
        if door == "tls":
            own = {"ssl_certfile": told["certificate"], "ssl_keyfile": told["key"]}
        settings = uvicorn.Config(program, host=told["address"], port=port, lifespan="off", log_level="info", **own)
        servers.append(uvicorn.Server(settings))
    await asyncio.gather(*(server.serve() for server in servers))


asyncio.run(serve())
