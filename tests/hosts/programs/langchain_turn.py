"""Two turns of a LangChain agent: `python langchain_turn.py HOW MODEL-URL PROMPT COMMAND [ARGUMENT ...]`.

HOW is `tools`: the adapter starts the server for each call anew, its default; or `session`: one copy is kept.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import BaseTool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_openai import ChatOpenAI


async def main(how: str, url: str, prompt: str, command: str, *arguments: str) -> None:
    """Print what the agent says at the end of each turn."""
    connection = {"transport": "stdio", "command": command, "args": list(arguments)}
    client = MultiServerMCPClient({"example": connection})
    if how == "tools":
        await turns(url, prompt, await client.get_tools())
    else:
        async with client.session("example") as session:
            await turns(url, prompt, await load_mcp_tools(session))


async def turns(url: str, prompt: str, tools: list[BaseTool]) -> None:
    """Have two turns with the tools; an agent keeps those that it was made with."""
    model = ChatOpenAI(model="stand-in", base_url=url, api_key="stand-in")
    agent = create_agent(model, tools)
    messages: list[Any] = []
    for _ in range(2):
        messages.append({"role": "user", "content": prompt})
        messages = (await agent.ainvoke({"messages": messages}))["messages"]
        sys.stdout.write(f"{messages[-1].content}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
