"""What the stand-in for the model does next, whatever API it is asked through.

| it sees | it |
|---|---|
| a result of the server's tool | says so, and the turn is over |
| the server's tool | calls it; one that is hidden, by way of the tool that calls hidden ones |
| a tool that finds tools which are not shown, unused since the last sign-in | calls that |
| word from it that servers are still being connected | takes `THOUGHT` seconds and calls it again |
| the tool `sign_in`, called fewer than `MOST_SIGN_INS` times | calls it |
| none of these | says what it saw, and the turn is over |

Where a host has a tool for the last words (`final_answer`), it says them through that.

Hosts put a prefix before a tool's name (`mcp__example__echo`), so names are compared by their end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_SIGN_INS = 2
TOOL = "echo"
SIGN_IN = "sign_in"
ARGUMENTS = {"said": "hello"}

THOUGHT = 2.0
"""Seconds that a model takes for an answer, where it makes a difference."""
MOST_WAITS = 30

FINDERS = {
    # Claude Code: names are looked up as they are, and what was found is on offer from then on.
    "ToolSearch": "select:mcp__example__echo,mcp__example__sign_in",
    # Codex: what was found is on offer. Qwen Code: it stays hidden.
    "tool_search": "echo sign_in",
}
"""Tools that find others, and what they are asked."""
CALLER = "tool_call"
"""Calls a hidden tool, in Qwen Code."""
LAST_WORDS = "final_answer"
"""Ends a turn, in smolagents."""


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


@dataclass(frozen=True)
class Say:
    """The model's last words in a turn."""

    text: str


@dataclass(frozen=True)
class Use:
    """A call of a tool."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    thought: float = 0.0
    """Seconds to wait before it is said."""


def decide(asked: Asked) -> Say | Use:
    """Return what the model does next."""
    done = [result for result in asked.results if is_tool(result.tool, TOOL)]
    if done:
        return _end(asked, f"The tool said: {done[-1].text}")
    signed = [result for result in asked.results if is_tool(result.tool, SIGN_IN)]
    if use := _use(asked, TOOL, ARGUMENTS):
        return use
    if finder := next((name for name in asked.tools if name in FINDERS), None):
        found = [result for result in asked.results if result.tool == finder]
        waits = [result for result in found if "connecting" in result.text]
        if len(found) - len(waits) <= len(signed) and len(waits) < MOST_WAITS:
            return Use(finder, {"query": FINDERS[finder]}, THOUGHT if waits else 0.0)
    if len(signed) < MOST_SIGN_INS and (use := _use(asked, SIGN_IN, {})):
        return use
    told = [f"{result.tool} said: {result.text}" for result in asked.results]
    return _end(asked, "\n".join([*told, "There is no tool called echo."]))


def is_end(decided: Say | Use) -> bool:
    """Whether the turn is over with this."""
    return isinstance(decided, Say) or decided.tool == LAST_WORDS


def is_tool(name: str, tool: str) -> bool:
    """Whether a name that a host shows is that of the server's tool."""
    return re.search(rf"(^|[^A-Za-z]){tool}$", name) is not None


def called(name: str, arguments: Mapping[str, Any] | str | None) -> str:
    """The tool that a call in the conversation was for, whatever called it; arguments may be JSON."""
    if name != CALLER:
        return name
    given = json.loads(arguments) if isinstance(arguments, str) else arguments or {}
    return str(given.get("name", name))


def _end(asked: Asked, words: str) -> Say | Use:
    return Use(LAST_WORDS, {"answer": words}) if LAST_WORDS in asked.tools else Say(words)


def _use(asked: Asked, tool: str, arguments: Mapping[str, Any]) -> Use | None:
    """A call of the server's tool, if there is one."""
    for name in asked.tools:
        if is_tool(name, tool):
            return Use(name, dict(arguments))
    if CALLER in asked.tools:
        found = [result.text for result in asked.results if result.tool in FINDERS][-1:]
        for name in re.findall(r'"name": ?"([^"]+)"', "".join(found)):
            if is_tool(name, tool):
                return Use(CALLER, {"name": name, "arguments": dict(arguments)})
    return None
