"""The reference client as a program would use it: lists the tools, signs in where that is all there is, calls `echo`.

`python mcp_client.py ERA COMMAND [ARGUMENT ...]`; the era is `modern` or `legacy`.
"""

from __future__ import annotations

import asyncio
import sys

from mcp import Client, StdioServerParameters, stdio_client


async def main(era: str, command: str, *arguments: str) -> int:
    """Returns the exit code: 0 where `echo` was called."""
    parameters = StdioServerParameters(command=command, args=list(arguments))
    mode = "auto" if era == "modern" else "legacy"
    async with Client(stdio_client(parameters), mode=mode) as client:
        for _ in range(2):
            names = [tool.name for tool in (await client.list_tools()).tools]
            sys.stdout.write(f"tools: {names}\n")
            if "echo" in names:
                sys.stdout.write(f"{await client.call_tool('echo', {'said': 'hello'})}\n")
                return 0
            if "sign_in" in names:
                sys.stdout.write(f"{await client.call_tool('sign_in', {})}\n")
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
