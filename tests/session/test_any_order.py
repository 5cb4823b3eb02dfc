"""Whatever happens in whatever order: each request has one answer, or none if the host cancelled it, and nothing fails.

A step is three numbers: what happens, to which of those it can happen to, and in which of its forms. The playbook
itself refuses commands about exchanges and timers that are not there.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.session.commands import Command, EndSession, Post, SendToHost
from bridge.session.deadlines import LongCalls
from bridge.session.events import Cause
from bridge.session.session import Session, Transport
from tests.session.playbook import (
    INITIALIZED,
    URL,
    VERSION,
    Machine,
    Playbook,
    cancelled,
    error,
    notification,
    request,
    result,
)
from tests.support.cuts import unhurried
from tests.support.examples import multiplied

T = TypeVar("T")
Step = tuple[int, int, int]

CALLS: list[tuple[str, dict[str, object]]] = [
    ("ping", {}),
    ("tools/call", {"name": "pay", "_meta": {"progressToken": 0}}),
    ("tools/call", {"name": "read"}),
    ("tools/list", {}),
    ("logging/setLevel", {"level": "debug"}),
    ("resources/subscribe", {"uri": "a:1"}),
    ("resources/unsubscribe", {"uri": "a:1"}),
    ("vendor/thing", {}),
]
SENT_BY_THE_BRIDGE = {"initialize", "logging/setLevel", "resources/subscribe"}
STATUSES = [200, 202, 400, 401, 404, 405, 429, 500, 503]


class TimedPlaybook(Playbook):
    """A session with all the limits and signs of life that there are."""

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Session(URL, transport, retry_window, request_timeout, long_calls=LongCalls(30.0, 5.0))


class Chaos:
    """A host and a server that do anything, and a count of who waits for an answer."""

    def __init__(self, transport: Transport, request_timeout: float | None) -> None:
        make = Playbook if request_timeout is None else TimedPlaybook
        self.book = make(transport, retry_window=10.0, request_timeout=request_timeout)
        self.waiting: dict[int, str] = {}
        # An answer in a batch is held back until all of them are there, even if the host cancels it meanwhile.
        self.batched: set[int] = set()
        self.optional: set[int] = set()
        self.streaming: set[int] = set()
        self.last_id = 0
        self.acts: list[Callable[[int, int], None]] = [
            self.initialize,
            self.say_initialized,
            self.call,
            self.call,
            self.batch,
            self.call_twice,
            self.cancel,
            self.note,
            self.start,
            self.event,
            self.event,
            self.body,
            self.body,
            self.close,
            self.fail,
            self.timer,
            self.wake,
        ]

    # -- the host

    def ask(self, method: str, params: object) -> bytes:
        self.last_id += 1
        self.waiting[self.last_id] = method
        return request(self.last_id, method, params)

    def initialize(self, which: int, how: int) -> None:
        self.check(self.book.host(self.ask("initialize", {"protocolVersion": VERSION})))

    def say_initialized(self, which: int, how: int) -> None:
        self.check(self.book.host(INITIALIZED))

    def call(self, which: int, how: int) -> None:
        self.check(self.book.host(self.ask(*CALLS[how % len(CALLS)])))

    def batch(self, which: int, how: int) -> None:
        lines = [self.ask(*CALLS[number % len(CALLS)]) for number in (which, how)]
        self.batched |= {self.last_id - 1, self.last_id}
        self.check(self.book.host(b"[" + b",".join([*lines, notification("notifications/x")]) + b"]"))

    def call_twice(self, which: int, how: int) -> None:
        if single := sorted(set(self.waiting) - self.batched):
            id_ = pick(single, which)
            (refusal,) = self.book.told(self.book.host(request(id_, "ping")))
            assert b'"code":-32600' in refusal.line

    def cancel(self, which: int, how: int) -> None:
        if self.waiting:
            id_ = pick(sorted(self.waiting), which)
            del self.waiting[id_]
            self.optional |= self.batched & {id_}
            self.check(self.book.host(cancelled(id_)))

    def note(self, which: int, how: int) -> None:
        lines = [result(which % 4), error(which % 4, "no"), notification("notifications/roots/list_changed")]
        self.check(self.book.host(pick(lines, how)))

    # -- the server and the network

    def start(self, which: int, how: int) -> None:
        if fresh := sorted(set(self.book.exchanges) - self.streaming):
            exchange = pick(fresh, which)
            self.streaming.add(exchange)
            self.check(self.book.starts(exchange, b"session-%d" % exchange if how % 2 else None))

    def event(self, which: int, how: int) -> None:
        if not self.streaming:
            return
        exchange = pick(sorted(self.streaming), which)
        forms: list[Callable[[], list[Command]]] = [
            lambda: self.book.sends(exchange, self.answer(exchange, which)),
            lambda: self.book.sends(exchange, self.answer(0, which), id_=b"%d" % (how % 5)),
            lambda: self.book.sends(exchange, id_=b"p%d" % how, retry=how * 100),
            lambda: self.book.sends(exchange, request(which % 4, "roots/list")),
            lambda: self.book.sends(exchange, notification("notifications/progress", {"progressToken": 0})),
            lambda: self.book.sends(exchange, b"nonsense"),
            lambda: self.book.names_endpoint(exchange, b"/messages"),
            lambda: self.book.names_endpoint(exchange, b"/messages"),
            lambda: self.book.names_endpoint(exchange, b"https://evil.example/"),
        ]
        self.check(pick(forms, how)())

    def body(self, which: int, how: int) -> None:
        if fresh := sorted(set(self.book.exchanges) - self.streaming):
            exchange = pick(fresh, which)
            bodies = [self.answer(exchange, which), self.answer(0, which), b"", error(None, "no session"), b"<html>"]
            self.check(
                self.book.answers(
                    exchange,
                    pick(bodies, how // len(STATUSES)),
                    status=pick(STATUSES, how),
                    session_id=b"session-%d" % exchange if which % 2 else None,
                    retry_after=[None, 0.0, 5.0, 60.0][which % 4],
                )
            )

    def close(self, which: int, how: int) -> None:
        if self.streaming:
            self.check(self.book.closes(pick(sorted(self.streaming), which)))

    def fail(self, which: int, how: int) -> None:
        if self.book.exchanges:
            exchange, causes = pick(sorted(self.book.exchanges), which), list(Cause)
            self.check(self.book.fails(exchange, pick(causes, how), sent=how % 2 == 0))

    def timer(self, which: int, how: int) -> None:
        if self.book.timers:
            self.check(self.book.fires(*pick(sorted(self.book.timers), which)))

    def wake(self, which: int, how: int) -> None:
        self.check(self.book.wakes())

    def answer(self, exchange: int, which: int) -> bytes:
        """The answer to what an exchange asked; for one that asked nothing, to any request that waits, or to none."""
        sent = self.book.exchanges.get(exchange)
        asked = msgspec.json.decode(sent.body) if isinstance(sent, Post) else {}
        id_ = asked.get("id", pick(sorted(self.waiting), which) if self.waiting else 10**6)
        method = asked.get("method") or self.waiting.get(id_, "")
        values: dict[str, object] = {
            "initialize": {"protocolVersion": VERSION},
            "tools/list": {"tools": [{"name": "read", "annotations": {"readOnlyHint": True}}]},
        }
        return result(id_, values.get(method))

    # -- what must hold

    def check(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, SendToHost):
                self.told(command.line)
        for command in commands:
            if isinstance(command, Post):
                message = msgspec.json.decode(command.body)
                is_own = message.get("method") in SENT_BY_THE_BRIDGE or command.quiet
                if "id" in message and "method" in message and not is_own:
                    assert message["id"] in self.waiting, "nobody waits for what is sent"
        self.streaming &= set(self.book.exchanges)
        single = set(self.waiting) - self.batched
        assert self.book.session.busy or not single
        assert self.book.exchanges or self.book.timers or not single, "nothing is under way that could bring an answer"

    def told(self, line: bytes | bytearray) -> None:
        assert b"\n" not in line
        decoded = msgspec.json.decode(line)
        for message in decoded if isinstance(decoded, list) else [decoded]:
            if "method" not in message:
                id_ = message["id"]
                assert id_ in self.waiting or id_ in self.optional, f"a second answer, or one to nothing: {message}"
                self.waiting.pop(id_, None)
                self.optional.discard(id_)

    def end(self) -> None:
        commands = self.book.host_closes()
        self.check(commands)
        assert not self.waiting
        assert all(isinstance(open_, EndSession) for open_ in self.book.exchanges.values())
        assert self.book.host_closes() == []


def pick(things: Sequence[T], which: int) -> T:
    return things[which % len(things)]


steps = st.lists(st.tuples(st.integers(0, 16), st.integers(0, 7), st.integers(0, 44)), max_size=60)


@pytest.mark.parametrize("opened", [True, False], ids=["opened", "fresh"])
@pytest.mark.parametrize("transport", ["auto", "http", "sse"])
@settings(parent=unhurried, max_examples=multiplied(100))
@given(steps=steps, request_timeout=st.sampled_from([None, 20.0]))
def test_each_request_has_one_answer(
    transport: Transport, opened: bool, steps: list[Step], request_timeout: float | None
) -> None:
    chaos = Chaos(transport, request_timeout)
    if opened and transport != "sse":
        chaos.book.opened()
    for what, which, how in steps:
        chaos.acts[what](which, how)
    chaos.end()
