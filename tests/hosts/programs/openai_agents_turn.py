"""One turn of an agent of the OpenAI Agents SDK: `python openai_agents_turn.py PROMPT COMMAND [ARGUMENT ...]`.

Where the model is and what key it takes stand in `OPENAI_BASE_URL` and `OPENAI_API_KEY`.
"""

from __future__ import annotations

import asyncio
import sys

from agents import Agent, Runner
from agents.mcp import MCPServerStdio


async def main(prompt: str, command: str, *arguments: str) -> None:
    """Print what the agent says at the end."""
    async with MCPServerStdio({"command": command, "args": list(arguments)}) as server:
        answer = await Runner.run(Agent("Assistant", model="stand-in", mcp_servers=[server]), prompt)
    sys.stdout.write(f"{answer.final_output}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
