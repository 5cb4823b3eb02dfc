"""LangChain's adapter for MCP, from PyPI: two turns of an agent, with a server a call and with one that is kept."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.host import PROMPT, Host, PyPi, Setting, Start

PROGRAM = Path(__file__).parents[1] / "programs" / "langchain_turn.py"
SOURCE = PyPi(
    ("langchain-mcp-adapters==0.3.2", "langchain==1.5.2", "langchain-openai==1.7.4", "langgraph==1.2.24", "mcp==1.30.0")
)


def _start(setting: Setting, how: str) -> Start:
    entry = setting.entry
    program = [setting.python(), str(PROGRAM), how]
    return Start([*program, f"{setting.model}/v1", PROMPT, entry.command, *entry.arguments])


def a_server_a_call(setting: Setting) -> Start:
    return _start(setting, "tools")


def a_session(setting: Setting) -> Start:
    return _start(setting, "session")


HOSTS = (
    Host(
        name="langchain",
        source=SOURCE,
        start=a_server_a_call,
        opens_with="2025-11-25",
        client="mcp",
        patience=None,
        passes_desktop=False,
        lists_again="never",
        shows="output",
        speaks="openai-chat",
        notes="It starts a copy for the list and for each call; an agent keeps the tools it was made with.",
    ),
    Host(
        name="langchain-session",
        installs_as="langchain",
        source=SOURCE,
        start=a_session,
        opens_with="2025-11-25",
        client="mcp",
        patience=None,
        passes_desktop=False,
        lists_again="never",
        shows="output",
        speaks="openai-chat",
        notes="An agent keeps the tools it was made with.",
    ),
)
