"""The Responses API of OpenAI: a request read, and an answer as one object or as a stream of events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hosts.model.mind import Asked, Result, Say, Use

_SEPARATOR = "."
"""Between a namespace of tools and a tool in it, for the stand-in only."""


def read(body: dict[str, Any]) -> Asked:
    """The tools and the results in a request."""
    names: dict[str, str] = {}
    results: list[Result] = []
    tools = _names(body.get("tools") or [])
    given = body.get("input", [])
    for item in given if isinstance(given, list) else []:
        kind = item.get("type")
        if kind == "function_call":
            names[item["call_id"]] = item["name"]
        elif kind == "function_call_output":
            results.append(Result(names.get(item["call_id"], "?"), _text(item.get("output"))))
        elif kind == "tool_search_output":
            found = _names(item.get("tools") or [])
            tools += found
            results.append(Result("tool_search", " ".join(found)))
    return Asked(tools, results)


def answer(body: dict[str, Any], decided: Say | Use, number: int) -> dict[str, Any]:
    """The answer as one object."""
    return _whole(body, number, "completed") | {"output": [_item(decided, number)], "usage": _USAGE}


def stream(body: dict[str, Any], decided: Say | Use, number: int) -> Iterator[bytes]:
    """The answer as server-sent events."""
    item = _item(decided, number)
    begun = _whole(body, number, "in_progress") | {"output": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item | _empty(item)},
    ]
    where = {"item_id": item["id"], "output_index": 0}
    if item["type"] == "function_call":
        events += [
            {"type": "response.function_call_arguments.delta", **where, "delta": item["arguments"]},
            {"type": "response.function_call_arguments.done", **where, "arguments": item["arguments"]},
        ]
    elif item["type"] == "message":
        part = item["content"][0]
        text = part["text"]
        where |= {"content_index": 0}
        events += [
            {"type": "response.content_part.added", **where, "part": part | {"text": ""}},
            {"type": "response.output_text.delta", **where, "delta": text},
            {"type": "response.output_text.done", **where, "text": text},
            {"type": "response.content_part.done", **where, "part": part},
        ]
    events += [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": answer(body, decided, number)},
    ]
    for place, event in enumerate(events):
        event["sequence_number"] = place
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


_USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 20,
}


def _names(tools: list[dict[str, Any]]) -> list[str]:
    """The functions on offer; those inside a namespace with its name before theirs."""
    names = []
    for tool in tools:
        if tool.get("type") == "namespace":
            names += [f"{tool['name']}{_SEPARATOR}{inner['name']}" for inner in tool.get("tools", [])]
        else:
            names.append(tool.get("name") or tool.get("type") or "?")
    return names


def _whole(body: dict[str, Any], number: int, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "model": body.get("model", "stand-in"),
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }


def _item(decided: Say | Use, number: int) -> dict[str, Any]:
    if isinstance(decided, Say):
        part = {"type": "output_text", "text": decided.text, "annotations": []}
        return {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
    call = {"call_id": f"call_{number}", "status": "completed"}
    if decided.tool == "tool_search":
        return {
            "id": f"ts_{number}",
            "type": "tool_search_call",
            "execution": "client",
            "arguments": decided.arguments,
        } | call
    space, _, name = decided.tool.rpartition(_SEPARATOR)
    item = {
        "id": f"fc_{number}",
        "type": "function_call",
        "name": name,
        "arguments": json.dumps(decided.arguments),
    }
    return item | call | ({"namespace": space} if space else {})


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    fresh: dict[str, Any] = {"status": "in_progress"}
    if item["type"] == "message":
        fresh["content"] = []
    elif item["type"] == "function_call":
        fresh["arguments"] = ""
    return fresh


def _text(output: Any) -> str:
    if isinstance(output, list):
        return "\n".join(part.get("text", "") for part in output)
    return output if isinstance(output, str) else json.dumps(output)
