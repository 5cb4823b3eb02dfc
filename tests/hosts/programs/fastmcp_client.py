"""FastMCP's client as a program uses it: lists the tools, signs in where that is all there is, calls `echo`.

`python fastmcp_client.py COMMAND [ARGUMENT ...]`
"""

from __future__ import annotations

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main(command: str, *arguments: str) -> int:
    """Returns the exit code: 0 where `echo` was called."""
    async with Client(StdioTransport(command, list(arguments))) as client:
        for _ in range(2):
            names = [tool.name for tool in await client.list_tools()]
            sys.stdout.write(f"tools: {names}\n")
            if "echo" in names:
                sys.stdout.write(f"{await client.call_tool('echo', {'said': 'hello'})}\n")
                return 0
            if "sign_in" in names:
                sys.stdout.write(f"{await client.call_tool('sign_in', {})}\n")
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
