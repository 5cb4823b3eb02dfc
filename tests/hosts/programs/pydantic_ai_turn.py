"""One turn of an agent of Pydantic AI: `python pydantic_ai_turn.py MODEL-URL PROMPT COMMAND [ARGUMENT ...]`."""

from __future__ import annotations

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


async def main(url: str, prompt: str, command: str, *arguments: str) -> None:
    """Print what the agent says at the end."""
    model = OpenAIChatModel("stand-in", provider=OpenAIProvider(base_url=url, api_key="stand-in"))
    toolset = MCPToolset(StdioTransport(command, list(arguments)))
    async with Agent(model, toolsets=[toolset]) as agent:
        answer = await agent.run(prompt)
    sys.stdout.write(f"{answer.output}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
