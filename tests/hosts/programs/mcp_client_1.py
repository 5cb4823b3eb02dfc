"""The reference client of `mcp` 1.x as a program uses it: lists, signs in where that is all there is, calls `echo`.

`python mcp_client_1.py COMMAND [ARGUMENT ...]`
"""

from __future__ import annotations

import asyncio
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(command: str, *arguments: str) -> int:
    """Returns the exit code: 0 where `echo` was called."""
    parameters = StdioServerParameters(command=command, args=list(arguments))
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        for _ in range(2):
            names = [tool.name for tool in (await session.list_tools()).tools]
            sys.stdout.write(f"tools: {names}\n")
            if "echo" in names:
                sys.stdout.write(f"{await session.call_tool('echo', {'said': 'hello'})}\n")
                return 0
            if "sign_in" in names:
                sys.stdout.write(f"{await session.call_tool('sign_in', {})}\n")
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
