"""Two turns of an agent of smolagents: `python smolagents_turn.py MODEL-URL PROMPT COMMAND [ARGUMENT ...]`."""

from __future__ import annotations

import sys

from mcp import StdioServerParameters
from smolagents import MCPClient, OpenAIModel, ToolCallingAgent


def main(url: str, prompt: str, command: str, *arguments: str) -> None:
    """Print what the agent says at the end of each turn, after what it prints of each step."""
    server = StdioServerParameters(command=command, args=list(arguments))
    with MCPClient(server, structured_output=False) as tools:
        model = OpenAIModel("stand-in", api_base=url, api_key="stand-in")
        agent = ToolCallingAgent(tools, model, max_steps=8)
        for reset in (True, False):
            sys.stdout.write(f"{agent.run(prompt, reset=reset)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
