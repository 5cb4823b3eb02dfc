"""The stand-in for a model as a server on this machine, in the four APIs at once.

| path ends in | API |
|---|---|
| `/messages` | Anthropic Messages |
| `/chat/completions` | OpenAI Chat Completions |
| `/responses` | OpenAI Responses |
| `:generateContent`, `:streamGenerateContent` | Gemini |
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Self

from tests.hosts.model import anthropic, gemini, openai_chat, openai_responses
from tests.hosts.model.mind import Asked, Say, Use, decide
from tests.support.servers.fault_http import Exchange, HttpServer

_APIS = {
    "/messages": anthropic,
    "/chat/completions": openai_chat,
    "/responses": openai_responses,
    ":generateContent": gemini,
    ":streamGenerateContent": gemini,
}
_COUNTS = {"input_tokens": 10, "totalTokens": 10}
_MODELS = {"object": "list", "data": [{"id": "stand-in", "object": "model", "type": "model", "owned_by": "nobody"}]}
_OWN = json.dumps({"title": "Hello", "isNewTopic": False, "reasoning": "as asked", "next_speaker": "user"})
"""What is said to a host that asks for something of its own, without tools."""


@dataclass(frozen=True)
class Round:
    """One request to the model, and what it decided."""

    at: float
    """When, as `time.monotonic` has it."""
    asked: Asked
    decided: Say | Use
    text: str
    """The whole request, as text."""


class Model:
    """Use as an async context manager."""

    def __init__(self) -> None:
        self.http = HttpServer(self._handle)
        self.rounds: list[Round] = []
        """The requests that offered tools, in order: those without are a host's own, such as for a title."""
        self.unknown: list[str] = []
        """What else was asked for."""

    async def __aenter__(self) -> Self:
        await self.http.listen()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.http.stop()

    @property
    def url(self) -> str:
        """The base URL, without a path."""
        return self.http.origin

    async def _handle(self, exchange: Exchange) -> None:
        request = exchange.request
        path = request.path.partition("?")[0]
        body = request.message
        api = next((api for end, api in _APIS.items() if path.endswith(end)), None)
        if request.method == "POST" and api is not None and isinstance(body, dict):
            asked = api.read(body)
            decided = decide(asked) if asked.tools else Say(_OWN)
            if asked.tools:
                text = json.dumps(body, ensure_ascii=False)
                self.rounds.append(Round(time.monotonic(), asked, decided, text))
            if isinstance(decided, Use):
                await asyncio.sleep(decided.thought)
            number = len(self.http.requests)
            if body.get("stream") or path.endswith(":streamGenerateContent"):
                await exchange.start(200, "text/event-stream")
                for part in api.stream(body, decided, number):
                    await exchange.chunk(part)
                await exchange.finish()
            else:
                await _json(exchange, api.answer(body, decided, number))
        elif path.endswith(("/count_tokens", ":countTokens")):
            await _json(exchange, _COUNTS)
        elif path.endswith("/models"):
            await _json(exchange, _MODELS)
        else:
            self.unknown.append(f"{request.method} {request.path}")
            await _json(exchange, {"error": {"type": "not_found_error", "message": "no such page"}}, 404)


async def _json(exchange: Exchange, value: object, status: int = 200) -> None:
    await exchange.respond(status, json.dumps(value).encode(), "application/json")
