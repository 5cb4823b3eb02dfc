"""Hypercorn at each door of a site: `python -m tests.wire.programs.hypercorn_doors SITE.json`."""

from __future__ import annotations

import asyncio
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.wire.programs.served import Served, site

told = site()


async def main() -> None:
    program: Any = Served(told)
    runs = []
    for door, port in told["ports"].items():
        config = Config()
        config.bind = [f"{told['address']}:{port}"]
        config.accesslog = config.errorlog = "-"
        if door == "brief":
            config.keep_alive_timeout = 1
        if door == "tls":
            config.certfile, config.keyfile = told["certificate"], told["key"]
        runs.append(serve(program, config, shutdown_trigger=asyncio.Event().wait))
    await asyncio.gather(*runs)


asyncio.run(main())
