"""Two turns of an agent of Google's ADK: `python google_adk_turn.py MODEL-URL PROMPT COMMAND [ARGUMENT ...]`.

The model's key stands in `GOOGLE_API_KEY`.
"""

from __future__ import annotations

import asyncio
import sys

from google.adk.agents import LlmAgent
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from google.genai.types import Content, Part
from mcp import StdioServerParameters


async def main(url: str, prompt: str, command: str, *arguments: str) -> None:
    """Print what the agent says."""
    server = StdioServerParameters(command=command, args=list(arguments))
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=server))
    agent = LlmAgent(name="assistant", model=Gemini(model="gemini-2.5-flash", base_url=url), tools=[toolset])
    async with InMemoryRunner(agent, app_name="turn") as runner:
        session = await runner.session_service.create_session(app_name="turn", user_id="user")
        for _ in range(2):
            said = Content(role="user", parts=[Part(text=prompt)])
            async for event in runner.run_async(user_id="user", session_id=session.id, new_message=said):
                for part in (event.content and event.content.parts) or []:
                    if part.text:
                        sys.stdout.write(f"{part.text}\n")
                if event.error_message:
                    sys.stdout.write(f"{event.error_message}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
