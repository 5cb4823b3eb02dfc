"""What the stand-in for the model does next, whatever API it is asked through.

| it sees | it |
|---|---|
| a result of the server's tool | says so, and the turn is over |
| the server's tool | calls it |
| a tool that finds tools which are not shown, unused since the last sign-in | calls that |
| the tool `sign_in`, called fewer than `MOST_SIGN_INS` times | calls it |
| none of these | says what it saw, and the turn is over |

Hosts put a prefix before a tool's name (`mcp__example__echo`), so names are compared by their end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_SIGN_INS = 2
TOOL = "echo"
SIGN_IN = "sign_in"
ARGUMENTS = {"said": "hello"}

_FINDERS = ("ToolSearch", "tool_search")


@dataclass(frozen=True)
class Result:
    """A tool's result in the conversation."""

    tool: str
    text: str


@dataclass(frozen=True)
class Asked:
    """What the host asked of the model: the tools on offer, and the results since the user spoke."""

    tools: Sequence[str]
    results: Sequence[Result] = ()
    text: str = ""
    """All the text of the conversation, for names of tools that are told in prose."""


@dataclass(frozen=True)
class Say:
    """The model's last words in a turn."""

    text: str


@dataclass(frozen=True)
class Use:
    """A call of a tool."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


def decide(asked: Asked) -> Say | Use:
    """Return what the model does next."""
    done = [result for result in asked.results if is_tool(result.tool, TOOL)]
    if done:
        return Say(f"The tool said: {done[-1].text}")
    signed = [result for result in asked.results if is_tool(result.tool, SIGN_IN)]
    if tool := _offered(asked, TOOL):
        return Use(tool, dict(ARGUMENTS))
    if finder := next((name for name in asked.tools if name in _FINDERS), None):
        found = [result for result in asked.results if result.tool == finder]
        if len(found) <= len(signed):
            return Use(finder, {"query": "echo sign_in", "limit": 10, "max_results": 10})
    if len(signed) < MOST_SIGN_INS and (tool := _offered(asked, SIGN_IN)):
        return Use(tool)
    told = [f"{result.tool} said: {result.text}" for result in asked.results]
    return Say("\n".join([*told, "There is no tool called echo."]))


def is_tool(name: str, tool: str) -> bool:
    """Whether a name that a host shows is that of the server's tool."""
    return re.search(rf"(^|[^A-Za-z]){tool}$", name) is not None


def _offered(asked: Asked, tool: str) -> str | None:
    return next((name for name in asked.tools if is_tool(name, tool)), None)
