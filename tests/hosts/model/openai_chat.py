"""The Chat Completions API of OpenAI: a request read, and an answer as one object or as a stream of chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.hosts.model.mind import Asked, Result, Say, Use, called


def read(body: dict[str, Any]) -> Asked:
    """The tools and the results in a request."""
    names: dict[str, str] = {}
    results: list[Result] = []
    told: list[str] = []
    for message in body.get("messages", []):
        for call in message.get("tool_calls") or []:
            names[call["id"]] = called(call["function"]["name"], call["function"]["arguments"])
        if message["role"] == "tool":
            results.append(Result(names.get(message["tool_call_id"], "?"), _text(message.get("content"))))
        text = _text(message.get("content"))
        if text.startswith(_CALLS):
            told = _NAME.findall(text)
        elif told and message["role"] == "user":
            results.append(Result(told.pop(0), text))
    tools = [tool["function"]["name"] for tool in body.get("tools") or [] if "function" in tool]
    return Asked(tools, results)


def answer(body: dict[str, Any], decided: Say | Use, number: int) -> dict[str, Any]:
    """The answer as one object."""
    message = {"role": "assistant", "content": None} | _delta(decided, number)
    choice = {"index": 0, "message": message, "finish_reason": _reason(decided), "logprobs": None}
    return _whole(body, number, "chat.completion") | {"choices": [choice], "usage": _USAGE}


def stream(body: dict[str, Any], decided: Say | Use, number: int) -> Iterator[bytes]:
    """The answer as server-sent events."""
    whole = _whole(body, number, "chat.completion.chunk")
    calls = _delta(decided, number)
    for call in calls.get("tool_calls", []):
        call["index"] = 0
    first = {"role": "assistant"} | calls
    for delta, reason in ((first, None), ({}, _reason(decided))):
        yield _data(whole | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    yield _data(whole | {"choices": [], "usage": _USAGE})
    yield b"data: [DONE]\n\n"


_CALLS = "Calling tools:"
"""How smolagents begins a message of the assistant: calls and results are told in words, not in their own fields."""
_NAME = re.compile(r"'function': \{'name': '(\w+)'")
_USAGE = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


def _whole(body: dict[str, Any], number: int, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 1700000000, "model": body.get("model", "stand-in")}


def _delta(decided: Say | Use, number: int) -> dict[str, Any]:
    if isinstance(decided, Say):
        return {"content": decided.text}
    function = {"name": decided.tool, "arguments": json.dumps(decided.arguments)}
    return {"tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}]}


def _reason(decided: Say | Use) -> str:
    return "tool_calls" if isinstance(decided, Use) else "stop"


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""
