"""Hosts and servers of any era, in any order: nothing fails, and each request has one answer, or none if cancelled.

A step is three numbers, as in `test_any_order`: what happens, to which of those it can happen to, and in which form.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.session.commands import Command, EndSession, Post, SendToHost
from bridge.session.events import Cause
from tests.session.modern_playbook import (
    BOTH,
    HEADER_MISMATCH,
    LEGACY,
    META_SUBSCRIPTION,
    MODERN,
    UNASKED,
    UNSUPPORTED_VERSION,
    PairingPlaybook,
    acknowledged,
    asked,
    body,
    called,
    changed,
    discovered,
    initialized,
    listening_to,
    refusal,
)
from tests.session.playbook import INITIALIZED, cancelled, error, notification, request, result
from tests.session.test_any_order import STATUSES, Step, pick
from tests.support.cuts import unhurried
from tests.support.examples import multiplied

CLIENT = {"name": "old host", "version": "1"}
ASKS: dict[str, object] = {"roots": {}, "sampling": {}, "elicitation": {"form": {}}}
INPUT_REQUIRED = {
    "resultType": "input_required",
    "requestState": "s",
    "inputRequests": {"a": {"method": "roots/list", "params": {}}},
}
LISTENING = "subscriptions/listen"


class Chaos:
    """A host and a server that do anything, and a count of who waits for an answer."""

    def __init__(self, book: PairingPlaybook) -> None:
        self.book = book
        self.waiting: dict[int, str] = {}
        self.asked: list[object] = []
        self.streaming: set[int] = set()
        self.last_id = 0
        self.acts: list[Callable[[int, int], list[Command]]] = [
            self.initialize,
            self.say_initialized,
            self.call,
            self.call,
            self.modern_call,
            self.modern_call,
            self.listen,
            self.cancel,
            self.note,
            self.reply,
            self.start,
            self.event,
            self.event,
            self.event,
            self.body,
            self.body,
            self.body,
            self.close,
            self.fail,
            self.timer,
            self.other,
        ]

    # -- the host

    def ask(self, method: str) -> int:
        self.last_id += 1
        self.waiting[self.last_id] = method
        return self.last_id

    def initialize(self, which: int, how: int) -> list[Command]:
        params = {"protocolVersion": "2025-06-18", "clientInfo": CLIENT, "capabilities": ASKS if how % 2 else {}}
        return self.book.host(request(self.ask("initialize"), "initialize", params))

    def say_initialized(self, which: int, how: int) -> list[Command]:
        return self.book.host(INITIALIZED)

    def call(self, which: int, how: int) -> list[Command]:
        methods = ["tools/call", "tools/list", "resources/subscribe", "resources/unsubscribe", "logging/setLevel"]
        method = pick([*methods, "ping", "vendor/thing"], how)
        params = {"name": "pay", "uri": "a:1", "level": "debug", "_meta": {"progressToken": which}}
        return self.book.host(request(self.ask(method), method, params))

    def modern_call(self, which: int, how: int) -> list[Command]:
        method = pick(["tools/call", "tools/list", "server/discover", "resources/read", "vendor/thing"], how)
        id_ = self.ask(method)
        line = called(id_) if method == "tools/call" else asked(id_, method, uri="a:1", requestState="s")
        client, able = b'"name":"host%d"' % (which % 2), b'"io.modelcontextprotocol/clientCapabilities":{"roots":{}}'
        line = line.replace(b'"name":"host"', client)
        return self.book.host(line.replace(b'"io.modelcontextprotocol/clientCapabilities":{}', able))

    def listen(self, which: int, how: int) -> list[Command]:
        return self.book.host(listening_to(self.ask(LISTENING), *["a:1"][: how % 2]))

    def cancel(self, which: int, how: int) -> list[Command]:
        if not (ids := sorted(id_ for id_, method in self.waiting.items() if method != "initialize")):
            return []
        id_ = pick(ids, which)
        if self.waiting[id_] == LISTENING:
            commands = self.book.host(cancelled(id_))
            told = [json.loads(command.line) for command in commands if isinstance(command, SendToHost)]
            assert [answer["result"]["resultType"] for answer in told if answer.get("id") == id_] == ["complete"]
            return commands
        del self.waiting[id_]
        return self.book.host(cancelled(id_))

    def note(self, which: int, how: int) -> list[Command]:
        lines = [result(which), error(which, "no"), notification("notifications/roots/list_changed"), cancelled(None)]
        return self.book.host(pick(lines, how))

    def reply(self, which: int, how: int) -> list[Command]:
        """The host answers what it was asked."""
        if not self.asked:
            return []
        id_ = self.asked.pop(which % len(self.asked))
        return self.book.host(pick([result(id_, {"roots": []}), error(id_, "no"), result(id_, 5)], how))

    # -- the server and the network

    def fresh(self) -> list[int]:
        return sorted(set(self.book.exchanges) - self.streaming)

    def start(self, which: int, how: int) -> list[Command]:
        if not (fresh := self.fresh()):
            return []
        exchange = pick(fresh, which)
        self.streaming.add(exchange)
        return self.book.starts(exchange, b"session-%d" % exchange if how % 2 else None)

    def event(self, which: int, how: int) -> list[Command]:
        if not self.streaming:
            return []
        exchange = pick(sorted(self.streaming), which)
        id_ = self.id_of(exchange)
        lines = [
            self.answer(exchange, how // 10),
            self.answer(exchange, how // 10),
            acknowledged(id_),
            changed(id_),
            notification("notifications/resources/updated", {"uri": "a:1", "_meta": {META_SUBSCRIPTION: id_}}),
            request(which, "roots/list", {}),
            notification("notifications/progress", {"progressToken": which, "progress": 1}),
            b"nonsense",
            b"[]",
            refusal(None, HEADER_MISMATCH),
        ]
        return self.book.sends(exchange, pick(lines, how), id_=b"%d" % (how % 7) if which % 3 == 0 else None)

    def body(self, which: int, how: int) -> list[Command]:
        if not (fresh := self.fresh()):
            return []
        exchange = pick(fresh, which)
        good = how % 3 > 0
        bodies = [self.answer(exchange, how // 9), b"", error(None, "no session"), b"<html>", refusal(None, -32020)]
        return self.book.answers(
            exchange,
            bodies[0] if good else pick(bodies, how // 5),
            status=200 if good else pick(STATUSES, how // 2),
            session_id=b"session-%d" % exchange if which % 2 else None,
            retry_after=[None, 0.0, 5.0, 60.0][which % 4],
        )

    def close(self, which: int, how: int) -> list[Command]:
        return self.book.closes(pick(sorted(self.streaming), which)) if self.streaming else []

    def fail(self, which: int, how: int) -> list[Command]:
        if not self.book.exchanges:
            return []
        return self.book.fails(pick(sorted(self.book.exchanges), which), pick(list(Cause), how), sent=how % 2 == 0)

    def timer(self, which: int, how: int) -> list[Command]:
        return self.book.fires(*pick(sorted(self.book.timers), which)) if self.book.timers else []

    def other(self, which: int, how: int) -> list[Command]:
        self.book.passes(how)
        return self.book.wakes() if which % 4 == 0 else self.book.signing_in(which % 2 == 0)

    def id_of(self, exchange: int) -> Any:
        sent = self.book.exchanges.get(exchange)
        return body(sent).get("id") if isinstance(sent, Post) else None

    def answer(self, exchange: int, how: int) -> bytes:
        """An answer to what an exchange asked, of a server of either era; to one that asked nothing, a stray one."""
        sent = self.book.exchanges.get(exchange)
        said = body(sent) if isinstance(sent, Post) else {}
        id_, method = said.get("id", 10**6), said.get("method", "")
        if how % 4 == 3:
            code = pick([HEADER_MISMATCH, UNSUPPORTED_VERSION, -32601, -32602, -32021, -32042], how // 4)
            return refusal(id_, code, supported=pick([["2026-07-28"], ["2025-11-25"], 5], how))
        done = {"resultType": "complete", "content": [], "contents": []}
        values: dict[str, list[object]] = {
            "initialize": [initialized(), initialized("2026-07-28"), 5],
            "server/discover": [discovered(), discovered("2025-11-25"), discovered("2026-07-28", "2025-11-25")],
            "tools/list": [{"tools": [{"name": "pay", "annotations": {"readOnlyHint": True}}], **done}],
            "tools/call": [done, {"content": []}, INPUT_REQUIRED, {"task": {"taskId": "t"}}],
        }
        return result(id_, pick(values.get(method, [done]), how))

    # -- what must hold

    def check(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, SendToHost):
                self.told(command.line)
        self.streaming &= set(self.book.exchanges)
        waiting = [id_ for id_, method in self.waiting.items() if method != LISTENING]
        assert self.book.session.busy or not waiting
        waits = self.book.timers or self.book.lookups or self.asked
        is_under_way = self.book.exchanges.keys() - self.book.settled or waits
        assert is_under_way or not waiting, "nothing could bring an answer"

    def told(self, line: bytes | bytearray) -> None:
        assert b"\n" not in line
        message = json.loads(line)
        if "method" not in message:
            id_ = message["id"]
            assert id_ in self.waiting, f"a second answer, or one to nothing: {message}"
            del self.waiting[id_]
        elif "id" in message:
            self.asked.append(message["id"])

    def end(self) -> None:
        self.check(self.book.host_closes())
        assert not self.waiting
        assert not self.book.session.busy
        open_ = [sent for number, sent in self.book.exchanges.items() if number not in self.book.settled]
        assert all(isinstance(sent, EndSession) for sent in open_)
        assert self.book.host_closes() == []


steps = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 7), st.integers(0, 59)), max_size=60)


KNOWN = {"unknown": frozenset(), "legacy": LEGACY, "unasked": UNASKED, "modern": MODERN, "both": BOTH}


@pytest.mark.parametrize("eras", KNOWN.values(), ids=KNOWN)
@settings(parent=unhurried, max_examples=multiplied(150))
@given(steps=steps, request_timeout=st.sampled_from([None, 20.0]), is_fixed=st.booleans())
def test_each_request_has_one_answer(
    eras: frozenset[str], steps: list[Step], request_timeout: float | None, is_fixed: bool
) -> None:
    book = PairingPlaybook(eras, is_fixed=is_fixed and bool(eras), retry_window=10.0, request_timeout=request_timeout)
    chaos = Chaos(book)
    for what, which, how in steps:
        chaos.check(chaos.acts[what](which, how))
    chaos.end()
