"""A server on paper that answers by the rules of its era, and can change it in mid-life."""

from __future__ import annotations

import json
from typing import Any, Literal

from bridge.session.commands import Command, EndSession, Headers, OpenStream, Post
from tests.session.modern_playbook import (
    HEADER_MISMATCH,
    META_VERSION,
    MODERN_VERSION,
    UNSUPPORTED_VERSION,
    PairingPlaybook,
    acknowledged,
    body,
    discovered,
    initialized,
    refusal,
)
from tests.session.playbook import error, result

Era = Literal["legacy", "modern", "both"]


class PaperServer:
    """Answers whatever the bridge sends; `serve` goes on until nothing is left to answer.

    `keeps_sessions`: the legacy server gives out session ids and wants to see them. `says_id`: its refusals bear the
    request's id. `seen` are the methods that it has run, without those that it refused; `taken` the whole messages.
    """

    def __init__(self, book: PairingPlaybook, era: Era, *, keeps_sessions: bool = True, says_id: bool = False) -> None:
        self.book = book
        self.era = era
        self.keeps_sessions = keeps_sessions
        self.says_id = says_id
        self.seen: list[str] = []
        self.taken: list[dict[str, Any]] = []
        self.probes = 0
        self._sessions: set[bytes] = set()
        self._last_session = 0
        self._served: set[int] = set()

    def restarts_as(self, era: Era) -> None:
        """Another server from now on, which knows nothing of the one before."""
        self.era = era
        self._sessions.clear()

    def serve(self, commands: list[Command]) -> list[dict[str, Any]]:
        """Answer all there is; what the host was told, from `commands` on."""
        told = self.book.told_all(commands)
        while waiting := [number for number in self.book.exchanges if number not in self._served]:
            told += self.book.told_all(self._answer(waiting[0]))
        return told

    def host(self, line: bytes) -> list[dict[str, Any]]:
        """The host sends a line; what it was told once everything is answered."""
        return self.serve(self.book.host(line))

    def _answer(self, exchange: int) -> list[Command]:
        asked = self.book.exchanges[exchange]
        self._served.add(exchange)
        if isinstance(asked, OpenStream):
            return self.book.answers(exchange, status=405)
        if isinstance(asked, EndSession):
            return self.book.answers(exchange, status=200)
        sent = body(asked)
        self.probes += sent.get("id") == "mcp-remote-bridge/probe"
        if self._is_modern(sent):
            return self._modern(asked, sent)
        if self.era == "modern":
            return self._refuse(asked, sent, UNSUPPORTED_VERSION if "id" in sent else HEADER_MISMATCH)
        return self._legacy(asked, sent)

    def _is_modern(self, sent: dict[str, Any]) -> bool:
        params = sent.get("params")
        meta = params.get("_meta", {}) if isinstance(params, dict) else {}
        return self.era != "legacy" and meta.get(META_VERSION) == MODERN_VERSION

    def _refuse(self, asked: Post, sent: dict[str, Any], code: int) -> list[Command]:
        line = refusal(sent.get("id") if self.says_id else None, code, supported=[MODERN_VERSION])
        return self.book.answers(asked.exchange, line, status=400)

    def _modern(self, asked: Post, sent: dict[str, Any]) -> list[Command]:
        headers, method, id_ = dict(asked.headers), sent["method"], sent.get("id")
        assert headers[b"mcp-protocol-version"] == MODERN_VERSION.encode()
        assert headers[b"mcp-method"] == method.encode()
        self._note(sent)
        if method == "server/discover":
            return self.book.answers(asked.exchange, result(id_, discovered()))
        if method == "subscriptions/listen":
            acknowledgment = acknowledged(id_, *sent["params"]["notifications"].get("resourceSubscriptions", []))
            return self.book.starts(asked.exchange) + self.book.sends(asked.exchange, acknowledgment)
        if method in {"initialize", "ping"}:
            return self.book.answers(asked.exchange, error(id_, "Method not found", -32601), status=404)
        value = {"resultType": "complete", "by": "modern", "method": method}
        return self.book.answers(asked.exchange, result(id_, value))

    def _legacy(self, asked: Post, sent: dict[str, Any]) -> list[Command]:
        method, id_, session_id = sent.get("method"), sent.get("id"), _session_id(asked.headers)
        if method == "initialize":
            self._note(sent)
            return self.book.answers(asked.exchange, result(id_, initialized()), session_id=self._new_session())
        if self.keeps_sessions and session_id not in self._sessions:
            line = error(id_ if self.says_id else None, "Bad Request: no valid session", -32000)
            return self.book.answers(asked.exchange, line, status=400 if session_id is None else 404)
        if method == "server/discover":
            return self.book.answers(asked.exchange, error(id_, "Method not found", -32601))
        self._note(sent)
        if id_ is None or method is None:
            return self.book.answers(asked.exchange, status=202)
        return self.book.answers(asked.exchange, result(id_, {"by": "legacy", "method": method}))

    def _note(self, sent: dict[str, Any]) -> None:
        self.seen.append(str(sent.get("method")))
        self.taken.append(sent)

    def _new_session(self) -> bytes | None:
        if not self.keeps_sessions:
            return None
        self._last_session += 1
        session_id = b"session-%d" % self._last_session
        self._sessions.add(session_id)
        return session_id


def _session_id(headers: Headers) -> bytes | None:
    return dict(headers).get(b"mcp-session-id")


def by(answer: dict[str, Any]) -> str:
    """The era of the server that gave this answer."""
    assert "result" in answer, json.dumps(answer)
    era: str = answer["result"]["by"]
    return era
