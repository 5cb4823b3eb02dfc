"""The Gemini API (`generateContent`): a request read, and an answer as one object or as a stream of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hosts.model.mind import Asked, Result, Say, Use


def read(body: dict[str, Any]) -> Asked:
    """The tools and the results in a request."""
    results: list[Result] = []
    for content in body.get("contents", []):
        for part in content.get("parts", []):
            if "functionResponse" in part:
                response = part["functionResponse"]
                results.append(Result(response["name"], _text(response.get("response"))))
    tools = [
        declared["name"]
        for tool in body.get("tools") or []
        for declared in tool.get("functionDeclarations") or tool.get("function_declarations") or []
    ]
    return Asked(tools, results)


def answer(body: dict[str, Any], decided: Say | Use, number: int) -> dict[str, Any]:
    """The answer as one object. Where JSON of a schema is asked for, that is what is said."""
    if isinstance(decided, Use):
        part: dict[str, Any] = {"functionCall": {"name": decided.tool, "args": decided.arguments}}
    else:
        part = {"text": decided.text}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "stand-in", "responseId": f"r{number}"}


def stream(body: dict[str, Any], decided: Say | Use, number: int) -> Iterator[bytes]:
    """The answer as server-sent events."""
    yield b"data: " + json.dumps(answer(body, decided, number)).encode() + b"\r\n\r\n"


def _text(response: Any) -> str:
    if isinstance(response, dict) and isinstance(response.get("output"), str):
        return str(response["output"])
    return json.dumps(response, ensure_ascii=False)
