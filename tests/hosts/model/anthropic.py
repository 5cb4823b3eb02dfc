"""The Messages API of Anthropic: a request read, and an answer as one object or as a stream of events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hosts.model.mind import Asked, Result, Say, Use


def read(body: dict[str, Any]) -> Asked:
    """The tools and the results in a request."""
    names: dict[str, str] = {}
    results: list[Result] = []
    found: list[str] = []
    for message in body.get("messages", []):
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "tool_use":
                names[part["id"]] = part["name"]
            elif part["type"] == "tool_result":
                shown = part.get("content", "")
                results.append(Result(names.get(part["tool_use_id"], "?"), _text(shown)))
                found += [one["tool_name"] for one in _parts(shown) if one.get("type") == "tool_reference"]
    # A tool that is deferred can be called only after a search has found it.
    tools = [tool["name"] for tool in body.get("tools") or [] if not tool.get("defer_loading") or tool["name"] in found]
    return Asked(tools, results)


def answer(body: dict[str, Any], decided: Say | Use, number: int) -> dict[str, Any]:
    """The answer as one object."""
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "stand-in"),
        "content": [_block(decided, number)],
        "stop_reason": "tool_use" if isinstance(decided, Use) else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }


def stream(body: dict[str, Any], decided: Say | Use, number: int) -> Iterator[bytes]:
    """The answer as server-sent events."""
    whole = answer(body, decided, number)
    block = _block(decided, number)
    start = whole | {"content": [], "stop_reason": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
    yield _event("message_start", message=start)
    if isinstance(decided, Use):
        yield _event("content_block_start", index=0, content_block=block | {"input": {}})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(decided.arguments)}
    else:
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        delta = {"type": "text_delta", "text": decided.text}
    yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta",
        delta={"stop_reason": whole["stop_reason"], "stop_sequence": None},
        usage={"output_tokens": 10},
    )
    yield _event("message_stop")


def _event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n".encode()


def _block(decided: Say | Use, number: int) -> dict[str, Any]:
    if isinstance(decided, Use):
        return {"type": "tool_use", "id": f"toolu_{number}", "name": decided.tool, "input": decided.arguments}
    return {"type": "text", "text": decided.text}


def _parts(content: Any) -> list[dict[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or part.get("tool_name") or "" for part in _parts(content))
